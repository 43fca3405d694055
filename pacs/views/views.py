"""De-identified views: made from the originals, reviewed by a coordinator, released or revoked (PS3.15 E).

How an instance of a view is made stands in `pacs.views.view_rows`, what a person decides of its pixels in
`pacs.views.pixel_review`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid5

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from overread.kit import audit, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.deid.identifiers import Identifiers
from pacs.deid.profile import SECOND_OPINION, Profile
from pacs.dicom.sop_classes import DOCUMENTS
from pacs.index import changes, visibility
from pacs.index.models import Change, Instance, Review, Series, Study, View
from pacs.index.scope import Scope
from pacs.store import rows
from pacs.store.archive import Archive
from pacs.views import sealing
from pacs.views.view_rows import Maker

__all__ = [
    "DeidentifiedStudy",
    "InstanceReview",
    "StudyReview",
    "deidentify",
    "destroy_secret",
    "drop",
    "erase",
    "maker_of",
    "open_view",
    "recount",
    "release",
    "review",
    "revoke",
    "secret_of",
    "set_review",
]

_CHUNK = 50
_LATE = "It arrived after the study was released."


@dataclass(frozen=True, slots=True)
class DeidentifiedStudy:
    """What a derivation came to: the study's UID in the view, and how many instances stand how."""

    study_uid: str
    instances: int
    pending: int
    withheld_reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class InstanceReview:
    """An instance of a view that somebody has to look at, or did; `digest` names its bytes.

    `left_out`: its original holds a document that the copy lacks, so that there is nothing to approve yet.
    """

    view_sop_uid: str
    view_series_uid: str
    state: str
    reasons: list[str]
    frames: int
    digest: str
    left_out: bool


@dataclass(slots=True)
class StudyReview:
    """How far a study of a view is: counts by state, the reasons, and the instances that are not simply clean."""

    study_uid: str
    view_study_uid: str
    released: bool
    counts: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    items: list[InstanceReview] = field(default_factory=list)

    @property
    def instances(self) -> int:
        """How many there are."""
        return self.counts.total()

    @property
    def clean(self) -> int:
        """How many the rules find clean."""
        return self.counts[Review.CLEAN]

    @property
    def pending(self) -> int:
        """How many wait for review."""
        return self.counts[Review.PENDING_REVIEW]

    @property
    def approved(self) -> int:
        """How many somebody approved."""
        return self.counts[Review.APPROVED]

    @property
    def withheld(self) -> int:
        """How many nobody sees: withheld, or no copy could be made."""
        return self.counts[Review.WITHHELD]


def open_view(tx: Session, archive: Archive, case_id: UUID, profile: Profile = SECOND_OPINION) -> UUID:
    """The case's view, made with a secret of its own where there is none; `profile` counts only then."""
    secret = archive.sealer.seal(os.urandom(32), case_id)
    tx.execute(
        insert(View)
        .values(case_id=case_id, sealed_secret=secret, profile=profile.stored())
        .on_conflict_do_nothing(index_elements=[View.case_id])
    )
    return tx.scalars(select(View.id).where(View.case_id == case_id)).one()


def deidentify(
    archive: Archive, view_id: UUID, source: Scope, study_uid: str, known: Identifiers | None = None
) -> DeidentifiedStudy:
    """Make the view's instances of an original study that it lacks; idempotent, in transactions of its own.

    `source`: which originals of the study are the case's. `known`: strings of the case that the files may not name.
    Raises NotFound, Unavailable.
    """
    with archive.db.transaction() as tx:
        maker = maker_of(tx, archive, view_id, known)
        missing = _missing(tx, view_id, source, study_uid)
    for start in range(0, len(missing), _CHUNK):
        made = [maker.row(source) for source in missing[start : start + _CHUNK]]
        with archive.db.transaction() as tx:
            # Erased in the meantime, the view gets nothing more: whoever erases it waits for this, or this for them.
            secret_of(archive, tx.get(View, view_id, with_for_update=True))
            _insert(tx, view_id, study_uid, made)
    with archive.db.transaction() as tx:
        sealing.seal(tx, view_id)
        found = review(tx, view_id, study_uid)
    if not found:
        raise NotFound(f"study {study_uid} has no instances to derive from")
    one = found[0]
    counts: dict[str, int] = {}
    for item in one.items:
        for reason in item.reasons:
            counts[reason] = counts.get(reason, 0) + 1
    return DeidentifiedStudy(one.view_study_uid, one.instances, one.pending, counts)


