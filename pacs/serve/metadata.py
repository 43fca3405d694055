"""Metadata of studies, series and instances as DICOM JSON, kept ready as gzip (PS3.18 10.4.1.1.2, annex F).

A body is named by a digest over the rows that it was made of, of those that a scope shows. The digest is asked for at
every request, so that what came, went, was withheld or revoked shows at once, and nobody gets a body that was made of
other rows than their own. Whole series are kept in the database too, made when the series has gone quiet.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import orjson
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from overread.kit import clock
from overread.kit.db import Connection, Database, Session, reading
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from pacs.dicom import json_values, tags
from pacs.index import visibility
from pacs.index.events import StudyStable
from pacs.index.models import Instance, KeptMetadata, Series
from pacs.index.scope import Scope, one_study
from pacs.pixels.cache import Cache
from pacs.serve.retrieve import IN_ORDER, Located
from pacs.store.archive import Archive

#: Bytes of bodies that a process remembers.
_MOST = 32 << 20
#: The ends of attributes behind which one of another group than 0008 follows, and how many of them are looked at.
_behind = re.compile(rb'\},"(?!0008)[0-9A-F]{8}":\{"vr"').finditer
_TRIES = 4
_TRANSFER_SYNTAXES = tags.AvailableTransferSyntaxUID.key
_EACH = "SELECT s.study_uid, se.series_uid, i.sop_uid, i.transfer_syntax, i.metadata_deflated"
#: xmin changes whenever a row does, for whatever reason.
_VERSION = """
SELECT md5(string_agg(i.pk || ':' || i.xmin, ',' ORDER BY i.pk)), count(*), min(se.pk), min(se.instance_count)"""
_KEPT = "SELECT gzipped, size FROM pacs_metadata WHERE series_pk = %s AND root = %s AND version = %s"
#: Rows are read so many at a time, however large a study is.
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Version:
    """What a scope shows of a study, a series or an instance just now: a digest of its rows, and their number.

    `series_pk` is given where that is the whole of one series.
    """

    digest: str
    count: int
    series_pk: int | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A body: `gzipped`, and how many bytes its JSON has."""

    gzipped: bytes
    size: int

    def datasets(self) -> Iterator[bytes]:
        """The data sets, one after the other: each has a line of its own, as `pack` has it."""
        held: list[bytes] = []
        for piece in self.json():
            end, *lines = piece.split(b"\n")
            held.append(end)
            for line in lines:
                yield b"".join(held).strip(b"[],")
                held = [line]
        if last := b"".join(held).strip(b"[],"):
            yield last

    def json(self) -> Iterator[bytes]:
        """The JSON, in pieces."""
        stream = zlib.decompressobj(31)
        rest = self.gzipped
        while rest:
            yield stream.decompress(rest, 1 << 20)
            rest = stream.unconsumed_tail
        yield stream.flush()


_bodies: Cache[Ready] = Cache(_MOST)


