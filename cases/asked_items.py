"""A list of items that a patient is asked for: kept beside the question, and told in words where steps are told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.asked_models import AskedItem
from cases.asked_views import AskedItemView, AskedView
from cases.models import Case
from cases.repository import documents_of, studies_of
from cases.states import DOCUMENT_LABELS, AskedKind, CaseState, StudyState
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.texts import trimmed

MOST, MOST_TEXT, MOST_ANSWER = 20, 400, 5_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to ask for: a question, a document or a study, in words."""

    kind: AskedKind
    text: str


def checked(items: Sequence[Wanted]) -> list[Wanted]:
    """The items as they can be kept. Raises Unprocessable."""
    clean = [Wanted(one.kind, trimmed(one.text)) for one in items]
    if len(clean) > MOST or any(not one.text or len(one.text) > MOST_TEXT for one in clean):
        raise Unprocessable(
            "items",
            safe=gettext("Ask for %(most)s items at most, each in %(long)s characters.", most=MOST, long=MOST_TEXT),
        )
    return clean


def put(tx: Session, case: Case, items: Sequence[Wanted]) -> None:
    """Keep a new list of items, which takes the place of the one before."""
    asking = (tx.scalar(select(func.max(AskedItem.asking)).where(AskedItem.case_id == case.id)) or 0) + 1
    for number, one in enumerate(items, 1):
        tx.add(AskedItem(case_id=case.id, asking=asking, number=number, kind=one.kind, text=one.text))
    tx.flush()


def rows(tx: Session, case: Case) -> Sequence[AskedItem]:
    """The newest list of a case, in order."""
    newest = select(func.max(AskedItem.asking)).where(AskedItem.case_id == case.id).scalar_subquery()
    query = select(AskedItem).where(AskedItem.case_id == case.id, AskedItem.asking == newest)
    return tx.scalars(query.order_by(AskedItem.number)).all()


def view(tx: Session, case: Case) -> AskedView:
    """The newest list as people see it; without items where there was none."""
    found = rows(tx, case)
    studies = studies_of(tx, case.id)
    out = {one.study_uid for one in studies if one.state is StudyState.REVOKED}
    documents = {d.id: d for d in documents_of(tx, case.id) if d.study_uid not in out}
    items = []
    for one in found:
        document = documents.get(one.document_id) if one.document_id else None
        arrived = one.kind is AskedKind.STUDY and any(
            not s.is_document and s.state is not StudyState.REVOKED and s.created_at >= one.asked_at for s in studies
        )
        here = one.missing or document is not None or arrived
        # Words alone are no document.
        done = here or (one.kind is not AskedKind.DOCUMENT and bool(one.answer))
        label = f"{DOCUMENT_LABELS[document.kind]}: {document.name}" if document else ""
        items.append(
            AskedItemView(one.id, one.number, one.kind, one.text, one.answer, one.missing, label, done, one.answered_at)
        )
    said = repr([(one.id, one.answer, one.missing) for one in found])
    return AskedView(tuple(items), waits(case, found), hashlib.sha256(said.encode()).hexdigest()[:32])


def waits(case: Case, found: Sequence[AskedItem]) -> bool:
    """Whether the newest list is what the case waits for: it may have been asked for in plain words since."""
    if not found or case.state is not CaseState.NEEDS_INFO or case.paused_at is None:
        return False
    return found[0].asked_at >= case.paused_at


def listing(texts: Iterable[str]) -> str:
    """What is asked for in words, one item a line."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))


def told(view: AskedView) -> str:
    """The items with what became of them, for the history and who asked: no file's name, which may be a person's."""
    lines = []
    for one in view.items:
        if one.missing:
            said = gettext("I don’t have it.")
        elif one.document:
            said = gettext("Added as a document.")
        elif one.kind is AskedKind.STUDY and one.done and not one.answer:
            said = gettext("The images are here.")
        else:
            said = ""
        lines.append(f"{one.number}. {one.text}\n{' '.join(filter(None, [said, one.answer]))}")
    return "\n".join(lines)