def maker_of(tx: Session, archive: Archive, view_id: UUID, known: Identifiers | None) -> Maker:
    """What makes the view's instances. Raises NotFound where its secret was destroyed."""
    view = tx.get(View, view_id)
    return Maker(archive, secret_of(archive, view), Profile.of(view.profile if view else {}), known)


def secret_of(archive: Archive, view: View | None) -> bytes:
    """A view's secret, opened. Raises NotFound where there is no such view, or its secret was destroyed."""
    if view is None or view.sealed_secret is None:
        raise NotFound(
            "the view is gone, or its secret was destroyed",
            safe=gettext(
                "The secret of these de-identified images was destroyed: they can't be changed or traced back."
            ),
        )
    return archive.sealer.open(view.sealed_secret, view.case_id)


def destroy_secret(tx: Session, who: Principal | None, view_id: UUID) -> None:
    """Destroy a view's secret, as erasure asks: its pseudonyms are final, nothing more is made or traced back.

    `who` is None for the system itself. Raises Forbidden, NotFound.
    """
    if who is not None:
        permissions.require(who, Permission.ERASURE_CARRY_OUT)
    view = tx.get(View, view_id, with_for_update=True)
    if view is None:
        raise NotFound(f"view {view_id}")
    if view.sealed_secret is not None:
        view.sealed_secret = None
        audit.record(tx, who, "view.secret_destroyed", "view", view_id, case_id=view.case_id)


def erase(tx: Session, view_id: UUID) -> set[str]:
    """Remove every row of a view and what is kept of it, its own but for its name. Gives the UIDs that are gone."""
    gone = set(tx.scalars(select(Study.study_uid).where(Study.view_id == view_id)))
    gone |= set(tx.scalars(select(Instance.sop_uid).where(Instance.view_id == view_id)))
    tx.execute(delete(Change).where(Change.view_id == view_id))
    tx.execute(delete(Study).where(Study.view_id == view_id))
    tx.execute(update(View).where(View.id == view_id).values(sealed_secret=None, profile={}))
    return gone


def drop(tx: Session, view_id: UUID, study_uid: str) -> None:
    """Remove the copy of a study (by its original UID) from a view, as if it had never been made."""
    gone = tx.execute(
        delete(Study).where(Study.view_id == view_id, Study.source_uid == study_uid).returning(Study.pk)
    ).all()
    if gone:
        audit.record(tx, None, "view.drop", "study", study_uid)


def _missing(tx: Session, view_id: UUID, source: Scope, study_uid: str) -> list[Instance]:
    derived = aliased(Instance)
    # Of a joined study, an instance is known by its sender's row.
    original = func.coalesce(Instance.source_pk, Instance.pk)
    return list(
        tx.scalars(
            select(Instance)
            .join(Study, Study.pk == Instance.study_pk)
            .outerjoin(derived, (derived.source_pk == original) & (derived.view_id == view_id))
            .where(
                visibility.studies(source),
                visibility.instances(source),
                Study.study_uid == study_uid,
                derived.pk.is_(None),
            )
            .order_by(Instance.pk)
        )
    )


def _insert(tx: Session, view_id: UUID, source_uid: str, made: list[rows.Row]) -> None:
    # Those with a header first: the study's row takes its attributes from the first.
    made = sorted(made, key=lambda one: one.review == Review.UNUSABLE)
    study_uid = next((one.keys.study_uid for one in made if one.keys.study_uid), None)
    known = tx.execute(
        select(Study.study_uid, Study.released).where(Study.view_id == view_id, Study.source_uid == source_uid)
    ).one_or_none()
    late = known is not None and known.released
    study_uid = known.study_uid if known else study_uid
    if study_uid is None:
        # Nothing of the study could be de-identified; it still has a place, so that the coordinator is told why.
        study_uid = f"2.25.{uuid5(view_id, source_uid).int}"
    for one in made:
        one.keys = replace(one.keys, study={**one.keys.study, "study_uid": study_uid})
        if late and one.review == Review.CLEAN:
            one.review, one.reasons = Review.PENDING_REVIEW, [_LATE]
    rows.write(tx, view_id, view_id, made, source_uid=source_uid, released=False, watch=False)
    sealing.opened(tx, view_id, Study.source_uid == source_uid)


