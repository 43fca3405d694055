"""Why an account may act for a patient who is somebody else: said by it, shown by a paper, checked by a coordinator."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from cases import parts
from cases.acting_models import Authority
from cases.models import Case
from cases.repository import authority_of, load
from cases.service.drafts import load_draft
from cases.states import Relation
from cases.views import AuthorityView
from overread.kit import audit, clock
from overread.kit.errors import Conflict, NotFound, Unprocessable, UnsupportedMedia
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import trimmed

_MOST_TEXT = 2_000
#: The largest paper that is taken, in bytes.
MOST_PROOF = 8 << 20
#: What a paper can be, by how its bytes begin: no name and no header says so.
_KINDS = ((b"%PDF-", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def of_case(tx: Session, case: Case) -> AuthorityView | None:
    """What is known of it, for those who are shown the case; None where the account is the patient's own."""
    row = authority_of(tx, case.id)
    if row is None:
        return None
    return AuthorityView(row.relation.value, row.text, row.proof_type, row.given_at, row.checked_at, row.note)


def say(tx: Session, who: Principal, case_id: UUID, relation: Relation | None, text: str) -> None:
    """Say what the account is to the patient of a draft and why it may act for them; None: it is the patient's own.

    Anything else than before has to be checked anew. Raises NotFound, Forbidden, Unprocessable, Conflict once it is
    sent.
    """
    case = load_draft(tx, who, case_id)
    row = authority_of(tx, case.id)
    text = trimmed(text)
    if relation is None:
        if row is not None:
            tx.delete(row)
            tx.flush()
            audit.record(tx, who, "authority.withdrawn", "case", case.id, case_id=case.id)
        return
    if len(text) > _MOST_TEXT:
        raise Unprocessable(
            "authority", safe=gettext("This is too long: %(most)s characters at most.", most=_MOST_TEXT)
        )
    if row is not None and (row.relation, row.text) == (relation, text):
        return
    if row is None:
        row = Authority(case_id=case.id, relation=relation, given_by=who.id)
        tx.add(row)
    row.relation, row.text, row.given_by, row.given_at = relation, text, who.id, clock.now()
    row.checked_at = row.checked_by = None
    tx.flush()
    audit.record(tx, who, "authority.given", "case", case.id, case_id=case.id, relation=relation.value)


def prove(tx: Session, who: Principal, case_id: UUID, paper: bytes) -> None:
    """Add a paper that shows it (a PDF, JPEG or PNG of up to `MOST_PROOF` bytes), instead of one that was there.

    Raises NotFound, Forbidden, Unprocessable, UnsupportedMedia; Conflict where a coordinator has checked it.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_CHANGE, case_id)
    row = authority_of(tx, case.id)
    if row is None:
        raise Unprocessable(
            "a proof of nothing", safe=gettext("Please say first what you are to the patient, and save it.")
        )
    if row.checked_at is not None:
        raise Conflict("authority is checked", safe=gettext("This was checked already: nothing more is needed."))
    kind = next((kind for begins, kind in _KINDS if paper.startswith(begins)), None)
    if kind is None or len(paper) > MOST_PROOF:
        raise UnsupportedMedia(
            f"a proof of {len(paper)} bytes",
            safe=gettext(
                "Please choose a PDF, or a photo as JPEG or PNG, of up to %(number)s megabytes.",
                number=MOST_PROOF >> 20,
            ),
        )
    row.proof, row.proof_type = paper, kind
    tx.flush()
    audit.record(tx, who, "authority.proof", "case", case.id, case_id=case.id)


def proof(tx: Session, who: Principal, case_id: UUID) -> tuple[str, bytes]:
    """The paper and its media type, for coordinators. Raises NotFound, Forbidden."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_AUTHORITY, case_id)
    row = authority_of(tx, case.id)
    if row is None or row.proof is None:
        raise NotFound(f"no proof of case {case_id}")
    audit.record(tx, who, "authority.proof_read", "case", case.id, case_id=case.id)
    return row.proof_type, row.proof


def check(tx: Session, who: Principal, case_id: UUID, note: str) -> None:
    """A coordinator finds it good, and says on what grounds. The same again changes nothing.

    Raises NotFound, Forbidden, Unprocessable without grounds.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_AUTHORITY, case_id)
    row = authority_of(tx, case.id)
    note = trimmed(note)
    if row is None:
        raise NotFound(f"case {case_id} is its account's own")
    if row.checked_at is not None:
        return
    if not note or len(note) > _MOST_TEXT:
        raise Unprocessable("no grounds", safe=gettext("Please say on what grounds, such as the paper that you saw."))
    row.checked_at, row.checked_by, row.note = clock.now(), who.id, note
    tx.flush()
    audit.record(tx, who, "authority.checked", "case", case.id, case_id=case.id)
