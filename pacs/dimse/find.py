"""C-FIND as SCP, Patient Root and Study Root (PS3.4 C.4.1): the search of QIDO-RS, answered page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.presentation import PresentationContext

from overread.kit.audit_looks import record_look
from overread.kit.db import Connection
from overread.kit.errors import BadInput, OverreadError
from overread.kit.principals import Principal
from pacs.dicom import tags
from pacs.dicom.dictionary import public_vr
from pacs.dimse import identifiers, levels
from pacs.dimse.access import Access, Accesses
from pacs.dimse.answering import Failed, Status, failure, respond
from pacs.dimse.association import Served
from pacs.dimse.identifiers import CHARACTER_SET, LEVEL
from pacs.dimse.negotiation import Options, options
from pacs.index import patients, query
from pacs.index.keys import TIMEZONE, path
from pacs.index.matching import is_universal
from pacs.index.query import Query
from pacs.index.scope import NOTHING
from pacs.store.archive import Archive

#: Answers that are read at once. Between pages no transaction is open, however slow the peer is.
PAGE = 200
#: Answers to one request.
MOST = 100_000
_RETRIEVE_AE_TITLE = tags.RetrieveAETitle.key
_AVAILABILITY = tags.InstanceAvailability.key
#: What an identifier says, or what is answered, without being matched.
_NOT_KEYS = frozenset((CHARACTER_SET, LEVEL, _RETRIEVE_AE_TITLE, _AVAILABILITY))

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for, and what each answer holds: `returned`, paths; `complete`: every key is supported."""

    level: str
    query: Query
    returned: frozenset[str]
    complete: bool
    character_set: str


