"""Objects that a specialist made of a view's images: kept with the view, as they came, and told of.

A presentation state, a segmentation or a report names the view's pseudonyms and the view's images, and nothing else:
what belongs to no image that its sender sees is refused. `pacs.views.reidentify` gives it to the patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from pydicom import uid as uids
from sqlalchemy import select
from sqlalchemy.orm import Session

from overread.kit import audit, jobs
from overread.kit.errors import Unavailable
from pacs.deid.profile import TABLE_EDITION, Profile
from pacs.deid.proof import Proof, result_digest
from pacs.dicom import json_values, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.sop_classes import EVIDENCE
from pacs.dicom.status import FailureReason
from pacs.index import visibility
from pacs.index.events import EvidenceStored
from pacs.index.models import Instance, Review, Study, View
from pacs.index.scope import Scope
from pacs.store import rows
from pacs.store.archive import Archive
from pacs.store.ingest import AlreadyStored, Outcome, Prepared, Refused, Source, Stored
from pacs.store.same_object import same_object
from pacs.views import sealing

_REFERENCED_SOP = tags.ReferencedSOPInstanceUID.key
#: Sequences whose references are to no image: study, performed procedure step, patient.
_NO_IMAGES = frozenset(
    (
        tags.ReferencedStudySequence.key,
        tags.ReferencedPerformedProcedureStepSequence.key,
        tags.ReferencedPatientSequence.key,
    )
)


def store(archive: Archive, source: Source, batch: Sequence[Prepared]) -> list[Outcome]:
    """Keep derived objects, whose bytes are durable, with the view that `source.view` shows; in the batch's order.

    Each is a transaction of its own. Raises Unavailable.
    """
    together = frozenset(one.keys.sop_uid for one in batch)
    return [_store(archive, source, one, together) for one in batch]


def _store(archive: Archive, source: Source, one: Prepared, together: frozenset[str]) -> Outcome:
    scope, keys = source.view, one.keys
    assert scope is not None
    with archive.db.transaction() as tx:
        sentence = _unfit(tx, scope, one, together)
        if sentence:
            return _refused(tx, source, one, FailureReason.NOT_AUTHORISED, sentence)
        row = _row(tx, scope, one)
        source_uid = tx.scalar(
            select(Study.source_uid).where(Study.view_id == scope.view_id, Study.study_uid == keys.study_uid)
        )
        written = rows.write(tx, scope.view_id, scope.view_id, [row], source_uid=source_uid, watch=False)
        if written.strangers:
            sentence = (
                "The object has another Patient ID or birth date than the images it belongs to. "
                "Leave them as the images have them."
            )
            return _refused(tx, source, one, FailureReason.MISMATCH, sentence)
        if written.inserted:
            audit.record(
                tx, source.who, "derived.store", "instance", keys.sop_uid, case_id=source.case_id, via=source.via
            )
            jobs.emit(tx, EvidenceStored(str(scope.view_id), keys.sop_uid))
            return Stored(keys)
        kept = written.existing[0]
        if kept == one.blob.digest:
            return AlreadyStored(keys)
        # What has a header of its own is a copy of an original, and its blob is the original's.
        whole = tx.scalar(
            select(Instance.header_deflated.is_(None)).where(
                Instance.view_id == scope.view_id, Instance.sop_uid == keys.sop_uid
            )
        )
    try:
        if whole and same_object(archive.blobs, kept, one.blob.digest):
            return AlreadyStored(keys)
    except Unavailable as error:
        return Refused(FailureReason.OUT_OF_RESOURCES, error.safe, keys.sop_class, keys.sop_uid)
    with archive.db.transaction() as tx:
        sentence = "Another object with this SOP Instance UID is here already. A changed object needs a new one."
        return _refused(tx, source, one, FailureReason.DUPLICATE, sentence)


def _unfit(tx: Session, scope: Scope, one: Prepared, together: frozenset[str]) -> str:
    """Why an object can't be taken, as a sentence; "" for one that can."""
    keys = one.keys
    if keys.sop_class not in EVIDENCE:
        return (
            "Only objects made of this case's images are taken here: presentation states, segmentations, structured "
            "reports, key objects and PDF documents."
        )
    if one.transfer_syntax == ts.EXPLICIT_BIG_ENDIAN:
        return "Send the object in a little endian transfer syntax."
    shown = (visibility.studies(scope), visibility.instances(scope))
    seen = select(Instance.sop_uid).join(Study, Study.pk == Instance.study_pk).where(*shown)
    if tx.scalar(seen.where(Study.study_uid == keys.study_uid).limit(1)) is None:
        return "The object belongs to no study of this case: its Study Instance UID is another one."
    named = frozenset(_references(orjson.loads(json_values.inflate(one.metadata)))) - {keys.sop_uid}
    if not named and keys.sop_class != uids.EncapsulatedPDFStorage:
        return "The object names no image that it was made of."
    known = frozenset(tx.scalars(seen.where(Instance.sop_uid.in_(named)))) if named else frozenset()
    if named - known - together:
        return "The object names images that are not of this case."
    return ""


def _references(ds: dict[str, Any]) -> Iterator[str]:
    """Every Referenced SOP Instance UID of a DICOM JSON data set that is an image's or another object's."""
    for tag, element in ds.items():
        values = element.get("Value", ())
        if tag == _REFERENCED_SOP:
            yield from (value for value in values if isinstance(value, str))
        elif element.get("vr") == "SQ" and tag not in _NO_IMAGES:
            for item in values:
                yield from _references(item)


def _row(tx: Session, scope: Scope, one: Prepared) -> rows.Row:
    """Its bytes as they came. Its proof says so: nothing was changed, and there is no original yet."""
    view = tx.get_one(View, scope.view_id)
    blob = one.blob
    proof = Proof(
        source_digest=blob.digest,
        result_digest=result_digest([(blob.digest, 0, blob.size)]),
        table_edition=TABLE_EDITION,
        profile=Profile.of(view.profile).identifier(),
        actions={},
        pixels=((0, blob.size),),
        patched=0,
        masks=(),
        cleared_bits=0,
        document="",
        withheld=(),
        refused=(),
    )
    sealing.opened(tx, scope.view_id, Study.study_uid == one.keys.study_uid)
    return rows.Row(
        one.keys,
        blob.digest,
        blob.size,
        one.transfer_syntax,
        one.metadata,
        (0, blob.size),
        review=Review.CLEAN,
        proof=proof.stored(),
    )


def _refused(tx: Session, source: Source, one: Prepared, reason: FailureReason, sentence: str) -> Refused:
    keys = one.keys
    audit.record(
        tx,
        source.who,
        "derived.store",
        "instance",
        keys.sop_uid,
        outcome=audit.REFUSED,
        case_id=source.case_id,
        via=source.via,
    )
    return Refused(reason, sentence, keys.sop_class, keys.sop_uid)
