"""The statements of the write path, in PostgreSQL's own words: what takes the fewest round trips.

The columns are those of `pacs.models`; a test writes every column by them and reads it back by the models.
"""

from __future__ import annotations

import re

#: One study with all its instances, counted as if every one of them were new: CORRECT_STUDY takes back what was not.
#: Gives the study's key, whether it was growing before, what was inserted, how many series are new, and the positions
#: (from 1) of the instances whose patient is the study's.
WRITE_STUDY = """
WITH st AS (
  INSERT INTO pacs_study AS s (
    view_id, study_uid, source_uid, patient_name, patient_fold, patient_id, birth_date, sex, study_date, study_time,
    accession, study_id, description, referrer, referrer_fold, names, attributes, released, modalities, holders,
    series_count, instance_count, settling, was_settling, received_at, changed_at)
  SELECT %(view_id)s, r.*, %(modalities)s::text[], %(holders)s::uuid[], 0, %(count)s, %(watch)s, false, %(now)s, %(now)s
  FROM jsonb_to_record(%(study)s::jsonb) AS r (
    study_uid text, source_uid text, patient_name text, patient_fold text, patient_id text, birth_date date, sex text,
    study_date date, study_time time, accession text, study_id text, description text, referrer text,
    referrer_fold text, names tsvector, attributes jsonb, released boolean)
  ON CONFLICT (view_id, study_uid) DO UPDATE SET changed_at = excluded.changed_at,
    instance_count = s.instance_count + excluded.instance_count,
    modalities = CASE WHEN s.modalities @> excluded.modalities THEN s.modalities
      ELSE ARRAY(SELECT DISTINCT m FROM unnest(s.modalities || excluded.modalities) AS m ORDER BY m) END,
    holders = CASE WHEN s.holders @> excluded.holders THEN s.holders
      ELSE ARRAY(SELECT DISTINCT h FROM unnest(s.holders || excluded.holders) AS h ORDER BY h) END,
    was_settling = s.settling, settling = s.settling OR excluded.settling
  RETURNING pk, patient_id, birth_date, was_settling
), wanted AS (
  SELECT * FROM ROWS FROM (
    jsonb_to_recordset(%(instances)s::jsonb) AS (
      sop_uid text, series_uid text, sop_class text, patient_id text, birth_date date, number bigint, rows bigint,
      columns bigint, bits bigint, frames bigint, syntax text, blob text, size bigint, ranges bigint[],
      source_pk bigint, review text, reasons text[], proof jsonb, holder uuid, via text, case_id uuid, ae text),
    unnest(%(metadata)b::bytea[]), unnest(%(headers)b::bytea[]), unnest(%(trailers)b::bytea[])
  ) WITH ORDINALITY AS w (
    sop_uid, series_uid, sop_class, patient_id, birth_date, number, rows, columns, bits, frames, syntax, blob, size,
    ranges, source_pk, review, reasons, proof, holder, via, case_id, ae, metadata, header, trailer, position)
), fits AS (
  SELECT w.* FROM wanted w, st
  WHERE (st.patient_id = '' OR w.patient_id = '' OR w.patient_id = st.patient_id)
    AND (st.birth_date IS NULL OR w.birth_date IS NULL OR w.birth_date = st.birth_date)
), se AS (
  INSERT INTO pacs_series AS se (
    study_pk, series_uid, modality, number, description, series_date, series_time, performed_date, performed_time,
    body_part, attributes, instance_count, changed_at)
  SELECT st.pk, r.series_uid, r.modality, r.number, r.description, r.series_date, r.series_time, r.performed_date,
    r.performed_time, r.body_part, r.attributes, r.count, %(now)s
  FROM st, jsonb_to_recordset(%(series)s::jsonb) AS r (
    series_uid text, modality text, number bigint, description text, series_date date, series_time time,
    performed_date date, performed_time time, body_part text, attributes jsonb, count int)
  WHERE EXISTS (SELECT FROM fits f WHERE f.series_uid = r.series_uid)
  ON CONFLICT (study_pk, series_uid) DO UPDATE SET changed_at = excluded.changed_at,
    instance_count = se.instance_count + excluded.instance_count
  RETURNING pk, series_uid, xmax = 0 AS added
), put AS (
  INSERT INTO pacs_instance (
    view_id, study_pk, series_pk, sop_uid, sop_class, transfer_syntax, number, rows, columns, bits, frames,
    metadata_deflated, blob, blob_size, header_deflated, ranges, trailer, source_pk, review, reasons, proof,
    received_at)
  SELECT %(view_id)s, st.pk, se.pk, f.sop_uid, f.sop_class, f.syntax, f.number, f.rows, f.columns, f.bits, f.frames,
    f.metadata, f.blob, f.size, f.header, f.ranges, f.trailer, f.source_pk, f.review, f.reasons, f.proof,
    %(now)s
  FROM st, fits f JOIN se ON se.series_uid = f.series_uid
  ORDER BY f.position
  ON CONFLICT (view_id, sop_uid) DO NOTHING
  RETURNING pk, sop_uid, series_pk, blob
), held AS (
  INSERT INTO pacs_holder (holder_id, instance_pk, study_pk, via, case_id, called_ae, at)
  SELECT f.holder, put.pk, st.pk, f.via, f.case_id, f.ae, %(now)s
  FROM st, put JOIN fits f ON f.sop_uid = put.sop_uid AND f.blob = put.blob
  WHERE f.holder IS NOT NULL
  ON CONFLICT (holder_id, instance_pk) DO NOTHING
)
SELECT st.pk, st.was_settling,
  coalesce((SELECT jsonb_agg(jsonb_build_object('sop', sop_uid, 'blob', blob, 'series', series_pk)) FROM put), '[]'),
  (SELECT count(*) FROM se WHERE added),
  coalesce((SELECT array_agg(position) FROM fits), '{}')
FROM st
"""

# psycopg remembers how to send statements of up to 4,096 characters; white space is not worth a third of a millisecond.
WRITE_STUDY = re.sub(r"\s*([,()=|])\s*", r"\1", " ".join(WRITE_STUDY.split()))

ADD_SERIES = "UPDATE pacs_study SET series_count = series_count + %s WHERE pk = %s"

CORRECT_STUDY = "UPDATE pacs_study SET instance_count = instance_count - %s, settling = %s WHERE pk = %s"
CORRECT_SERIES = """
UPDATE pacs_series SET instance_count = instance_count - less.n
FROM unnest(%s::text[], %s::bigint[]) AS less (uid, n) WHERE study_pk = %s AND series_uid = less.uid
"""

FIND = "SELECT pk, study_pk, sop_uid, blob FROM pacs_instance WHERE view_id = %s AND sop_uid = ANY(%s)"

DIGEST = "SELECT blob FROM pacs_instance WHERE view_id = %s AND sop_uid = %s"

#: Gives a row where the holder, or the case, is news.
HOLD = """
INSERT INTO pacs_holder AS h (holder_id, instance_pk, study_pk, via, case_id, called_ae, at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (holder_id, instance_pk) DO UPDATE SET case_id = excluded.case_id, called_ae = excluded.called_ae
WHERE h.case_id IS DISTINCT FROM excluded.case_id OR h.called_ae <> excluded.called_ae
RETURNING instance_pk
"""

#: What was opened for instances that turned out to be elsewhere must not stay behind empty.
DROP_EMPTY_SERIES = "DELETE FROM pacs_series WHERE study_pk = %s AND instance_count = 0"
DROP_EMPTY_STUDY = "DELETE FROM pacs_study WHERE pk = %s AND instance_count = 0"
