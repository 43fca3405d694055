"""The Merkle roots of views: each study's over the proofs of its instances, a view's over those of its studies.

A study's root is kept, and made anew only where one of its proofs has changed: whoever changes one says so (`opened`)
in the same transaction. So a release, or a mask, costs what its own study has, however many a case has.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from pacs.deid.proof import Proof, joint_root, merkle_root
from pacs.index.models import Instance, Study

#: Proofs that are read at once.
_ROWS = 500


def opened(tx: Session, view_id: UUID, *which: ColumnElement[bool]) -> None:
    """Proofs of these studies of a view have changed. Nobody seals these before the commit."""
    tx.execute(update(Study).where(Study.view_id == view_id, *which).values(proof_root=None))


def seal(tx: Session, view_id: UUID) -> str:
    """Keep the root of every study of a view that was opened, and give the view's."""
    tx.flush()
    # Held: whoever changes one of its proofs holds the study, so that it is seen here, or opens it again afterwards.
    missing = select(Study.pk).where(Study.view_id == view_id, Study.proof_root.is_(None)).order_by(Study.pk)
    for study_pk in tx.scalars(missing.with_for_update()).all():
        proofs = tx.scalars(
            select(Instance.proof).where(Instance.study_pk == study_pk).execution_options(yield_per=_ROWS)
        )
        root = merkle_root(Proof.of(one) for one in proofs)
        tx.execute(update(Study).where(Study.pk == study_pk).values(proof_root=root))
    return joint_root(root for root in tx.scalars(select(Study.proof_root).where(Study.view_id == view_id)) if root)
