"""The items that a patient was asked for: seen by both sides, answered by the patient's, half answers kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from cases import asked_items, parts
from cases.asked_models import AskedItem
from cases.asked_views import AskedView
from cases.document_models import Document
from cases.models import Case
from cases.repository import load
from cases.states import LABELS, PATIENT_SIDE, AskedKind
from overread.kit import audit, clock
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import trimmed

MOST, MOST_TEXT, MOST_ANSWER = asked_items.MOST, asked_items.MOST_TEXT, asked_items.MOST_ANSWER
Wanted = asked_items.Wanted


@dataclass(frozen=True, slots=True)
class Answered:
    """What the patient says to an item; `missing`: that they don't have it, then `text` may say why."""

    text: str
    missing: bool = False


def listed(tx: Session, who: Principal, case_id: UUID) -> AskedView:
    """The newest list of a case, for its patient's side and coordinators. Raises Forbidden, NotFound."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_MESSAGE, case_id)
    return asked_items.view(tx, case)


def lead(question: str, view: AskedView) -> str:
    """The words that stand before the list in a question."""
    return question.removesuffix(asked_items.listing(one.text for one in view.items)).strip()


def keep(
    tx: Session, who: Principal, case_id: UUID, answers: Mapping[UUID, Answered], *, edition: str | None = None
) -> str:
    """Keep answers, also half of them; what is not named stays. The edition then.

    `edition`: that of the list that was read. Raises Forbidden, NotFound for an item that is not of the list that the
    case waits for; Conflict where somebody answered meanwhile, or nothing is waited for; Unprocessable.
    """
    case = _waiting(tx, who, case_id)
    before = asked_items.view(tx, case)
    if edition is not None and edition != before.edition:
        raise Conflict(
            f"the items of case {case_id} were answered meanwhile",
            safe=gettext("This was changed in another window. Look at it there, or load this page again."),
        )
    found = {one.id: one for one in asked_items.rows(tx, case)}
    for item_id, said in answers.items():
        item = _of(found, item_id)
        text = trimmed(said.text)
        if len(text) > MOST_ANSWER:
            raise Unprocessable(
                "answer of an item",
                safe=gettext("This is too long: %(most)s characters at most.", most=MOST_ANSWER),
            )
        if (text, said.missing) != (item.answer, item.missing):
            item.answer, item.missing = text, said.missing
            _by(item, who)
    tx.flush()
    return asked_items.view(tx, case).edition


def attach(tx: Session, who: Principal, case_id: UUID, item_id: UUID, document_id: UUID) -> None:
    """Say that a document of the case is the one that was asked for. Raises as `keep` does."""
    case = _waiting(tx, who, case_id)
    item = _of({one.id: one for one in asked_items.rows(tx, case)}, item_id)
    document = tx.get(Document, document_id)
    if document is None or document.case_id != case.id:
        raise NotFound(f"document {document_id} of case {case_id}")
    if item.kind is not AskedKind.DOCUMENT:
        raise Unprocessable("no document was asked for", safe=gettext("Something else than a document was asked for."))
    if item.document_id != document_id:
        item.document_id, item.missing = document_id, False
        _by(item, who)
        tx.flush()
        audit.record(tx, who, "case.answer_item", "case", case.id, case_id=case.id, number=item.number)


def _waiting(tx: Session, who: Principal, case_id: UUID) -> Case:
    case, actor = load(tx, who, case_id, lock=True)
    if actor not in PATIENT_SIDE:
        raise Forbidden(f"{actor} answered for the patient of case {case_id}")
    if not asked_items.view(tx, case).waits:
        raise Conflict(
            f"nothing is asked for in case {case_id}, which is {case.state}",
            safe=gettext("This is not possible while the case is “%(state)s”.", state=LABELS[case.state]),
        )
    return case


def _of(found: Mapping[UUID, AskedItem], item_id: UUID) -> AskedItem:
    if item_id not in found:
        raise NotFound(f"item {item_id}")
    return found[item_id]


def _by(item: AskedItem, who: Principal) -> None:
    item.answered_by, item.answered_at = who.id, clock.now()
