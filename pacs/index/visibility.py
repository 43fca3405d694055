"""What a scope shows, as SQL: the one place where who sees what becomes a condition on rows.

Tests hold the four against each other and against an oracle (`tests/pacs/serve/test_retrieve_scope.py`,
`tests/cases/test_visibility_model.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, or_
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from pacs.index.models import Change, Instance, Review, Study, Upload
from pacs.index.scope import ORIGINAL, Scope

#: Behind every row.
_LAST = 2**63 - 1


def studies(scope: Scope) -> ColumnElement[bool]:
    """The condition on a study's row that keeps a query inside its scope."""
    conditions: list[ColumnElement[bool]] = [Study.view_id == scope.view_id]
    if scope.study_uids is not None:
        conditions.append(Study.study_uid.in_(scope.study_uids))
    if scope.studies is not None:
        conditions.append(Study.pk.in_(scope.studies))
    if scope.sender_id is not None:
        # As the index on the names' words has it, too.
        conditions.append(array([Study.sender_id]).contains([scope.sender_id]))
    if scope.leading:
        conditions.append(Study.leads.is_(True))
    if scope.uploads:
        sent = exists().where(Upload.study_pk == Study.pk, Upload.case_id == scope.case_id)
        conditions.append(or_(Study.pk.not_in(scope.uploads), sent))
    if scope.until:
        last = case(dict(scope.until), value=Study.pk, else_=_LAST)
        seen = aliased(Instance)
        conditions.append(exists().where(seen.study_pk == Study.pk, seen.pk <= last))
    if not scope.unreleased:
        conditions.append(Study.released.is_(True))
    if scope.view_id == ORIGINAL and not scope.withheld:
        conditions.append(Study.withheld.is_(False))
    return and_(*conditions)


def instances(scope: Scope, instance: type[Instance] = Instance) -> ColumnElement[bool]:
    """The condition on an instance's row (or an alias of it), besides that on its study."""
    conditions: list[ColumnElement[bool]] = [instance.view_id == scope.view_id]
    if scope.uploads:
        sent = exists().where(Upload.instance_pk == instance.pk, Upload.case_id == scope.case_id)
        conditions.append(or_(instance.study_pk.not_in(scope.uploads), sent))
    if scope.until:
        conditions.append(instance.pk <= case(dict(scope.until), value=instance.study_pk, else_=_LAST))
    conditions.append(instance.review != Review.UNUSABLE if scope.unreleased else instance.visible.is_(True))
    return and_(*conditions)


def changes(scope: Scope) -> ColumnElement[bool]:
    """The condition on a change's row: who may not see a study hears only that it was released or revoked."""
    conditions: list[ColumnElement[bool]] = [Change.view_id == scope.view_id]
    if scope.study_uids is not None:
        conditions.append(Change.study_uid.in_(scope.study_uids))
    if scope.leading:
        conditions.append(Change.leads.is_(True))
    if scope.studies is not None:
        conditions.append(Change.study_pk.in_(scope.studies))
    if scope.sender_id is not None:
        conditions.append(Change.sender_id == scope.sender_id)
    if not scope.unreleased:
        conditions.append(Change.kind.in_(("released", "revoked")))
    return and_(*conditions)


def rows(
    scope: Scope, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> tuple[str, dict[str, Any]]:
    """The tail of a statement over a study's, a series' or one instance, as far as the scope shows them; its values.

    The rule of `studies` and `instances`, in PostgreSQL's own words, because it is part of every request of a viewer:
    SQLAlchemy would take longer to write it than the database to answer.
    """
    conditions = ["s.view_id = %(view_id)s AND i.view_id = %(view_id)s AND s.study_uid = %(study_uid)s"]
    if scope.study_uids is not None:
        conditions.append("s.study_uid = ANY(%(study_uids)s)")
    if scope.studies is not None:
        conditions.append("s.pk = ANY(%(studies)s)")
    if scope.sender_id is not None:
        conditions.append("s.sender_id = %(sender_id)s")
    if scope.leading:
        conditions.append("s.leads")
    if scope.uploads:
        conditions.append(_SENT_FOR)
    if scope.until:
        conditions.append(_UNTIL)
    conditions.append("i.review <> 'unusable'" if scope.unreleased else "s.released AND i.visible")
    if scope.view_id == ORIGINAL and not scope.withheld:
        conditions.append("NOT s.withheld")
    if series_uid is not None:
        conditions.append("se.series_uid = %(series_uid)s")
    if sop_uid is not None:
        conditions.append("i.sop_uid = %(sop_uid)s")
    values = {
        "view_id": scope.view_id,
        "sender_id": scope.sender_id,
        "study_uids": list(scope.study_uids or ()),
        "studies": list(scope.studies or ()),
        "uploads": list(scope.uploads),
        "case_id": scope.case_id,
        "until": [study_pk for study_pk, _ in scope.until],
        "last": [last for _, last in scope.until],
        "study_uid": study_uid,
        "series_uid": series_uid,
        "sop_uid": sop_uid,
    }
    return _JOINED + " AND ".join(conditions), values


_JOINED = (
    " FROM pacs_instance i JOIN pacs_study s ON s.pk = i.study_pk JOIN pacs_series se ON se.pk = i.series_pk WHERE "
)
_SENT_FOR = """(s.pk <> ALL(%(uploads)s) OR EXISTS (
  SELECT FROM pacs_upload u WHERE u.instance_pk = i.pk AND u.case_id = %(case_id)s))"""
_UNTIL = """(s.pk <> ALL(%(until)s) OR EXISTS (
  SELECT FROM unnest(%(until)s::bigint[], %(last)s::bigint[]) AS t (study_pk, last)
  WHERE t.study_pk = s.pk AND i.pk <= t.last))"""
