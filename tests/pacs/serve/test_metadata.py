"""Metadata that is ready: the Available Transfer Syntax UID in its place, whatever surrounds it (PS3.18 F.2.2)."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.serve import metadata

SYNTAX = "1.2.840.10008.1.2.1"
_texts = st.text(max_size=12) | st.sampled_from(['},"00100010":{"vr":"PN"', '"', "\\", "}]}", '{"'])


def attributes(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    text = _texts.map(lambda value: {"vr": "LO", "Value": [value]})
    value = (
        text
        if not depth
        else text | st.lists(attributes(depth - 1), max_size=2).map(lambda items: {"vr": "SQ", "Value": items})
    )
    tags = st.sampled_from(
        ["00080005", "00080016", "00081140", "00083002", "00089007", "00090010", "00100010", "7FE00010"]
    )
    return st.dictionaries(tags, value, max_size=6)


@given(attributes(2))
def test_the_transfer_syntax_is_added_in_order_and_nothing_else_changes(ds: dict[str, Any]) -> None:
    ordered = dict(sorted(ds.items()))
    found = orjson.loads(metadata._with_syntax(orjson.dumps(ordered), SYNTAX))
    assert list(found) == sorted({*ordered, "00083002"})
    assert found == {**ordered, "00083002": {"vr": "UI", "Value": [SYNTAX]}}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_body_is_a_list_that_unpacks_in_pieces(count: int) -> None:
    bodies = [orjson.dumps({"00080018": {"vr": "UI", "Value": [str(n)]}}) for n in range(count)]
    ready = metadata.pack(bodies)
    whole = b"".join(ready.json())
    assert orjson.loads(whole) == [orjson.loads(one) for one in bodies]
    assert (len(whole), gzip.decompress(ready.gzipped)) == (ready.size, whole)


@given(
    st.lists(attributes(2) | _texts.map(lambda text: {"00080005": {"vr": "LT", "Value": [text * 2000]}}), max_size=5)
)
def test_data_sets_come_out_one_by_one_as_they_went_in(all_of_them: list[dict[str, Any]]) -> None:
    bodies = [orjson.dumps(one) for one in all_of_them]
    assert list(metadata.pack(bodies).datasets()) == bodies


def test_data_sets_are_longer_and_shorter_than_the_pieces_that_they_come_in() -> None:
    sizes = [1, (1 << 20) - 10, 3 << 20, 5, 1 << 20, 0]
    bodies = [orjson.dumps({"00080005": {"vr": "LT", "Value": ["[,\n]" * (size // 5)]}}) for size in sizes]
    assert list(metadata.pack(bodies).datasets()) == bodies
