"""Search over many studies: ten shapes of queries, in the database alone and over HTTP, and how they grow.

usage: python -m benchmarks.qido [--sizes 100000,1000000] [--calls N] [--folder FOLDER] [--explain] [--no-http]

The rows are written straight into the database, one series and one instance a study, a tenth of them each hospital's;
names, dates and modalities are spread evenly, as by a hospital's years. Without blobs: nothing here opens one.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import http.client
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import UUID

import orjson
from sqlalchemy import text

from benchmarks import peers
from overread.kit import principals, tokens
from overread.kit.db import Database, raw
from overread.kit.postgres import start
from overread.kit.principals import Role
from overread.kit.settings import Settings
from overread.migrations import migrate
from pacs.dicom.json_values import Json
from pacs.index import bounds, columns, query
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, Scope

_FIRST = "Anna Ben Chloe David Emma Finn Greta Hugo Ida Jan Kira Leo Mia Noah Olga Paul Rosa Sam Tara Udo"
_LAST = (
    "Müller Smith Garcia Tanaka Rossi Novak Silva Kim Chen Dubois Larsen Haddad Kowalski Ivanov Okafor Singh Lopez"
    " Nguyen Costa Weber"
)
FIRST, LAST = _FIRST.split(), _LAST.split()
MODALITIES = ("CT", "MR", "US", "CR")
_DESCRIPTIONS = ("CT ABDOMEN", "MR BRAIN", "US LIVER", "CHEST PA")
_DAYS = 4000
_HOSPITALS = 10
_WARM = 10  # calls that are not counted
_BEGIN = datetime.date(2015, 1, 1)

#: A shape's name, whether a hospital asks, and how one of its queries is made for an archive of so many studies.
Keys = dict[str, str]
Shape = tuple[str, bool, Callable[[int], tuple[Keys, dict[str, str]]]]


def _uid(kind: int, number: int) -> str:
    return f"1.2.826.0.1.3680043.10.1.{kind}.{number}"


def _date(days: int) -> str:
    return (_BEGIN + datetime.timedelta(days=days)).strftime("%Y%m%d")


def _month(_: int) -> tuple[Keys, dict[str, str]]:
    day = random.randrange(_DAYS - 30)
    return {"StudyDate": f"{_date(day)}-{_date(day + 30)}"}, {}


def _year(_: int) -> tuple[Keys, dict[str, str]]:
    day = random.randrange(_DAYS - 365)
    keys = {"StudyDate": f"{_date(day)}-{_date(day + 364)}", "ModalitiesInStudy": random.choice(MODALITIES)}
    return keys, {}


def _words(_: int) -> tuple[Keys, dict[str, str]]:
    return {"PatientName": f"{random.choice(FIRST)} {random.choice(LAST)}"}, {"fuzzymatching": "true"}


def _patient(count: int) -> tuple[Keys, dict[str, str]]:
    return {"PatientID": f"P{random.randrange(max(1, count // 3)):07d}"}, {}


SHAPES: tuple[Shape, ...] = (
    ("newest 25", False, lambda _: ({}, {})),
    ("PatientID", False, _patient),
    ("date range, a month", False, _month),
    ("name's beginning", False, lambda _: ({"PatientName": random.choice(LAST) + "*"}, {})),
    ("name's words, fuzzy", False, _words),
    ("ModalitiesInStudy", False, lambda _: ({"ModalitiesInStudy": random.choice(MODALITIES)}, {})),
    ("AccessionNumber", False, lambda count: ({"AccessionNumber": f"A{random.randrange(count):08d}"}, {})),
    (
        "20 StudyInstanceUIDs",
        False,
        lambda count: ({"StudyInstanceUID": ",".join(_uid(1, random.randrange(count)) for _ in range(20))}, {}),
    ),
    ("date range, a year, and modality", False, _year),
    ("offset 15,000", False, lambda _: ({}, {"offset": "15000"})),
    ("a part of a name", False, lambda _: ({"PatientName": f"*{random.choice(('rg', 'walsk', 'addad1'))}*"}, {})),
    ("a hospital's newest 25", True, lambda _: ({}, {})),
    ("a hospital's PatientID", True, _patient),
)


def main() -> None:
    """Fill, measure, print."""
    options = _options()
    random.seed(7)
    shutil.rmtree(options.folder, ignore_errors=True)
    settings = Settings(data_dir=options.folder, database_url=None)
    settings.server_key()  # made before there is a database
    url, _server = start(settings)  # kept, or it would stop
    migrate(url)
    database = Database(url)
    with database.transaction() as tx:
        owners = [principals.create(tx, role=role, name="bench") for role in (Role.COORDINATOR, Role.HOSPITAL)]
        headers = [{"Authorization": f"Bearer {tokens.issue(tx, owner.id)}"} for owner in owners]
    hospitals = [owners[1].id, *(UUID(int=n) for n in range(1, _HOSPITALS))]
    scopes = (Scope(ORIGINAL, unreleased=True), Scope(ORIGINAL, sender_id=hospitals[0], unreleased=True))
    figures: dict[tuple[str, str], list[str]] = {}
    filled = 0
    for size in options.sizes:
        began = time.perf_counter()
        fill(database, filled, size, hospitals)
        print(f"{size:,} studies, written in {time.perf_counter() - began:.0f} s", flush=True)
        filled = size
        for name, hospital, make in SHAPES:
            figures.setdefault((name, "database"), []).append(
                _in_database(database, scopes[hospital], partial(make, size), options)
            )
        if options.http:
            with peers.overread(options.folder) as server:
                for name, hospital, make in SHAPES:
                    queries = (make(size) for _ in range(_WARM + options.calls))
                    figures.setdefault((name, "HTTP"), []).append(_over_http(server.web, headers[hospital], queries))
    database.close()
    print(table(options.sizes, figures))
    shutil.rmtree(options.folder, ignore_errors=True)


def table(sizes: Sequence[int], figures: dict[tuple[str, str], list[str]]) -> str:
    """The figures in Markdown: p50 and p99 in milliseconds."""
    head = ["query", "where", *(f"{size:,} studies" for size in sizes)]
    rows = [head, ["---"] * len(head), *([name, where, *cells] for (name, where), cells in figures.items())]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def fill(database: Database, begin: int, end: int, hospitals: Sequence[UUID]) -> None:
    """Write studies begin … end, with a series and an instance each."""
    with database.transaction() as tx:
        connection = raw(tx)
        with connection.cursor().copy(
            f"COPY pacs_study (pk, view_id, {', '.join(columns.TYPES[Level.STUDY])}, modalities, sender_id, leads,"
            " called, series_count, instance_count, released, receiving, received_at, changed_at) FROM STDIN"
        ) as copy:
            for row in _studies(begin, end, hospitals):
                copy.write_row(row)
        span = {"begin": begin, "end": end}
        for statement in _BELOW:
            tx.execute(text(statement), span)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection_:
        connection_.execute(text("VACUUM ANALYZE pacs_study, pacs_series, pacs_instance"))


_BELOW = (
    """INSERT INTO pacs_series (pk, study_pk, series_uid, modality, number, description, body_part, instance_count,
         attributes, changed_at)
       SELECT pk, pk, study_uid || '.1', modalities[1], 1, '', '', 1, '{}', now() FROM pacs_study
       WHERE pk > :begin AND pk <= :end""",
    """INSERT INTO pacs_instance (pk, view_id, sender_id, study_pk, series_pk, sop_uid, sop_class, transfer_syntax,
         number, rows, columns, bits, metadata_deflated, blob, blob_size, ranges, trailer, review, reasons, proof,
         received_at)
       SELECT pk, view_id, sender_id, pk, pk, study_uid || '.1.1', '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1',
         1, 512, 512, 16, '', encode(sha256(study_uid::bytea), 'hex'), 524288, '{0,524288}', '', 'original', '{}', '{}',
         now()
       FROM pacs_study WHERE pk > :begin AND pk <= :end""",
)


def _studies(begin: int, end: int, hospitals: Sequence[UUID]) -> Iterator[tuple[object, ...]]:
    now = datetime.datetime.now(datetime.UTC)
    for number in range(begin, end):
        patient = number // 3
        scattered = hashlib.blake2b(b"%d" % patient, digest_size=3).digest()
        name = f"{LAST[scattered[0] % 20]}{scattered[1] % 50}^{FIRST[scattered[2] % 20]}"
        modality = random.choice(MODALITIES)
        metadata: Json = {
            "00080020": {"vr": "DA", "Value": [_date(number % _DAYS)]},
            "00080030": {"vr": "TM", "Value": [f"{number % 24:02d}{number % 60:02d}00"]},
            "00080050": {"vr": "SH", "Value": [f"A{number:08d}"]},
            "00080090": {"vr": "PN", "Value": [{"Alphabetic": f"{LAST[number % 20]}^{FIRST[number % 7]}"}]},
            "00081030": {"vr": "LO", "Value": [random.choice(_DESCRIPTIONS)]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]},
            "00100020": {"vr": "LO", "Value": [f"P{patient:07d}"]},
            "00100030": {"vr": "DA", "Value": ["19570101"]},
            "00100040": {"vr": "CS", "Value": ["O"]},
            "0020000D": {"vr": "UI", "Value": [_uid(1, number)]},
            "00200010": {"vr": "SH", "Value": [str(number)]},
        }
        read = columns.of_study(metadata)
        read["attributes"] = orjson.dumps(read["attributes"]).decode()
        yield (
            number + 1,
            ORIGINAL,
            *read.values(),
            [modality],
            hospitals[patient % _HOSPITALS],
            True,
            ["OVERREAD"],
            1,
            1,
            True,
            False,
            now,
            now,
        )


def _in_database(
    database: Database,
    scope: Scope,
    make: Callable[[], tuple[Keys, dict[str, str]]],
    options: argparse.Namespace,
) -> str:
    times = []
    for _ in range(_WARM + options.calls):
        keys, others = make()
        query_ = asked(keys, others)
        work = partial(query.search, scope=scope, query=query_)
        began = time.perf_counter()
        database.at_once(work, bounds.SETTINGS)
        times.append(time.perf_counter() - began)
    if options.explain:
        print("\n".join(explain(database, scope, query_)))
    return _percentiles(times)


def asked(keys: Keys, others: dict[str, str]) -> Query:
    """A shape's query as the archive takes it."""
    return Query(
        Level.STUDY,
        {_TAGS[keyword]: value for keyword, value in keys.items()},
        limit=25,
        offset=int(others.get("offset", "0")),
        fuzzy="fuzzymatching" in others,
    )


