"""The proofs of views checked again: that what is kept is what was proved, and that nothing of the patient is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from overread.kit.errors import OverreadError
from pacs.deid.identifiers import Identities
from pacs.deid.profile import Profile
from pacs.deid.proof import Part, Proof, joint_root, result_digest, root_of
from pacs.deid.residual_identifiers import ResidualIdentifiers
from pacs.dicom import part10
from pacs.index.models import Instance, Review, Study, View
from pacs.serve.retrieve import parts_of
from pacs.store.archive import Archive

#: Instances, with their headers, that are held at once.
_ROWS = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of one view came to; `problems` name instances by their UIDs in the view."""

    view_id: UUID
    root: str
    instances: int
    problems: tuple[str, ...]


def check(archive: Archive) -> Iterator[Checked]:
    """Check every view, one after the other: digests, the residual scan where the original is still here, the root.

    The bytes of blobs are not read again: their names are their digests, which `overread verify` compares.
    """
    with archive.db.transaction() as tx:
        view_ids = list(tx.scalars(select(View.id).order_by(View.created_at)))
    for view_id in view_ids:
        yield _check_view(archive, view_id)


def _check_view(archive: Archive, view_id: UUID) -> Checked:
    problems: list[str] = []
    with archive.db.transaction() as tx:
        view = tx.get(View, view_id)
        profile = Profile.of(view.profile if view else {})
        kept = tx.execute(select(Study.pk, Study.proof_root).where(Study.view_id == view_id).order_by(Study.pk)).all()
    roots: list[str] = []
    count = 0
    for study_pk, root in kept:
        leaves: list[bytes] = []
        for instance, source_blob in _instances(archive, study_pk):
            count += 1
            try:
                proof = Proof.of(instance.proof)
            except ValueError:
                problems.append(f"{instance.sop_uid} has no proof")
                continue
            leaves.append(proof.digest())
            found = _problems(archive, instance, proof, source_blob, profile)
            problems += [f"{instance.sop_uid} {what}" for what in found]
        roots.append(root_of(leaves))
        if root is not None and root != roots[-1]:
            problems.append("the proofs are not those that the root was made of")
    return Checked(view_id, joint_root(roots), count, tuple(problems))


def _instances(archive: Archive, study_pk: int) -> Iterator[tuple[Instance, str | None]]:
    """The instances of a view's study with the blobs of their originals: no more at once than are read together."""
    source = aliased(Instance)
    last = 0
    while True:
        with archive.db.transaction() as tx:
            rows = tx.execute(
                select(Instance, source.blob)
                .outerjoin(source, source.pk == Instance.source_pk)
                .where(Instance.study_pk == study_pk, Instance.pk > last)
                .order_by(Instance.pk)
                .limit(_ROWS)
            ).all()
        for instance, blob in rows:
            last = instance.pk
            yield instance, blob
        if len(rows) < _ROWS:
            return


def _problems(
    archive: Archive, instance: Instance, proof: Proof, source_blob: str | None, profile: Profile
) -> Iterator[str]:
    parts = parts_of(instance)
    pinned: list[Part] = [part if isinstance(part, bytes) else (part.digest, part.start, part.length) for part in parts]
    if result_digest(pinned) != proof.result_digest:
        yield "is not what was proved"
    if source_blob is None or instance.review == Review.UNUSABLE:
        return  # the original is gone, or nothing of it is shown
    if source_blob != proof.source_digest:
        yield "was proved of another original"
        return
    try:
        with archive.blobs.mapped(source_blob) as buffer:
            parsed = part10.parse(buffer)
            known = Identities().of(parsed, institution=not profile.institution_identity)
            del parsed
        residual_identifiers = ResidualIdentifiers(known)
        for part in parts:
            if isinstance(part, bytes) and residual_identifiers.reasons(part):
                yield "holds a string of its original"
    except OverreadError:
        yield "has an original that can't be read"
