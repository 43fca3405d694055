"""Objects made of a view brought back to the patient: a coordinator's act, for which the secret is opened."""

from __future__ import annotations

from io import BytesIO
from uuid import UUID

import pydicom
from sqlalchemy import select
from sqlalchemy.orm import aliased

from overread.kit import audit
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.principals import Principal, Role
from pacs import part10
from pacs.archive import Archive
from pacs.deid.profile import Profile
from pacs.deid.reidentify import WayBack
from pacs.elements import find, text
from pacs.frames import pixel_element
from pacs.models import Instance, Study, View
from pacs.views import secret_of


def reidentified(archive: Archive, who: Principal, view_id: UUID, derived: bytes) -> bytes:
    """Give an object that was made of a view's study, as Part 10 bytes, under the identity of the original's patient.

    It is ready for `pacs.ingest`, which stores it beside the originals. Raises Forbidden; NotFound where the secret
    was destroyed or the originals are gone; Unprocessable where the object belongs to no study of the view.
    """
    who.require(Role.COORDINATOR)
    parsed = part10.parse(derived)
    if parsed.meta.transfer_syntax == part10.EXPLICIT_BIG_ENDIAN:
        raise Unprocessable("a big endian object", safe="Send the object in a little endian transfer syntax.")
    study_uid = text(parsed.buf, find(parsed.elements, 0x0020000D))
    source = aliased(Instance)
    with archive.db.transaction() as tx:
        view = tx.get(View, view_id)
        secret = secret_of(archive, view)
        profile = Profile.of(view.profile if view else {})
        blobs = tx.scalars(
            select(source.blob)
            .join(Instance, Instance.source_pk == source.pk)
            .join(Study, Study.pk == Instance.study_pk)
            .where(Instance.view_id == view_id, Study.study_uid == study_uid)
            .order_by(source.pk)
        ).all()
        if not blobs and tx.scalar(select(Study.pk).where(Study.view_id == view_id, Study.study_uid == study_uid)):
            raise NotFound("the originals are gone", safe="The originals of this study were deleted.")
        if not blobs:
            raise Unprocessable(
                f"an object of study {study_uid!r}",
                safe="This object belongs to no study of the case: its Study Instance UID is another one.",
            )
        audit.record(tx, who, "view.reidentify", "study", study_uid, case_id=view.case_id if view else None)
    back = WayBack(secret, moved_dates=profile.modified_dates)
    first: pydicom.Dataset | None = None
    for digest in blobs:
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
