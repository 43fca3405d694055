"""Documents of a case: added by its patient and coordinators, opened by them, taken out of a draft.

What a file is, is read where it can do no harm (`pacs.pixels.pages`); then it becomes objects of the archive
(`cases.document_dicom`), sent to the case by whoever added it, and goes the way of the images: copy, review, release.
Nothing here holds a transaction while a document is read.
"""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import PurePath
from uuid import UUID

from sqlalchemy.orm import Session

from cases import delegations, document_dicom, document_store, imaging, parts
from cases.document_dicom import Paper, Subject
from cases.document_models import Document
from cases.imaging import Archive
from cases.models import Case
from cases.repository import document_count, documents_of, load, studies_of
from cases.service import presentation
from cases.service.accounts import require_confirmed
from cases.states import (
    DOCUMENT_LABELS,
    KNOWN_THEIRS,
    PATIENT_SIDE,
    STUDY_LABELS,
    UPLOADABLE,
    Actor,
    CaseState,
    DocumentKind,
    StudyState,
)
from cases.views import DocumentFile, DocumentView
from overread.kit import audit
from overread.kit.audit_looks import record_look
from overread.kit.errors import Conflict, NotFound, OverreadError, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow, Role
from overread.kit.settings import Settings
from pacs.pixels import pages
from pacs.pixels.pages import Kind, NotReadable

__all__ = [
    "MOST_AT_ONCE",
    "MOST_BYTES",
    "MOST_PAGES",
    "NotReadable",
    "add",
    "file",
    "listed",
    "page",
    "page_number",
    "show",
    "take_out",
]

#: Documents of one case; bytes and pages of one; bytes of those that one form brings.
MOST, MOST_BYTES, MOST_PAGES, MOST_AT_ONCE = 50, pages.MOST_BYTES, pages.MOST_PAGES, 64 << 20
_LONGEST_NAME = 120
_CLOSED = Phrase("This request takes no more documents.")
_NOBODY = Phrase("Please give the patient's name and birth date first: every document is kept under them.")
_ENDINGS = {Kind.PDF: ".pdf", Kind.JPEG: ".jpg", Kind.PNG: ".png", Kind.HEIC: ".heic", Kind.TIFF: ".tif"}


def add(
    archive: Archive, settings: Settings, who: Principal, case_id: UUID, content: bytes, kind: DocumentKind, name: str
) -> UUID:
    """Add a file to a case; the same file again is the document that is there already. The document's id.

    `name` is the file's, as people are to find it again. Raises NotFound, Forbidden, Conflict, Unprocessable
    (NotReadable with what is wrong with the file), TooLarge where the case holds no more, Unavailable.
    """
    digest = hashlib.sha256(content).hexdigest()
    with archive.db.transaction() as tx:
        case = _case(tx, who, case_id)
        known = _known(tx, case_id, digest)
        if known is not None:
            return known.id
        if (refused := _refused(tx, case)) is not None:
            raise refused
        number = max((one.number for one in documents_of(tx, case_id)), default=0) + 1
        subject = _subject(case)
    media_type = pages.kind_of(content)
    found = pages.pages(media_type, content)
    paper = Paper(subject, kind, number, digest, found, content if media_type is Kind.PDF else None)
    document_store.store(archive, settings, who, paper)
    with archive.db.transaction() as tx:
        case = _case(tx, who, case_id, lock=True)
        known = _known(tx, case_id, digest)
        if known is not None:
            # A double click: both have stored the same objects, and one of them is told of.
            return known.id
        refused = _refused(tx, case)
        if refused is None:
            made = Document(
                case_id=case.id,
                number=number,
                kind=kind,
                name=_cleaned(name) or f"{document_dicom.TITLES[kind]} {number}{_ENDINGS[media_type]}",
                media_type=media_type.value,
                pages=len(found),
                size=len(content),
                digest=digest,
                study_uid=paper.study_uid,
                patient_name=subject.patient_name,
                birth_date=subject.birth_date,
                sent_by=who.id,
            )
            tx.add(made)
            tx.flush()
            audit.record(tx, who, "document.add", "document", made.id, case_id=case_id, pages=len(found))
            return made.id
        # It became too late, or too many, while the pages were made.
        document_store.remove(tx, case, paper.study_uid, counted=who.role is Role.PATIENT)
    raise refused