def explain(database: Database, scope: Scope, query_: Query) -> list[str]:
    """The plan by which the database searches, with what it did, line by line."""
    sql, values = query.compiled_sql(scope, query_)
    statement = ("EXPLAIN (ANALYZE, BUFFERS) " + sql).encode()
    return database.at_once(lambda found: [line for (line,) in found.execute(statement, values)], bounds.SETTINGS)


_TAGS = {
    "StudyDate": "00080020",
    "AccessionNumber": "00080050",
    "ModalitiesInStudy": "00080061",
    "PatientName": "00100010",
    "PatientID": "00100020",
    "StudyInstanceUID": "0020000D",
}


def _over_http(web: str, headers: dict[str, str], queries: Iterator[tuple[Keys, dict[str, str]]]) -> str:
    address = urlsplit(web)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    times: list[float] = []
    for keys, others in queries:
        parameters = "&".join(f"{name}={quote(value)}" for name, value in {"limit": "25", **keys, **others}.items())
        began = time.perf_counter()
        connection.request("GET", f"{address.path}/studies?{parameters}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        assert answer.status == 200, answer.status
    connection.close()
    return _percentiles(times)


def _percentiles(times: Sequence[float]) -> str:
    ordered = sorted(times[_WARM:])
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered) * 1000:.1f} ms, p99 {last * 1000:.1f} ms"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = lambda given: [int(one) for one in given.split(",")]  # noqa: E731  a type for one argument
    parser.add_argument("--sizes", type=sizes, default=[100_000, 1_000_000])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/overread-qido"))
    parser.add_argument("--explain", action="store_true", help="print the last query's plan of each shape")
    parser.add_argument("--no-http", dest="http", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    main()
