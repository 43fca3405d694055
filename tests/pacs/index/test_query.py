"""pacs.index.query beside an oracle in plain Python, over one archive of many studies (PS3.4 C.2.2.2)."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, time
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from overread.kit.db import Database
from overread.kit.errors import BadInput
from pacs.dicom import json_values
from pacs.index import columns, query
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, STAFF, Scope
from pacs.store import rows
from tests.conftest import new_database

ALL = Scope(ORIGINAL, unreleased=True)
_FAMILIES = ["Müller", "MULLER", "Meier", "O'Neil", "de la Cruz", "Çelik", "Li", "Ångström", "A", "100%", "a_b", ""]
_GIVEN = ["Anna", "Anna Maria", "Jörg", "Li", "", "anna-maria", "X"]
_OTHER = ["", "=山田^太郎", "=山田^太郎=やまだ^たろう", "==やまだ"]
_IDS = ["P1", "p1", "P10", "P_1", "P%", "", "1", "01"]
_COUNT = 120

#: One study of the archive, by the keywords of its attributes.
Made = dict[str, Any]


def made() -> list[Made]:
    """The same studies in every run."""
    chosen = random.Random(5)
    return [
        {
            "name": f"{chosen.choice(_FAMILIES)}^{chosen.choice(_GIVEN)}".strip("^") + chosen.choice(_OTHER),
            "id": chosen.choice(_IDS),
            "date": date(2020, chosen.randint(1, 2), chosen.randint(1, 5)) if chosen.random() < 0.9 else None,
            "time": time(chosen.randint(0, 3) * 6, chosen.choice([0, 30])) if chosen.random() < 0.9 else None,
            "modalities": sorted(set(chosen.choices(["CT", "MR", "PT"], k=chosen.randint(1, 3)))),
        }
        for _ in range(_COUNT)
    ]


STUDIES = made()


def _write(database: Database) -> None:
    with database.transaction() as tx:
        for number, one in enumerate(STUDIES):
            groups = [*one["name"].split("="), "", ""]
            name = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), groups, strict=False))
            header: json_values.Json = {
                "0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]},
                "00080016": {"vr": "UI", "Value": ["1.2.3"]},
                "00100010": {"vr": "PN", "Value": [{key: value for key, value in name.items() if value}]},
                "00100020": {"vr": "LO", "Value": [one["id"]]},
            }
            if one["date"]:
                header["00080020"] = {"vr": "DA", "Value": [f"{one['date']:%Y%m%d}"]}
            if one["time"]:
                header["00080030"] = {"vr": "TM", "Value": [f"{one['time']:%H%M}"]}
            of_study = []
            for place, modality in enumerate(one["modalities"]):
                uid = f"1.2.{number}.{place}"
                of_series = {"00080060": {"vr": "CS", "Value": [modality]}}
                of_series |= {"0020000E": {"vr": "UI", "Value": [uid]}, "00080018": {"vr": "UI", "Value": [uid + ".1"]}}
                keys = columns.of({**header, **of_series})
                of_study.append(rows.Row(keys, "0" * 64, 1, "1.2.840.10008.1.2.1", json_values.deflate(header), (0, 1)))
            rows.write(tx, ORIGINAL, STAFF, of_study, watch=False)


@pytest.fixture(scope="module")
def written(postgres: str, template: str) -> Iterator[Database]:
    with new_database(postgres, template) as url:
        database = Database(url)
        _write(database)
        yield database
        database.close()


def ask(database: Database, keys: dict[str, str], **options: Any) -> list[int]:
    """The numbers of the studies that are found."""
    with database.transaction() as tx:
        results, more = query.search(tx, ALL, Query(Level.STUDY, keys, limit=1000, **options))
    assert not more
    return sorted(int(one.study_uid.rsplit(".", 1)[1]) for one in results)


def expected(matches: Callable[[Made], bool]) -> list[int]:
    return [number for number, one in enumerate(STUDIES) if matches(one)]


def _wild(pattern: str, value: str) -> bool:
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _bare(text: str) -> str:
    marks = unicodedata.normalize("NFD", text.casefold())
    return unicodedata.normalize("NFC", "".join(one for one in marks if not "\u0300" <= one <= "\u036f"))


def _name(pattern: str, name: str) -> bool:
    wanted, groups = _bare(pattern).rstrip("^"), [one.rstrip("^") for one in _bare(name).split("=")]
    # Components left out at a name's end are empty ones.
    most = 5 if re.search(r"\^[\^*]*\*$", wanted) else 1
    return any(_wild(wanted, one + "^" * empty) for one in groups if one for empty in range(most))


def _patterns(samples: list[str], alphabet: str) -> st.SearchStrategy[str]:
    """Values that are there, with wild cards put in and pieces left out; and some that are not."""

    @st.composite
    def changed(draw: st.DrawFn) -> str:
        text = list(draw(st.sampled_from(samples)))
        for place in draw(st.lists(st.integers(0, max(0, len(text) - 1)), max_size=3)):
            if place < len(text):
                text[place] = draw(st.sampled_from(["*", "?", "", text[place]]))
        return draw(st.sampled_from(["", "*"])) + "".join(text) + draw(st.sampled_from(["", "*"]))

    return st.one_of(changed(), st.text(alphabet, max_size=5)).filter(lambda one: one.strip(" *") != "")


_quick = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@_quick
@given(pattern=_patterns(_IDS, "Pp10%_*?"))
def test_wild_cards_match_as_the_oracle_says(written: Database, pattern: str) -> None:
    assert ask(written, {"00100020": pattern}) == expected(lambda one: _wild(pattern.strip(), one["id"]))


@_quick
@given(
    pattern=_patterns([one["name"].split("=")[0] for one in STUDIES] + ["山田^太郎", "やまだ^たろう"], "amüÜ^*? 山た'")
)
@example("li^*")
@example("*e la Cruz^**")
@example("Li^*^*")
@example("??^*")
@example("a")
@example("*a*")
def test_names_match_as_the_oracle_says(written: Database, pattern: str) -> None:
    if not pattern.strip(" ^*"):
        return
    cleaned = "^".join(part.strip() for part in pattern.strip().split("^"))
    assert ask(written, {"00100010": pattern}) == expected(lambda one: _name(cleaned, one["name"]))


_days = st.dates(date(2019, 12, 30), date(2020, 3, 2))
_hours = st.times(time(0), time(23, 59)).map(lambda one: one.replace(second=0, microsecond=0))


@_quick
@given(days=st.tuples(_days, _days), hours=st.tuples(_hours, _hours), form=st.sampled_from(["<>", "<", ">"]))
def test_moments_match_as_the_oracle_says(
    written: Database, days: tuple[date, date], hours: tuple[time, time], form: str
) -> None:
    first, last = (f"{day:%Y%m%d}" for day in days)
    begin, end = (f"{hour:%H%M}" for hour in hours)
    low, high = "<" in form, ">" in form
    keys = {
        "00080020": (first if low else "") + "-" + (last if high else ""),
        "00080030": (begin if low else "") + "-" + (end if high else ""),
    }

    def inside(one: Made) -> bool:
        day, clock = one["date"], one["time"]
        if day is None:
            return False
        if clock is None:
            return (not low or day > days[0]) and (not high or day < days[1])
        return (not low or (day, clock) >= (days[0], hours[0])) and (not high or (day, clock) <= (days[1], hours[1]))

    assert ask(written, keys) == expected(inside)


@_quick
@given(
    wanted=st.lists(st.sampled_from(["CT", "MR", "PT", "US"]), min_size=1, max_size=3, unique=True), every=st.booleans()
)
def test_modalities_match_as_the_oracle_says(written: Database, wanted: list[str], every: bool) -> None:
    decide = all if every else any
    found = ask(written, {"00080061": "\\".join(wanted)}, multiple_values=every)
    assert found == expected(lambda one: decide(modality in one["modalities"] for modality in wanted))


@_quick
@given(name=st.sampled_from([one["name"] for one in STUDIES]), place=st.integers(0, 9), length=st.integers(1, 9))
def test_a_name_is_found_fuzzily_by_its_words_and_by_their_beginnings(
    written: Database, name: str, place: int, length: int
) -> None:
    words = re.findall(r"\w+", name)
    if words:
        number = next(n for n, one in enumerate(STUDIES) if one["name"] == name)
        asked = " ".join([words[place % len(words)][:length], words[-1]])
        assert number in ask(written, {"00100010": asked}, fuzzy=True)


@settings(max_examples=150, deadline=None)
@given(
    key=st.sampled_from(
        ["00100010", "00100020", "00080061", "00104000", "00080020", "00080030", "0020000D", "00201208"]
    ),
    text=st.text(max_size=40),
    options=st.fixed_dictionaries({name: st.booleans() for name in ("fuzzy", "empty_values", "multiple_values")}),
)
def test_any_text_is_answered_or_refused_in_words(
    written: Database, key: str, text: str, options: dict[str, bool]
) -> None:
    said = ""
    try:
        found = ask(written, {key: text}, **options)
    except BadInput as error:
        found, said = [], error.safe
    assert set(found) <= set(range(_COUNT))
    assert said == "" or said.endswith(".")


def test_results_have_one_order_whatever_the_page(written: Database) -> None:
    with written.transaction() as tx:
        whole = [one.study_uid for one in query.search(tx, ALL, Query(Level.STUDY, limit=1000))[0]]
        pages = [query.search(tx, ALL, Query(Level.STUDY, limit=7, offset=n))[0] for n in range(0, _COUNT, 7)]
    assert [one.study_uid for page in pages for one in page] == whole
    assert len(set(whole)) == _COUNT