class Find:
    """The query service of one listener."""

    def __init__(self, archive: Archive, ae_title: str, accesses: Accesses) -> None:
        self._archive = archive
        self._ae_title = ae_title
        self._accesses = accesses

    def serve(self, assoc: Served, request: C_FIND, context: PresentationContext) -> None:
        """Answer a C-FIND-RQ: pending for every match, then how it ended."""
        syntax = str(context.transfer_syntax[0])
        try:
            asked = question(request, context, options(assoc, str(context.abstract_syntax)))
            pending = Status.PENDING if asked.complete else Status.PENDING_UNSUPPORTED
            for attributes in self._matches(assoc.principal, asked):
                if request.MessageID in assoc.dimse.cancel_req:
                    respond(assoc, request, Status.CANCELLED)
                    return
                identifier = identifiers.write(self._answer(asked, attributes), syntax, asked.character_set)
                respond(assoc, request, pending, identifier=identifier)
                if not assoc.open:
                    return
        except OverreadError as error:
            failed = failure(error, Status.OUT_OF_RESOURCES)
            respond(assoc, request, failed.code, failed=failed)
            return
        respond(assoc, request, Status.SUCCESS)

    def _matches(self, who: Principal, asked: Question) -> Iterator[Attributes]:
        """The attributes of each match, in all that the principal may see. Raises Failed where they are too many."""
        with self._archive.db.transaction() as tx:
            accesses = self._accesses(tx, who, None)
        study = asked.query.keys.get(levels.UNIQUE["STUDY"], "")
        named = study if levels.is_single_value(study, levels.UNIQUE["STUDY"]) else "all"

        def looks(connection: Connection) -> None:
            for access in accesses:
                record_look(connection, who, "studies.search", asked.level.lower(), named, case_id=access.case_id)

        self._archive.db.at_once(looks)
        count = 0
        for access in accesses:
            for attributes in self._in_access(who, access, asked):
                count += 1
                if count > MOST:
                    raise Failed(Status.OUT_OF_RESOURCES, f"More than {MOST} matches: narrow the query.")
                yield attributes

    def _in_access(self, who: Principal, access: Access, asked: Question) -> Iterator[Attributes]:
        before: set[str] = set()
        offset, after, more = 0, patients.FIRST, True
        while more:
            with self._archive.db.transaction() as tx:
                if access not in self._accesses(tx, who, access.case_id):
                    return
                if asked.level == "PATIENT":
                    found = patients.search(tx, access.scope, asked.query, after, PAGE)
                    more = len(found) == PAGE
                    after = found[-1].name if found else after
                    page = [("", one.attributes) for one in found]
                else:
                    results, more = query.search(tx, access.scope, replace(asked.query, offset=offset))
                    page = [(one.sop_uid or one.series_uid or one.study_uid, one.attributes) for one in results]
            # What arrives meanwhile pushes the others on: some come twice then. Patients are asked for by their names.
            yield from (attributes for uid, attributes in page if uid not in before)
            before = {uid for uid, _ in page if uid}
            offset += len(page)

    def _answer(self, asked: Question, found: Attributes) -> Attributes:
        """Of what was found that which was asked for, and what is always there (PS3.4 C.4.1.1.3.2)."""
        answer = {tag: found[tag] for key in asked.returned if (tag := path(key)[0]) in found}
        for key in asked.returned:
            tag = path(key)[0]
            vr = public_vr(int(tag, 16))
            if tag not in answer and vr is not None:
                # Supported, and without a value; of the ambiguous ones the first.
                answer[tag] = {"vr": vr[:2]}
        answer[LEVEL] = {"vr": "CS", "Value": [asked.level]}
        answer[_RETRIEVE_AE_TITLE] = {"vr": "AE", "Value": [self._ae_title]}
        answer[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
        return answer


def question(request: C_FIND, context: PresentationContext, agreed: Options) -> Question:
    """What a C-FIND-RQ asks for. Raises Unreadable, Failed."""
    sop_class = str(context.abstract_syntax)
    if request.AffectedSOPClassUID != sop_class:
        raise Failed(Status.NO_SUCH_SOP_CLASS, "This is not the presentation context's SOP class.")
    assert request.Identifier is not None, "pynetdicom takes no C-FIND-RQ without one"
    asked = identifiers.read(request.Identifier.getvalue(), str(context.transfer_syntax[0]))
    level = levels.checked(asked)
    sop_class = levels.model(level, sop_class)
    upper = {} if agreed.relational else levels.unique_above(asked, level, sop_class)
    if levels.UNIQUE["PATIENT"] in upper:
        upper = {**upper, **levels.issuer(asked)}
    keys = {key: text for key, text in asked.keys.items() if path(key)[0] not in _NOT_KEYS}
    matched = {key: text for key, text in keys.items() if _is_matched(key, level, sop_class, agreed)}
    returned = {key for key in keys if _is_returned(key, level)}
    ignored = [key for key, text in keys.items() if not is_universal(text.strip()) and key not in (*matched, *upper)]
    made = Query(
        levels.SEARCHED[level],
        {**matched, **upper},
        include=frozenset(returned),
        limit=PAGE,
        fuzzy=agreed.fuzzy,
        empty_values=agreed.empty_values,
        multiple_values=agreed.multiple_values,
        moments=agreed.moments,
    )
    _check(made)
    always = {levels.UNIQUE[one] for one in (*levels.above(level, sop_class), level)}
    complete = not ignored and returned >= set(keys) - {TIMEZONE}
    return Question(level, made, frozenset(returned | always), complete, asked.character_set)


def _is_matched(key: str, level: str, sop_class: str, agreed: Options) -> bool:
    """Whether a key is matched: those of the level, and all where queries are relational (C.4.1.2.2.1, C.4.1.3.2.1)."""
    if key == TIMEZONE:
        return agreed.timezone  # else dates and times are meant as they stand (C.5.1.1)
    of = levels.level_of(key, sop_class)
    return of is not None and query.supported(key) and (agreed.relational or of == level)


def _is_returned(key: str, level: str) -> bool:
    tag = path(key)[0]
    if level == "PATIENT":
        return tag in patients.TAGS or tag in patients.COUNTS
    if tag in patients.COUNTS:
        return False
    # Of an instance everything is kept, of what is above it what the index holds.
    of = levels.level_of(key, "")
    order = list(levels.UNIQUE)
    if of is None:
        return level == "IMAGE" and public_vr(int(tag, 16)) is not None
    return order.index(of) <= order.index(level)


def _check(made: Query) -> None:
    """See that every key can be read. Raises Failed, which names those that can't."""
    offending: list[int] = []
    sentence = ""
    for key, text in made.keys.items():
        try:
            query.conditions(NOTHING, replace(made, keys={key: text}))
        except BadInput as error:
            offending.append(int(path(key)[0], 16))
            sentence = sentence or error.safe
    if offending:
        raise Failed(Status.MISMATCH, sentence, offending)
