"""The statements of the write path, in PostgreSQL's own words: what takes the fewest round trips.

The columns are those of `pacs.index.models`; a test writes every column by them and reads it back by the models.
"""

from __future__ import annotations

import re

from pacs.index import columns
from pacs.index.attributes import Level


def _with_columns(statement: str) -> str:
    """A statement in which `{study}` is the names of a level's columns, `{study:}` those with their types.

    `{f.study}`: the names, of the table f.
    """

    def filled(place: re.Match[str]) -> str:
        table, level, typed = place.groups(default="")
        types = columns.TYPES[Level(level)]
        return ", ".join(f"{table}{name} {kind}" if typed else f"{table}{name}" for name, kind in types.items())

    return re.sub(r"\{(\w\.)?(\w+)(:)?\}", filled, statement)


#: Instances of one study, whose row is locked until the transaction ends, so that the aggregates stay right however
#: many write at once. Gives no row where the study or one of the series is not there, or with `quick` where the study
#: is stable or the sender is locked out; else whether the study was growing before, the UIDs and digests of what was
#: inserted, and the positions (from 1) of the instances whose patient is the study's.
WRITE = _with_columns("""
WITH st AS (
  SELECT s.pk, s.patient_id, s.birth_date, s.receiving FROM pacs_study s
  WHERE s.study_uid = %(study_uid)s AND s.sender_id = %(sender_id)s AND
    (NOT %(quick)s OR (s.receiving AND
      NOT EXISTS (SELECT FROM kit_principal p WHERE p.id = %(sender_id)s AND NOT p.active))) AND
    cardinality(%(series_uids)s::text[]) =
    (SELECT count(*) FROM pacs_series k WHERE k.study_pk = s.pk AND k.series_uid = ANY(%(series_uids)s::text[]))
  FOR NO KEY UPDATE
), wanted AS (
  SELECT * FROM ROWS FROM (
    jsonb_to_recordset(%(instances)s::jsonb) AS (
      {instance:}, series_uid text, patient_id text, birth_date date, syntax text, blob text, size bigint,
      ranges bigint[], source_pk bigint, review text, reasons text[], proof jsonb, case_id uuid),
    unnest(%(metadata)b::bytea[]), unnest(%(headers)b::bytea[]), unnest(%(trailers)b::bytea[])
  ) WITH ORDINALITY AS w (
    {instance}, series_uid, patient_id, birth_date, syntax, blob, size, ranges, source_pk, review, reasons,
    proof, case_id, metadata, header, trailer, position)
), fits AS (
  SELECT w.*, st.pk AS study_pk FROM wanted w, st
  WHERE (st.patient_id = '' OR w.patient_id = '' OR w.patient_id = st.patient_id)
    AND (st.birth_date IS NULL OR w.birth_date IS NULL OR w.birth_date = st.birth_date)
), put AS (
  INSERT INTO pacs_instance (
    view_id, sender_id, study_pk, series_pk, {instance}, transfer_syntax, metadata_deflated, blob, blob_size,
    header_deflated, ranges, trailer, source_pk, review, reasons, proof, received_at)
  SELECT %(view_id)s, %(sender_id)s, f.study_pk, se.pk, {f.instance}, f.syntax, f.metadata, f.blob, f.size, f.header,
    f.ranges, f.trailer, f.source_pk, f.review, f.reasons, f.proof, %(now)s
  FROM fits f JOIN pacs_series se ON se.study_pk = f.study_pk AND se.series_uid = f.series_uid
  ORDER BY f.position
  ON CONFLICT (sop_uid, sender_id) DO NOTHING
  RETURNING pk, sop_uid, series_pk, study_pk, blob
), sent AS (
  INSERT INTO pacs_upload (instance_pk, case_id, study_pk, at)
  SELECT put.pk, f.case_id, put.study_pk, %(now)s
  FROM put JOIN fits f ON f.sop_uid = put.sop_uid AND f.blob = put.blob
  WHERE f.case_id IS NOT NULL
  ON CONFLICT (instance_pk, case_id) DO NOTHING
), of_series AS (
  UPDATE pacs_series se SET changed_at = %(now)s, instance_count = se.instance_count + c.n
  FROM (SELECT series_pk, count(*) AS n FROM put GROUP BY series_pk) c WHERE se.pk = c.series_pk
), of_study AS (
  UPDATE pacs_study s SET changed_at = %(now)s, instance_count = s.instance_count + c.n,
    receiving = s.receiving OR %(watch)s,
    modalities = CASE WHEN s.modalities @> %(modalities)s::text[] THEN s.modalities
      ELSE ARRAY(SELECT DISTINCT m FROM unnest(s.modalities || %(modalities)s::text[]) AS m ORDER BY m) END,
    called = CASE WHEN s.called @> %(called)s::text[] THEN s.called
      ELSE ARRAY(SELECT DISTINCT a FROM unnest(s.called || %(called)s::text[]) AS a ORDER BY a) END
  FROM (SELECT study_pk, count(*) AS n FROM put GROUP BY study_pk) c WHERE s.pk = c.study_pk
)
SELECT st.pk, st.receiving, ARRAY(SELECT sop_uid || ' ' || blob FROM put), ARRAY(SELECT position FROM fits) FROM st
""")

