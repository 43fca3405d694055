"""The statements of the write path, in PostgreSQL's own words: what takes the fewest round trips.

The columns are those of `pacs.index.models`; a test writes every column by them and reads it back by the models.
"""

from __future__ import annotations

#: Instances of one study, whose row is locked until the transaction ends, so that the aggregates stay right however
#: many write at once. Gives no row where the study or one of the series is not there, or with `quick` where the study
#: has settled or the sender is locked out; else whether the study was growing before, the UIDs and digests of what was
#: inserted, and the positions (from 1) of the instances whose patient is the study's.
WRITE = """
WITH st AS (
  SELECT s.pk, s.patient_id, s.birth_date, s.settling FROM pacs_study s
  WHERE s.study_uid = %(study_uid)s AND s.holder_id = %(holder_id)s AND
    (NOT %(quick)s OR (s.settling AND
      NOT EXISTS (SELECT FROM kit_principal p WHERE p.id = %(holder_id)s AND NOT p.active))) AND
    cardinality(%(series_uids)s::text[]) =
    (SELECT count(*) FROM pacs_series k WHERE k.study_pk = s.pk AND k.series_uid = ANY(%(series_uids)s::text[]))
  FOR NO KEY UPDATE
), wanted AS (
  SELECT * FROM ROWS FROM (
    jsonb_to_recordset(%(instances)s::jsonb) AS (
      sop_uid text, series_uid text, sop_class text, patient_id text, birth_date date, number bigint, rows bigint,
      columns bigint, bits bigint, frames bigint, syntax text, blob text, size bigint, ranges bigint[],
      source_pk bigint, review text, reasons text[], proof jsonb, case_id uuid),
    unnest(%(metadata)b::bytea[]), unnest(%(headers)b::bytea[]), unnest(%(trailers)b::bytea[])
  ) WITH ORDINALITY AS w (
    sop_uid, series_uid, sop_class, patient_id, birth_date, number, rows, columns, bits, frames, syntax, blob, size,
    ranges, source_pk, review, reasons, proof, case_id, metadata, header, trailer, position)
), fits AS (
  SELECT w.*, st.pk AS study_pk FROM wanted w, st
  WHERE (st.patient_id = '' OR w.patient_id = '' OR w.patient_id = st.patient_id)
    AND (st.birth_date IS NULL OR w.birth_date IS NULL OR w.birth_date = st.birth_date)
), put AS (
  INSERT INTO pacs_instance (
    view_id, holder_id, study_pk, series_pk, sop_uid, sop_class, transfer_syntax, number, rows, columns, bits, frames,
    metadata_deflated, blob, blob_size, header_deflated, ranges, trailer, source_pk, review, reasons, proof,
    received_at)
  SELECT %(view_id)s, %(holder_id)s, f.study_pk, se.pk, f.sop_uid, f.sop_class, f.syntax, f.number, f.rows, f.columns,
    f.bits, f.frames,
    f.metadata, f.blob, f.size, f.header, f.ranges, f.trailer, f.source_pk, f.review, f.reasons, f.proof,
    %(now)s
  FROM fits f JOIN pacs_series se ON se.study_pk = f.study_pk AND se.series_uid = f.series_uid
  ORDER BY f.position
  ON CONFLICT (sop_uid, holder_id) DO NOTHING
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
    settling = s.settling OR %(watch)s,
    modalities = CASE WHEN s.modalities @> %(modalities)s::text[] THEN s.modalities
      ELSE ARRAY(SELECT DISTINCT m FROM unnest(s.modalities || %(modalities)s::text[]) AS m ORDER BY m) END,
    called = CASE WHEN s.called @> %(called)s::text[] THEN s.called
      ELSE ARRAY(SELECT DISTINCT a FROM unnest(s.called || %(called)s::text[]) AS a ORDER BY a) END
  FROM (SELECT study_pk, count(*) AS n FROM put GROUP BY study_pk) c WHERE s.pk = c.study_pk
)
SELECT st.pk, st.settling, ARRAY(SELECT sop_uid || ' ' || blob FROM put), ARRAY(SELECT position FROM fits) FROM st
"""

# psycopg remembers how to send statements of up to 4,096 characters; white space is not worth a third of a millisecond.
WRITE = " ".join(WRITE.split())

#: Whoever opens a study waits for whoever opens one of this UID, so that exactly one of them leads.
OPENING = "SELECT pg_advisory_xact_lock(hashtextextended(%(study_uid)s, 0))"

#: The sender's study is there and locked afterwards; nothing of one that was there changes. Among the originals of one
#: UID the first leads.
OPEN_STUDY = """
INSERT INTO pacs_study AS s (
  view_id, holder_id, study_uid, source_uid, patient_name, patient_fold, patient_id, birth_date, sex, study_date,
  study_time, accession, study_id, description, referrer, referrer_fold, names, attributes, released, leads,
  modalities, called, series_count, instance_count, settling, received_at, changed_at)
SELECT %(view_id)s, %(holder_id)s, r.*,
  NOT EXISTS (SELECT FROM pacs_study o WHERE o.study_uid = %(study_uid)s AND o.view_id = %(view_id)s AND o.leads),
  %(modalities)s::text[], %(called)s::text[], 0, 0, false, %(now)s, %(now)s
FROM jsonb_to_record(%(study)s::jsonb) AS r (
  study_uid text, source_uid text, patient_name text, patient_fold text, patient_id text, birth_date date, sex text,
  study_date date, study_time time, accession text, study_id text, description text, referrer text,
  referrer_fold text, names tsvector, attributes jsonb, released boolean)
ON CONFLICT (study_uid, holder_id) DO UPDATE SET released = s.released
RETURNING pk
"""

OPEN_SERIES = """
WITH added AS (
  INSERT INTO pacs_series (
    study_pk, series_uid, modality, number, description, series_date, series_time, performed_date, performed_time,
    body_part, attributes, instance_count, changed_at)
  SELECT %(study_pk)s, r.*, 0, %(now)s
  FROM jsonb_to_recordset(%(series)s::jsonb) AS r (
    series_uid text, modality text, number bigint, description text, series_date date, series_time time,
    performed_date date, performed_time time, body_part text, attributes jsonb)
  ON CONFLICT (study_pk, series_uid) DO NOTHING
  RETURNING pk
)
UPDATE pacs_study SET series_count = series_count + (SELECT count(*) FROM added) WHERE pk = %(study_pk)s
"""

#: A study that got nothing but a further case or called title grows all the same: whoever waits must hear of it.
GROW = "UPDATE pacs_study SET settling = true, changed_at = %(now)s WHERE pk = %(study_pk)s"
CALLED = """
UPDATE pacs_study SET called = ARRAY(SELECT DISTINCT a FROM unnest(called || %(called)s::text[]) AS a ORDER BY a)
WHERE pk = %(study_pk)s AND NOT called @> %(called)s::text[] RETURNING pk
"""

FIND = "SELECT pk, study_pk, sop_uid, blob FROM pacs_instance WHERE holder_id = %s AND sop_uid = ANY(%s)"

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