def review(tx: Session, view_id: UUID, source_study_uid: str | None = None) -> list[StudyReview]:
    """How far the studies of a view are, or one of them by its original UID."""
    statement = (
        select(
            Study.source_uid,
            Study.study_uid,
            Study.released,
            Series.series_uid,
            Instance.sop_uid,
            Instance.review,
            Instance.reasons,
            Instance.frames,
            Instance.proof["result_digest"].label("digest"),
            _left_out.label("left_out"),
        )
        .join(Instance, Instance.study_pk == Study.pk)
        .join(Series, Series.pk == Instance.series_pk)
        .where(Study.view_id == view_id)
        .order_by(Study.pk, Series.number.nulls_last(), Series.pk, Instance.number.nulls_last(), Instance.pk)
    )
    if source_study_uid is not None:
        statement = statement.where(Study.source_uid == source_study_uid)
    found: dict[str, StudyReview] = {}
    for row in tx.execute(statement):
        one = found.setdefault(row.study_uid, StudyReview(row.source_uid or "", row.study_uid, row.released))
        state = Review.WITHHELD if row.review == Review.UNUSABLE else row.review
        one.counts[state] += 1
        if row.review != Review.CLEAN:
            item = InstanceReview(
                row.sop_uid, row.series_uid, state, list(row.reasons), row.frames, row.digest, row.left_out
            )
            one.items.append(item)
            one.reasons = list(dict.fromkeys([*one.reasons, *row.reasons]))
    return list(found.values())


def set_review(
    tx: Session,
    who: Principal,
    view_id: UUID,
    sop_uids: list[str],
    decision: str,
    digests: Mapping[str, str] | None = None,
) -> None:
    """Approve instances (UIDs of the view) that wait for review, or withhold instances.

    `digests` names the bytes that were looked at; an approval of any others is refused. Raises Unprocessable, NotFound,
    Conflict.
    """
    permissions.require(who, Permission.IMAGES_REVIEW)
    if decision not in (Review.APPROVED, Review.WITHHELD):
        raise Unprocessable(f"decision {decision!r}", safe=gettext("An instance is either approved or withheld."))
    if decision == Review.APPROVED:
        _not_left_out(tx, view_id, sop_uids)
        if digests is not None:
            _looked_at(tx, view_id, sop_uids, digests)
    # Withholding is always safe, also of what the rules find clean.
    before = (
        (Review.PENDING_REVIEW, Review.APPROVED, Review.WITHHELD)
        if decision == Review.APPROVED
        else (Review.PENDING_REVIEW, Review.APPROVED, Review.WITHHELD, Review.CLEAN)
    )
    changed = tx.scalars(
        update(Instance)
        .where(
            Instance.view_id == view_id,
            Instance.sop_uid.in_(sop_uids),
            Instance.review.in_(before),
        )
        .values(review=decision)
        .returning(Instance.study_pk)
    ).all()
    if not changed:
        raise NotFound("no pending instance of these UIDs", safe=gettext("None of these images waits for a decision."))
    for study_pk in set(changed):
        recount(tx, study_pk)
    for uid in sop_uids:
        audit.record(tx, who, f"pixels.{decision}", "instance", uid)


#: A copy without the document that its original holds, which nobody has released or redacted yet.
_left_out = Instance.sop_class.startswith(DOCUMENTS, autoescape=True) & (
    func.coalesce(Instance.proof["document"].as_string(), "") == ""
)


def withhold_left_out(tx: Session, view_id: UUID, study_uid: str) -> None:
    """Withhold what waits for a decision and lacks its document, of a study (by its original UID); for the system."""
    study = _study(tx, view_id, study_uid)
    waits = (Instance.study_pk == study.pk, Instance.review == Review.PENDING_REVIEW, _left_out)
    tx.execute(update(Instance).where(*waits).values(review=Review.WITHHELD))
    recount(tx, study.pk)