# psycopg remembers how to send statements of up to 4,096 characters; white space is not worth a third of a millisecond.
WRITE = " ".join(WRITE.split())

#: Whoever opens a study waits for whoever opens one of this UID, so that exactly one of them leads.
OPENING = "SELECT pg_advisory_xact_lock(hashtextextended(%(study_uid)s, 0))"

#: The sender's study is there and locked afterwards; nothing of one that was there changes. Among the originals of one
#: UID the first leads.
OPEN_STUDY = _with_columns("""
INSERT INTO pacs_study AS s (
  view_id, sender_id, {study}, source_uid, released, leads,
  modalities, called, series_count, instance_count, receiving, received_at, changed_at)
SELECT %(view_id)s, %(sender_id)s, r.*,
  NOT EXISTS (SELECT FROM pacs_study o WHERE o.study_uid = %(study_uid)s AND o.view_id = %(view_id)s AND o.leads),
  %(modalities)s::text[], %(called)s::text[], 0, 0, false, %(now)s, %(now)s
FROM jsonb_to_record(%(study)s::jsonb) AS r ({study:}, source_uid text, released boolean)
ON CONFLICT (study_uid, sender_id) DO UPDATE SET released = s.released
RETURNING pk
""")

OPEN_SERIES = _with_columns("""
WITH added AS (
  INSERT INTO pacs_series (study_pk, {series}, instance_count, changed_at)
  SELECT %(study_pk)s, r.*, 0, %(now)s
  FROM jsonb_to_recordset(%(series)s::jsonb) AS r ({series:})
  ON CONFLICT (study_pk, series_uid) DO NOTHING
  RETURNING pk
)
UPDATE pacs_study SET series_count = series_count + (SELECT count(*) FROM added) WHERE pk = %(study_pk)s
""")

#: A study that got nothing but a further case or called title grows all the same: whoever waits must hear of it.
GROW = "UPDATE pacs_study SET receiving = true, changed_at = %(now)s WHERE pk = %(study_pk)s"
CALLED = """
UPDATE pacs_study SET called = ARRAY(SELECT DISTINCT a FROM unnest(called || %(called)s::text[]) AS a ORDER BY a)
WHERE pk = %(study_pk)s AND NOT called @> %(called)s::text[] RETURNING pk
"""

FIND = "SELECT pk, study_pk, sop_uid, blob FROM pacs_instance WHERE sender_id = %s AND sop_uid = ANY(%s)"

#: Gives a row where the case is news.
SENT_FOR = """
INSERT INTO pacs_upload (instance_pk, case_id, study_pk, at) VALUES (%s, %s, %s, %s)
ON CONFLICT (instance_pk, case_id) DO NOTHING RETURNING instance_pk
"""

#: What was opened for instances that turned out to be elsewhere must not stay behind empty.
DROP_EMPTY_SERIES = """
WITH gone AS (DELETE FROM pacs_series WHERE study_pk = %(study_pk)s AND instance_count = 0 RETURNING pk)
UPDATE pacs_study SET series_count = series_count - (SELECT count(*) FROM gone) WHERE pk = %(study_pk)s
"""
DROP_EMPTY_STUDY = "DELETE FROM pacs_study WHERE pk = %(study_pk)s AND instance_count = 0"

#: What `pacs.store.reindex` reads anew: only where it differs from what is there.
TO_REINDEX = "SELECT study_uid FROM pacs_study WHERE pk = %s FOR NO KEY UPDATE"
HEADERS = """
SELECT i.pk, i.series_pk, se.series_uid, i.sop_uid, i.review, i.metadata_deflated
FROM pacs_instance i JOIN pacs_series se ON se.pk = i.series_pk
WHERE i.study_pk = %s AND i.pk > %s ORDER BY i.pk LIMIT %s
"""
REINDEX_STUDY = _with_columns("""
UPDATE pacs_study s SET ({study}) = ROW({f.study})
FROM jsonb_to_recordset(%s::jsonb) AS f (pk bigint, {study:})
WHERE s.pk = f.pk AND ROW({s.study}) IS DISTINCT FROM ROW({f.study})
""")
REINDEX_SERIES = _with_columns("""
UPDATE pacs_series s SET ({series}) = ROW({f.series})
FROM jsonb_to_recordset(%s::jsonb) AS f (pk bigint, {series:})
WHERE s.pk = f.pk AND ROW({s.series}) IS DISTINCT FROM ROW({f.series})
""")
REINDEX_INSTANCES = _with_columns("""
UPDATE pacs_instance s SET ({instance}) = ROW({f.instance})
FROM jsonb_to_recordset(%s::jsonb) AS f (pk bigint, {instance:})
WHERE s.pk = f.pk AND ROW({s.instance}) IS DISTINCT FROM ROW({f.instance})
""")
