"""The proofs of views checked again: that what is kept is what was proved, and that nothing of the patient is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from overread.kit.errors import OverreadError
from pacs import part10
from pacs.archive import Archive
from pacs.deid.known import Identities
from pacs.deid.profile import Profile
from pacs.deid.proof import Part, Proof, Residue, merkle_root, result_digest
from pacs.models import Instance, View
from pacs.retrieve import parts_of


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
    source = aliased(Instance)
    problems: list[str] = []
    with archive.db.transaction() as tx:
        view = tx.get(View, view_id)
        profile = Profile.of(view.profile if view else {})
        kept = view.proof_root if view else None
        found = tx.execute(
            select(Instance, source.blob)
            .outerjoin(source, source.pk == Instance.source_pk)
            .where(Instance.view_id == view_id)
            .order_by(Instance.pk)
        ).all()
    proofs: list[Proof] = []
    for instance, source_blob in found:
        try:
            proof = Proof.of(instance.proof)
        except ValueError:
            problems.append(f"{instance.sop_uid} has no proof")
            continue
        proofs.append(proof)
        problems += [f"{instance.sop_uid} {what}" for what in _problems(archive, instance, proof, source_blob, profile)]
    root = merkle_root(proofs)
    if kept is not None and kept != root:
        problems.append("the proofs are not those that the root was made of")
    return Checked(view_id, root, len(found), tuple(problems))


def _problems(
    archive: Archive, instance: Instance, proof: Proof, source_blob: str | None, profile: Profile
) -> Iterator[str]:
    parts = parts_of(instance)
    pinned: list[Part] = [part if isinstance(part, bytes) else (part.digest, part.start, part.length) for part in parts]
    if result_digest(pinned) != proof.result_digest:
        yield "is not what was proved"
    if source_blob is None or instance.review == "unusable":
        return  # the original is gone, or nothing of it is shown
    if source_blob != proof.source_digest:
        yield "was proved of another original"
        return
    try:
        with archive.blobs.mapped(source_blob) as buffer:
            parsed = part10.parse(buffer)
            known = Identities().of(parsed, institution=not profile.institution_identity)
            del parsed
        residue = Residue(known)
        for part in parts:
            if isinstance(part, bytes) and residue.reasons(part):
                yield "holds a string of its original"
    except OverreadError:
        yield "has an original that can't be read"
