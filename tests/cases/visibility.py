"""Who sees what, said anew as simply as possible: what was sent, and what was put into cases, in dictionaries.

It knows no database, no row and no key: senders, Study Instance UIDs, SOP Instance UIDs, contents. An object is what
its sender sent; a part is what one sender sent of one study.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Part = tuple[str, str]
STAFF = "staff"


@dataclass(frozen=True)
class Identity:
    """What an object says of its patient; empty where it says nothing."""

    name: str = ""
    patient_id: str = ""
    birth_date: str = ""

    def contradicts(self, other: Identity) -> bool:
        pairs = ((self.patient_id, other.patient_id), (self.birth_date, other.birth_date))
        return any(mine and theirs and mine != theirs for mine, theirs in pairs)


@dataclass(frozen=True)
class Sent:
    """One object: `content` tells those of one SOP Instance UID apart."""

    study: str
    sop: str
    content: int
    identity: Identity
    modality: str


@dataclass
class InCase:
    """A study in a case: whose parts it is made of, which objects were looked at, and what a person decided."""

    parts: list[Part]
    #: Of several senders: what was taken over of them. Of one it is what they sent, as it stands.
    rows: dict[str, tuple[str, Sent]] | None
    #: It is what its patient sent to the case, not all that they sent of this study.
    uploads: bool
    looked: dict[str, tuple[str, Sent]] = field(default_factory=dict)
    state: str = "mismatch"
    #: Names and birth dates.
    confirmed: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Case:
    patient: str
    name: str
    birth_date: str
    studies: dict[str, InCase] = field(default_factory=dict)
    uploads: set[tuple[str, str]] = field(default_factory=set)


class Model:
    """The oracle."""

    def __init__(self, cases: dict[str, Case]) -> None:
        self.cases = cases
        self.sent: dict[str, list[Sent]] = {}
        #: Cases that a part was sent for by their reference numbers.
        self.named: dict[Part, set[str]] = {}
        self.inbox: set[Part] = set()

    # -- what happens ---------------------------------------------------------------------------------------------

    def send(self, who: str, one: Sent, case: str | None = None, reference: str | None = None) -> str:
        """What becomes of an object: "stored", "again" or "refused". Nobody else's objects count."""
        mine = self.sent.setdefault(who, [])
        before = next((other for other in mine if other.sop == one.sop), None)
        first = next((other for other in mine if other.study == one.study), None)
        if before is not None and before != one:
            return "refused"
        if before is None:
            if first is not None and first.identity.contradicts(one.identity):
                return "refused"
            mine.append(one)
        if case is not None:
            self.cases[case].uploads.add((who, one.sop))
        if reference is not None:
            self.named.setdefault((who, one.study), set()).add(reference)
        return "again" if before is not None else "stored"

    def settle(self, part: Part) -> None:
        """A sender's study went quiet."""
        who, uid = part
        targets = [
            key for key, case in self.cases.items() if any((who, one.sop) in case.uploads for one in self.of(part))
        ]
        uploaded = set(targets)
        if not targets:
            targets = sorted(self.named.get(part, ()))
        targets += [k for k, c in self.cases.items() if k not in targets and part in self._parts(c, uid)]
        results = [self._arrive(self.cases[key], part, key in uploaded) for key in targets]
        if results and all(results):
            self.inbox.discard(part)
        else:
            self.inbox.add(part)

    def match(self, part: Part, key: str) -> None:
        """A coordinator puts a part into a case."""
        case, uid = self.cases[key], part[1]
        found = case.studies.get(uid)
        self.inbox.discard(part)
        if found is None or found.state == "revoked":
            # What was taken out is not what comes now.
            found = case.studies[uid] = InCase([part], None, uploads=False)
        elif part not in found.parts:
            self._join(case, found, part)
        self._look(case, found)

    def confirm(self, key: str, uid: str) -> None:
        """A coordinator says that a study with another identity is this patient's."""
        case = self.cases[key]
        found = case.studies[uid]
        said = [sent.identity for _, sent in self._all(case, found).values()]
        found.confirmed = {(one.name, one.birth_date) for one in said if one.name and one.birth_date}
        found.state = "matched"

    def reject(self, key: str, uid: str) -> None:
        """A coordinator takes a study out; it waits for another case, whoever sent it."""
        case = self.cases[key]
        found = case.studies[uid]
        found.state = "revoked"
        for part in found.parts:
            self.inbox.add(part)

    # -- who sees what --------------------------------------------------------------------------------------------

    def of(self, part: Part) -> list[Sent]:
        """What a sender sees of a study at their own address, in the order in which it came."""
        return [one for one in self.sent.get(part[0], []) if one.study == part[1]]

    def shown(self, key: str, uid: str) -> dict[str, Sent]:
        """What the address of a case shows its patient."""
        case = self.cases[key]
        own = {s.sop: s for s in self.of((case.patient, uid)) if (case.patient, s.sop) in case.uploads}
        found = case.studies.get(uid)
        if found is None or found.state != "matched" or (found.uploads and found.parts[0][0] == case.patient):
            return own
        return {sop: sent for sop, (_, sent) in found.looked.items()}

    # -- how ------------------------------------------------------------------------------------------------------

    def _parts(self, case: Case, uid: str) -> list[Part]:
        return case.studies[uid].parts if uid in case.studies else []

    def _arrive(self, case: Case, part: Part, by_upload: bool) -> bool:
        """Whether a part is in the case now; else it is kept apart."""
        who, uid = part
        found = case.studies.get(uid)
        if found is None:
            found = case.studies[uid] = InCase([part], None, uploads=by_upload)
        elif part in found.parts:
            if found.state == "revoked":
                return False
            if found.rows is not None:
                self._take(found, part)
        elif found.state == "revoked":
            return False
        else:
            there = self._all(case, found)
            mine = self.of(part)
            same = [s for s in mine if s.sop in there and there[s.sop][1] == s]
            if len(same) == len(mine):
                return True
            if any(s.sop in there and there[s.sop][1] != s for s in mine):
                return False
            if not (who == STAFF and by_upload) and not (
                same and found.state == "mismatch" and self._one_person(found.parts[0], part)
            ):
                return False
            self._join(case, found, part)
        self._look(case, found)
        return True

    def _join(self, case: Case, found: InCase, part: Part) -> None:
        if found.rows is None:
            found.rows = self._all(case, found)
        found.parts.append(part)
        found.uploads = False
        self._take(found, part)

    def _take(self, found: InCase, part: Part) -> None:
        assert found.rows is not None
        for one in self.of(part):
            found.rows.setdefault(one.sop, (part[0], one))

    def _one_person(self, ours: Part, theirs: Part) -> bool:
        mine, other = self.of(ours)[0].identity, self.of(theirs)[0].identity
        return mine == other and bool(mine.name and mine.patient_id and mine.birth_date)

    def _all(self, case: Case, found: InCase) -> dict[str, tuple[str, Sent]]:
        if found.rows is not None:
            return dict(found.rows)
        [part] = found.parts
        return {
            one.sop: (part[0], one) for one in self.of(part) if not found.uploads or (part[0], one.sop) in case.uploads
        }

    def _look(self, case: Case, found: InCase) -> None:
        there = self._all(case, found)
        new = {sop: who for sop, who in there.items() if sop not in found.looked}
        if not new and found.looked:
            return
        asked = new if found.state == "matched" else there
        found.looked = there
        agrees = all(self._agrees(case, found, sent.identity) for _, sent in asked.values())
        found.state = "matched" if agrees else "mismatch"

    def _agrees(self, case: Case, found: InCase, said: Identity) -> bool:
        return (said.name, said.birth_date) in {(case.name, case.birth_date), *found.confirmed}