def listed(tx: Session, who: Principal, case_id: UUID) -> list[DocumentView]:
    """The documents of a case, oldest first. Raises NotFound, Forbidden."""
    case, papers = _seen(tx, who, case_id)
    states = {study.study_uid: study.state for study in studies_of(tx, case_id)}
    return [_view(tx, who, case, one, states.get(one.study_uid, StudyState.RECEIVING)) for one in papers]


def show(tx: Session, who: Principal, case_id: UUID, document_id: UUID) -> DocumentView:
    """One of them. Raises NotFound, Forbidden."""
    found = next((one for one in listed(tx, who, case_id) if one.document_id == document_id), None)
    if found is None:
        raise NotFound(f"document {document_id} of case {case_id}")
    return found


def file(archive: Archive, who: Principal, case_id: UUID, document_id: UUID) -> DocumentFile:
    """A PDF as it came; of a photo or scan its first page, without what its file told beside it.

    Raises NotFound, Forbidden, Unavailable.
    """
    with archive.db.transaction() as tx:
        paper = _opened(tx, who, case_id, document_id)
        scope = imaging.sent_to(tx, case_id, paper.study_uid)
    if paper.media_type == Kind.PDF:
        uid = document_dicom.file_uid(case_id, paper.digest)
        return DocumentFile(paper.name, Kind.PDF.value, imaging.document(archive, scope, paper.study_uid, uid))
    uid = document_dicom.page_uid(case_id, paper.digest, 1)
    name = PurePath(paper.name).stem + _ENDINGS[Kind.JPEG]
    return DocumentFile(name, Kind.JPEG.value, imaging.frame(archive, scope, paper.study_uid, uid))


def page(archive: Archive, who: Principal, case_id: UUID, document_id: UUID, number: int) -> bytes:
    """A page, counted from 1, as JPEG. Raises NotFound, Forbidden, Unavailable."""
    with archive.db.transaction() as tx:
        paper = _opened(tx, who, case_id, document_id)
        if not 1 <= number <= paper.pages:
            raise NotFound(f"page {number} of document {document_id}")
        scope = imaging.sent_to(tx, case_id, paper.study_uid)
    uid = document_dicom.page_uid(case_id, paper.digest, number)
    return imaging.frame(archive, scope, paper.study_uid, uid)


def page_number(text: str) -> int:
    """The number of a page in an address; 0, which no page has, for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def take_out(tx: Session, who: Principal, case_id: UUID, document_id: UUID) -> None:
    """Remove a document from a draft, with everything that was made of it. Idempotent.

    Once the request is sent, a coordinator takes out its study instead. Raises NotFound, Forbidden, Conflict.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_DOCUMENTS, case_id)
    if case.state is not CaseState.DRAFT:
        raise Conflict(
            f"document out of a case that is {case.state}",
            safe=gettext("The request is sent: write us a message, and we take the document out."),
        )
    paper = next((one for one in documents_of(tx, case_id) if one.id == document_id), None)
    if paper is None:
        return
    study = next((one for one in studies_of(tx, case_id) if one.study_uid == paper.study_uid), None)
    if study is not None and study.state is StudyState.MATCHED:
        # Its copy is being made just now, and would stay behind.
        raise Conflict(
            "the document's copy is being made",
            safe=gettext("The document is still being prepared. Please try again in a minute."),
        )
    document_store.remove(
        tx, case, paper.study_uid, counted=tx.get_one(PrincipalRow, paper.sent_by).role == Role.PATIENT
    )
    tx.delete(paper)
    audit.record(tx, who, "document.take_out", "document", document_id, case_id=case_id)


