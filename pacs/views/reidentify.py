"""Objects made of a view brought back to the patient: a coordinator's or the system's act, which opens the secret."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from uuid import UUID

import pydicom
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from overread.kit import audit, permissions
from overread.kit.blobs import Blob
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.deid.profile import Profile
from pacs.deid.reidentify import Reidentification
from pacs.dicom import part10, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.elements import find, text
from pacs.dicom.frames import pixel_element
from pacs.index.models import Instance, Study, View
from pacs.index.scope import ORIGINAL
from pacs.serve import retrieve
from pacs.store import ingest, rows
from pacs.store.archive import Archive
from pacs.store.ingest import Prepared, Refused, Source
from pacs.store.same_object import same_object
from pacs.views import sealing
from pacs.views.views import secret_of


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """What was stored: the original study's UID, the patient's own study of it, and the instance (their rows' keys)."""

    study_uid: str
    study_pk: int
    instance_pk: int


def bring_back(archive: Archive, patient: Principal, view_id: UUID, sop_uid: str) -> BroughtBack | None:
    """Store an object kept with a view (`pacs.views.evidence`) beside the originals, held by its patient; idempotent.

    From then on the original is what the view's object belongs to: it is deleted with it, and no further copy of it is
    made for this view. Its study does not grow by it: there is nothing new to be matched. None where the object is
    gone. Raises what `reidentified`, `ingest.receive` and `same_object` raise, and Conflict where another object of the
    patient's has its SOP Instance UID.
    """
    with archive.db.transaction() as tx:
        kept = _kept(tx, view_id, sop_uid)
        if kept is None:
            return _before(tx, patient, view_id, sop_uid)
        case_id = tx.get_one(View, view_id).case_id
        parts = retrieve.parts_of(kept)
    back = reidentified(archive, None, view_id, b"".join(retrieve.stream(archive.blobs, parts)))
    source = Source(patient, "derived", case_id=case_id)
    with ingest.receive(archive, source) as incoming:
        incoming.write(back)
        prepared = incoming.finish()
    if isinstance(prepared, Refused):
        raise Unprocessable(f"a derived object can't be kept: {prepared.sentence}", safe=prepared.sentence)
    prepared, known = _as_known(archive, patient, prepared)
    with archive.db.transaction() as tx:
        kept = _kept(tx, view_id, sop_uid)
        if kept is None:
            return _before(tx, patient, view_id, sop_uid)
        row = ingest.row(source, prepared)
        written = rows.write(tx, ORIGINAL, patient.id, [row], watch=False)
        found = tx.execute(
            select(Instance.pk, Instance.study_pk, Instance.blob).where(
                Instance.sender_id == patient.id, Instance.sop_uid == sop_uid
            )
        ).one_or_none()
        if written.strangers or found is None or found.blob != row.blob or (known and written.inserted):
            raise Conflict(f"derived object {sop_uid} has another one's UID or patient among the originals")
        kept.source_pk = found.pk
        # What it is proved of is the original now, from which nothing but the patient differs.
        kept.proof = {**kept.proof, "source_digest": row.blob}
        tx.flush()
        sealing.opened(tx, view_id, Study.pk == kept.study_pk)
        sealing.seal(tx, view_id)
        audit.record(tx, None, "derived.bring_back", "instance", sop_uid, case_id=case_id, study=row.keys.study_uid)
    return BroughtBack(row.keys.study_uid, found.study_pk, found.pk)


def _before(tx: Session, patient: Principal, view_id: UUID, sop_uid: str) -> BroughtBack | None:
    """What was stored of an object that was brought back before."""
    copy = aliased(Instance)
    found = tx.execute(
        select(Study.study_uid, Instance.study_pk, Instance.pk)
        .join(Study, Study.pk == Instance.study_pk)
        .join(copy, copy.source_pk == Instance.pk)
        .where(copy.view_id == view_id, copy.sop_uid == sop_uid, Instance.sender_id == patient.id)
    ).one_or_none()
    return BroughtBack(*found) if found is not None else None


def _as_known(archive: Archive, patient: Principal, one: Prepared) -> tuple[Prepared, bool]:
    """An object by the bytes that are kept of it among the patient's already, and whether there are such."""
    with archive.db.transaction() as tx:
        digest = tx.scalar(
            select(Instance.blob).where(Instance.sender_id == patient.id, Instance.sop_uid == one.keys.sop_uid)
        )
    if digest is None or not same_object(archive.blobs, digest, one.blob.digest):
        return one, False
    return replace(one, blob=Blob(digest, one.blob.size)), True


def _kept(tx: Session, view_id: UUID, sop_uid: str) -> Instance | None:
    """A view's object that has no original yet, locked."""
    return tx.scalars(
        select(Instance)
        .where(Instance.view_id == view_id, Instance.sop_uid == sop_uid, Instance.source_pk.is_(None))
        .with_for_update()
    ).one_or_none()


def reidentified(archive: Archive, who: Principal | None, view_id: UUID, derived: bytes) -> bytes:
    """Give an object that was made of a view's study, as Part 10 bytes, under the identity of the original's patient.

    It is ready for `pacs.store.ingest`, which stores it beside the originals. `who` is None for the system itself.
    Raises Forbidden; NotFound where the secret was destroyed or the originals are gone; Unprocessable where the object
    belongs to no study of the view.
    """
    if who is not None:
        permissions.require(who, Permission.IMAGES_REIDENTIFY)
    parsed = part10.parse(derived)
    if parsed.meta.transfer_syntax == ts.EXPLICIT_BIG_ENDIAN:
        raise Unprocessable("a big endian object", safe=gettext("Send the object in a little endian transfer syntax."))
    study_uid = text(parsed.buf, find(parsed.elements, tags.StudyInstanceUID))
    source = aliased(Instance)
    with archive.db.transaction() as tx:
        view = tx.get(View, view_id)
        secret = secret_of(archive, view)
        profile = Profile.of(view.profile if view else {})
        # Of the whole case: an object may speak of a study beside the one that it belongs to.
        found = tx.execute(
            select(source.blob, Study.study_uid == study_uid)
            .join(Instance, Instance.source_pk == source.pk)
            .join(Study, Study.pk == Instance.study_pk)
            .where(Instance.view_id == view_id)
            .order_by(source.pk)
        ).all()
        blobs = [digest for digest, own in found if own]
        if not blobs and tx.scalar(select(Study.pk).where(Study.view_id == view_id, Study.study_uid == study_uid)):
            raise NotFound("the originals are gone", safe=gettext("The originals of this study were deleted."))
        if not blobs:
            raise Unprocessable(
                f"an object of study {study_uid!r}",
                safe=gettext("This object belongs to no study of the case: its Study Instance UID is another one."),
            )
        audit.record(tx, who, "view.reidentify", "study", study_uid, case_id=view.case_id if view else None)
    back = Reidentification(secret, moved_dates=profile.modified_dates)
    first: pydicom.Dataset | None = None
    for digest in blobs + [digest for digest, own in found if not own]:
        with archive.blobs.mapped(digest) as buffer:
            original = part10.parse(buffer)
            back.learn(original)
            if first is None:
                pixels = pixel_element(original)
                end = pixels.offset if pixels and original.is_original_bytes else len(buffer)
                first = pydicom.dcmread(BytesIO(bytes(buffer[:end])), force=True)
            del original
    assert first is not None
    return back.apply(derived, first)
