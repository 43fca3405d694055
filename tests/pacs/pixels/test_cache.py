"""pacs.pixels.cache: nothing is made twice at once, and no more bytes are kept than agreed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.pixels.cache import Cache


def test_threads_that_ask_at_once_share_one_making() -> None:
    cache: Cache[bytes] = Cache(1000)
    made: list[int] = []
    go, together = Event(), Barrier(8)

    def make() -> bytes:
        made.append(1)
        go.wait(60)
        return b"value"

    def ask() -> bytes:
        together.wait(60)
        return cache.get("key", make, len)

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask) for _ in range(8)]
        go.set()
        assert {one.result(60) for one in asked} == {b"value"}
    assert len(made) == 1


def test_an_error_is_given_to_who_waits_and_not_kept() -> None:
    cache: Cache[bytes] = Cache(1000)

    def fail() -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("key", fail, len)
    assert cache.get("key", lambda: b"yes", len) == b"yes"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 80)), max_size=60))
def test_the_bytes_held_stay_within_the_capacity(asked: list[tuple[int, int]]) -> None:
    cache: Cache[bytes] = Cache(100)
    for key, size in asked:
        made = cache.get((key, size), lambda size=size: bytes(size), len)  # type: ignore[misc]
        assert len(made) == size
        assert cache.held <= 100


def test_what_was_used_last_is_kept() -> None:
    cache: Cache[bytes] = Cache(100)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda: bytes(40), len)
    assert cache.get("a", lambda: b"made again", len) == bytes(40)
    assert cache.get("b", lambda: b"made again", len) == b"made again"