def version(
    tx: Session | Connection, scope: Scope, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> Version:
    """What is there to be seen. Raises NotFound where the scope shows nothing."""
    tail, values = visibility.rows(scope, study_uid, series_uid, sop_uid)
    found = reading(tx).execute(_VERSION + tail, values).fetchone()
    assert found is not None, "an aggregate has a row"
    digest, count, series_pk, whole = found
    if not count:
        raise NotFound(
            "no such instances in the scope", safe=gettext("There is no such study, series or instance here.")
        )
    is_series = series_uid is not None and sop_uid is None and count == whole
    return Version(digest, count, series_pk if is_series else None)


def datasets(
    tx: Session, root: str, scope: Scope, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> Iterator[bytes]:
    """The metadata of one instance after the other, in order; BulkDataURIs are addresses below `root`."""
    tail, values = visibility.rows(scope, study_uid, series_uid, sop_uid)
    with reading(tx).cursor("metadata") as cursor:
        cursor.itersize = _ROWS
        for study, series, sop, syntax, deflated in cursor.execute(_EACH + tail + IN_ORDER, values, binary=True):
            url = f"{root}/studies/{study}/series/{series}/instances/{sop}/bulkdata/"
            found = json_values.inflate(deflated).replace(
                b'"BulkDataURI":"bulkdata:', b'"BulkDataURI":"' + _escaped(url)
            )
            yield _with_syntax(found, syntax)


def _escaped(url: str) -> bytes:
    return orjson.dumps(url)[1:-1]


def _with_syntax(found: bytes, syntax: str) -> bytes:
    """Add the Available Transfer Syntax UID, by which viewers choose what to ask for (PS3.18 Table 10.6.3-5)."""
    # Only what precedes the place is parsed: that it reads as a data set proves that the place is not within another.
    matches = _behind(found) if b'"00083002"' not in found else iter(())
    for match in islice(matches, _TRIES):
        place = match.start() + 1
        try:
            before = orjson.loads(found[:place] + b"}")
        except orjson.JSONDecodeError:
            continue
        if max(before) < _TRANSFER_SYNTAXES:
            added = b',"%s":{"vr":"UI","Value":["%s"]}' % (_TRANSFER_SYNTAXES.encode(), syntax.encode())
            return found[:place] + added + found[place:]
        break
    whole = orjson.loads(found)
    whole[_TRANSFER_SYNTAXES] = {"vr": "UI", "Value": [syntax]}
    # In the order of tags (F.2.2).
    return orjson.dumps(dict(sorted(whole.items())))


def pack(bodies: Iterable[bytes]) -> Ready:
    """A JSON array of bodies, gzipped as they come: each on a line of its own, whose end none holds (RFC 8259 7)."""
    # What instances have in common, level 6 finds: it is as quick as level 1 here, and a quarter of the size.
    stream = zlib.compressobj(6, zlib.DEFLATED, 31)
    out: list[bytes] = []
    size = 2
    opening = b"["
    for body in bodies:
        out.append(stream.compress(opening + body))
        size += len(body) + (len(opening) if len(out) > 1 else 0)
        opening = b",\n"
    out.append(stream.compress(b"[]" if opening == b"[" else b"]"))
    out.append(stream.flush())
    return Ready(b"".join(out), size)


def find(tx: Session | Connection, seen: Version, root: str) -> Ready | None:
    """The body of what `version` saw, where this process remembers or the database keeps it."""
    body = _bodies.peek((seen.digest, root))
    if body is None and (kept := _kept(tx, seen, root)) is not None:
        body = _bodies.get((seen.digest, root), lambda: kept, _weight)
    return body


def build(
    db: Database,
    seen: Version,
    root: str,
    durable: bool,
    scope: Scope,
    study_uid: str,
    series_uid: str | None = None,
    sop_uid: str | None = None,
) -> Ready:
    """The body of what `version` saw, where it is not `find` has none: made now, once however many ask for it.

    `durable`: keep it for other processes, too; `root` must then be an address of ours and not what a client says.
    """

    def make() -> Ready:
        with db.transaction() as tx:
            if durable and seen.series_pk is not None and series_uid is not None:
                return _kept_or_built(tx, seen, root, scope, study_uid, series_uid)
            return pack(datasets(tx, root, scope, study_uid, series_uid, sop_uid))

    return _bodies.get((seen.digest, root), make, _weight)


def _weight(body: Ready) -> int:
    return len(body.gzipped)


def _kept_or_built(tx: Session, seen: Version, root: str, scope: Scope, study_uid: str, series_uid: str) -> Ready:
    """The body of a whole series: what is kept, else made and kept while every other process waits for it."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"metadata {seen.digest} {root}", 0))))
    body = _kept(tx, seen, root)
    if body is None:
        body = pack(datasets(tx, root, scope, study_uid, series_uid))
        _keep(tx, seen, root, body)
    return body


def _kept(tx: Session | Connection, seen: Version, root: str) -> Ready | None:
    if seen.series_pk is None:
        return None
    row = reading(tx).execute(_KEPT, (seen.series_pk, root, seen.digest), binary=True).fetchone()
    return Ready(*row) if row is not None else None


def _keep(tx: Session, seen: Version, root: str, body: Ready) -> None:
    values = {"version": seen.digest, "size": body.size, "gzipped": body.gzipped, "made_at": clock.now()}
    statement = insert(KeptMetadata).values(series_pk=seen.series_pk, root=root, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["series_pk", "root"], set_=values))


def on_study_stable(archive: Archive, event: StudyStable, root: str) -> None:
    """Make the metadata of every series of an original study that has gone quiet; idempotent."""
    scope = one_study(event.study_pk)
    with archive.db.transaction() as tx:
        series = list(tx.scalars(select(Series.series_uid).where(Series.study_pk == event.study_pk)))
    for series_uid in series:
        with archive.db.transaction() as tx:
            seen = version(tx, scope, event.study_uid, series_uid)
            if seen.series_pk is not None:
                _kept_or_built(tx, seen, root, scope, event.study_uid, series_uid)


def of_instance(tx: Session, one: Located) -> bytes:
    """The metadata of an instance that a scope has shown, as it is kept. Raises NotFound where it went meanwhile."""
    found = tx.scalar(select(Instance.metadata_deflated).where(Instance.pk == one.pk))
    if found is None:
        raise NotFound("an instance went while it was sent", safe=gettext("There is no such instance here any more."))
    return json_values.inflate(found)
