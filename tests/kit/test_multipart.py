"""Taking multipart bodies apart: the same parts whatever the chunks, and limits that hold."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.kit.errors import BadInput
from overread.kit.multipart import MAX_HEADERS, MAX_PREAMBLE, Broken, PartParser

Part = tuple[dict[str, str], bytes]


def parts(body: bytes, cuts: Iterable[int] = (), boundary: str = "XX", most: int = 100) -> list[Part]:
    """The parts of a body that arrives in the pieces between the cuts."""
    parser = PartParser(boundary, max_parts=most)
    found: list[Part] = []
    content = bytearray()
    places = [0, *sorted(cuts), len(body)]
    for start, end in pairwise(places):
        for event in parser.feed(body[start:end]):
            if isinstance(event, dict):
                found.append((event, b""))
                content = bytearray()
            elif event is None:
                found[-1] = found[-1][0], bytes(content)
            else:
                assert len(event) > 0
                content += event
    parser.close()
    return found


def made(contents: Iterable[bytes], boundary: bytes = b"XX") -> bytes:
    head = b"\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(b"--" + boundary + head + content + b"\r\n" for content in contents) + b"--" + boundary + b"--\r\n"


near_misses = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"--", b"\r\n-", b"\r\n--", b"\r\n--X", b"--XX", b"\n--XX", b"ab"]
)


@given(
    st.lists(st.lists(st.one_of(near_misses, st.binary(max_size=9)), max_size=8).map(b"".join), max_size=4),
    st.data(),
)
def test_the_parts_are_the_same_however_the_body_is_cut(contents: list[bytes], data: st.DataObject) -> None:
    # What holds the delimiter itself is no content (RFC 2046 5.1.1).
    contents = [content for content in contents if b"\r\n--XX" not in b"\r\n" + content + b"\r"]
    body = made(contents)
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=12))
    assert [content for _, content in parts(body, cuts)] == contents


def test_every_cut_and_byte_by_byte() -> None:
    contents = [b"", b"\r\n", b"--XX", b"\r\n--X", b"a\r", b"\r\n--\r\n--X\r\n-", bytes(range(256))]
    body = b"a preamble\r\n" + made(contents) + b"an epilogue --XX"
    assert [content for _, content in parts(body, range(len(body)))] == contents
    for cut in range(len(body)):
        assert [content for _, content in parts(body, [cut])] == contents


def test_headers_are_read_and_space_behind_a_boundary_is_allowed() -> None:
    body = b"--XX \t\r\nContent-TYPE: a/b; c=d\r\nContent-Location:  x \r\n\r\n1\r\n--XX\r\n\r\n2\r\n--XX--"
    assert parts(body) == [({"content-type": "a/b; c=d", "content-location": "x"}, b"1"), ({}, b"2")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "does not occur"),
        (b"no boundary here", "does not occur"),
        (bytes(MAX_PREAMBLE + 3), "at its beginning"),
        (made([b"abc"])[:-6], "in the middle"),
        (b"--XX\r\nContent-Type: a/b\r\n", "in the middle"),
        (b"--XXY\r\nContent-Type: a/b\r\n\r\n1\r\n--XX--", "other characters"),
        (b"--XX\r\nnonsense\r\n\r\n1\r\n--XX--", "without a colon"),
        (b"--XX\r\n: nothing\r\n\r\n1\r\n--XX--", "without a colon"),
        (b"--XX" + b"\r\nX: y" * (MAX_HEADERS + 1) + b"\r\n\r\n1\r\n--XX--", "more than 32 headers"),
        (b"--XX" + b"\r\nX: y" * 10_000 + b"\r\n\r\n1\r\n--XX--", "8192 bytes"),
        (b"--XX\r\nX: " + b"y" * 20_000, "8192 bytes"),
        (made([b"1"] * 101), "too many parts"),
    ],
)
def test_a_broken_body_is_named(body: bytes, words: str) -> None:
    for cuts in ((), range(0, len(body), 7), range(0, len(body), 1000)):
        with pytest.raises(Broken, match=words):
            parts(body, cuts)


@pytest.mark.parametrize("boundary", ["", "x" * 201, "a\r\nb", "é", "a\x00"])
def test_a_boundary_that_none_may_be_is_refused(boundary: str) -> None:
    with pytest.raises(BadInput):
        PartParser(boundary, max_parts=1)


def test_a_boundary_of_many_characters_of_regular_expressions_is_taken_literally() -> None:
    boundary = "(.*)+[a-z]?'()+_,-./:=?"
    assert [content for _, content in parts(made([b"1", b"2"], boundary.encode()), boundary=boundary)] == [b"1", b"2"]


def test_content_is_never_held_back_by_more_than_a_delimiter() -> None:
    parser = PartParser("XX", max_parts=1)
    taken = 0
    for chunk in (b"--XX\r\n\r\n", *[b"\r\n--" * 1000] * 50):
        taken += sum(len(event) for event in parser.feed(chunk) if isinstance(event, memoryview))
    assert taken >= 50 * 4000 - 6