def _case(tx: Session, who: Principal, case_id: UUID, *, lock: bool = False) -> Case:
    """A case to which somebody may add. Raises NotFound, Forbidden."""
    case, actor = load(tx, who, case_id, lock=lock)
    parts.require(actor, Permission.CASE_DOCUMENTS, case_id)
    require_confirmed(tx, who)
    return case


def _refused(tx: Session, case: Case) -> OverreadError | None:
    """Why a case takes no document just now."""
    if case.state not in UPLOADABLE:
        return Conflict(f"document for a case that is {case.state}", safe=_CLOSED)
    if not case.patient_name.strip() or case.birth_date is None:
        return Unprocessable("document for nobody", safe=_NOBODY)
    if document_count(tx, case.id) >= MOST:
        return Conflict(
            f"case {case.id} has {MOST} documents",
            safe=gettext(
                "A request holds %(most)s documents at most. Put several pages into one file, or take one out.",
                most=MOST,
            ),
        )
    return None


def _subject(case: Case) -> Subject:
    born = f"{case.birth_date:%Y%m%d}" if case.birth_date else ""
    return Subject(case.id, case.reference, document_dicom.person_name(case.patient_name), born, case.sex)


def _known(tx: Session, case_id: UUID, digest: str) -> Document | None:
    return next((one for one in documents_of(tx, case_id) if one.digest == digest), None)


def _seen(tx: Session, who: Principal, case_id: UUID) -> tuple[Case, list[Document]]:
    """A case and the documents in it that somebody may open: patients theirs, coordinators all."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_DOCUMENTS, case_id)
    found = list(documents_of(tx, case_id))
    if actor is Actor.HELPER:
        found = [one for one in found if one.sent_by == who.id]
    elif actor in PATIENT_SIDE:
        # What the program added may have been somebody else's, and was taken out then.
        side = delegations.side(tx, case.patient_id)
        theirs = {study.study_uid for study in studies_of(tx, case_id) if study.state in KNOWN_THEIRS}
        found = [one for one in found if one.sent_by in side or one.study_uid in theirs]
    return case, found


def _opened(tx: Session, who: Principal, case_id: UUID, document_id: UUID) -> Document:
    """A document that somebody opens, which the audit log tells. Raises NotFound, Forbidden."""
    found = next((one for one in _seen(tx, who, case_id)[1] if one.id == document_id), None)
    if found is None:
        raise NotFound(f"document {document_id} of case {case_id}")
    record_look(tx, who, "document.read", "document", str(found.id), case_id=case_id)
    return found


def _view(tx: Session, who: Principal, case: Case, paper: Document, state: StudyState) -> DocumentView:
    own = paper.sent_by == who.id
    patient = who.role is Role.PATIENT
    # The patient hears from the program, not from one of its people.
    sender = case.program.name if patient and not own else presentation.name_of(tx, paper.sent_by)
    return DocumentView(
        document_id=paper.id,
        number=paper.number,
        kind=paper.kind.value,
        label=DOCUMENT_LABELS[paper.kind],
        name=paper.name,
        media_type=paper.media_type,
        pages=paper.pages,
        size=paper.size,
        sent_at=paper.sent_at,
        sender=sender,
        own=own,
        study_uid=paper.study_uid,
        state=state.value,
        status=STUDY_LABELS[state],
        may_take_out=case.state is CaseState.DRAFT,
    )


def _cleaned(name: str) -> str:
    """A file's name as it can be shown: no folder, nothing that is not seen or turns the writing round."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in unicodedata.normalize("NFC", last))
    whole = PurePath(" ".join(seen.split()) or ".")
    return whole.stem[: _LONGEST_NAME - len(whole.suffix[:10])] + whole.suffix[:10]