def _not_left_out(tx: Session, view_id: UUID, sop_uids: list[str]) -> None:
    """Raises Conflict where a copy lacks its document: its approval would give the specialist an empty one."""
    empty = tx.scalar(
        select(func.count()).where(Instance.view_id == view_id, Instance.sop_uid.in_(sop_uids), _left_out)
    )
    if empty:
        what = "a document" if empty == 1 else f"{empty} documents"
        raise Conflict(
            f"{what} left out",
            safe=gettext(
                "The copy lacks %(what)s: open it, then release it or put a redacted one in its place. Or withhold it.",
                what=what,
            ),
        )


def _looked_at(tx: Session, view_id: UUID, sop_uids: list[str], digests: Mapping[str, str]) -> None:
    """Hold instances as they are until the commit. Raises Conflict where one has other bytes than was looked at."""
    now = tx.execute(
        select(Instance.sop_uid, Instance.proof["result_digest"].label("digest"))
        .where(Instance.view_id == view_id, Instance.sop_uid.in_(sop_uids))
        .order_by(Instance.pk)
        .with_for_update()
    )
    changed = sum(digests.get(row.sop_uid) != row.digest for row in now)
    if changed:
        what = "this picture" if len(sop_uids) == 1 else f"{changed} of these pictures"
        raise Conflict(
            "another picture than was looked at",
            safe=gettext("Somebody changed %(what)s meanwhile. Look again, and approve what you see then.", what=what),
        )


def release(tx: Session, who: Principal, view_id: UUID, study_uid: str) -> None:
    """Let a study (by its original UID) be seen by those with a grant.

    Raises Conflict while an instance waits for a decision or where nothing would be left to see, NotFound.
    """
    permissions.require(who, Permission.IMAGES_RELEASE)
    study = _study(tx, view_id, study_uid)
    states = set(tx.scalars(select(Instance.review).where(Instance.study_pk == study.pk).distinct()))
    if Review.PENDING_REVIEW in states:
        raise Conflict(
            "instances are still pending",
            safe=gettext("Some images may show names in their pixels. Approve or withhold each of them first."),
        )
    if not states & {Review.CLEAN, Review.APPROVED}:
        raise Conflict(
            "nothing to release", safe=gettext("Every image of this study is withheld: there is nothing to release.")
        )
    study.released = True
    tx.flush()
    recount(tx, study.pk)
    audit.record(tx, who, "view.release", "study", study.study_uid, proof_root=sealing.seal(tx, view_id))
    changes.record(tx, study, changes.Kind.RELEASED)


def revoke(tx: Session, who: Principal | None, view_id: UUID, study_uid: str | None = None) -> None:
    """Hide a study of a view (by its original UID), or all of them, at once."""
    statement = update(Study).where(Study.view_id == view_id, Study.released)
    if study_uid is not None:
        statement = statement.where(Study.source_uid == study_uid)
    for study in tx.scalars(statement.values(released=False).returning(Study)).all():
        audit.record(tx, who, "view.revoke", "study", study.study_uid)
        changes.record(tx, study, changes.Kind.REVOKED)


def _study(tx: Session, view_id: UUID, study_uid: str) -> Study:
    found = tx.scalars(
        select(Study).where(Study.view_id == view_id, Study.source_uid == study_uid).with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound(
            "no such study in the view", safe=gettext("The de-identified copy of this study is not made yet.")
        )
    return found


def recount(tx: Session, study_pk: int) -> None:
    """Counts of what may be seen: what is withheld must not show even as a number."""
    seen = (Instance.series_pk == Series.pk) & Instance.visible
    tx.execute(
        update(Series)
        .where(Series.study_pk == study_pk)
        .values(instance_count=select(func.count()).where(seen).scalar_subquery())
    )
    of_study = (Series.study_pk == study_pk) & (Series.instance_count > 0)
    tx.execute(
        update(Study)
        .where(Study.pk == study_pk)
        .values(
            instance_count=select(func.coalesce(func.sum(Series.instance_count), 0)).where(of_study).scalar_subquery(),
            series_count=select(func.count()).where(of_study).scalar_subquery(),
        )
    )
