"""Frames in flight: the budget of bytes, the turns of principals, and what happens to those who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from anyio import from_thread, to_thread
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from overread.kit import threads
from overread.kit.errors import Unavailable
from pacs.pixels.layout import Layout
from pacs.pixels.turns import PIECE, Turns, to_make


class Crowd:
    """Threads that take turns and hold them until they are let go."""

    def __init__(self, turns: Turns, pool: ThreadPoolExecutor) -> None:
        self.turns, self._pool = turns, pool
        self.order: list[str] = []
        self._lock = threading.Lock()

    def enter(self, name: str, size: int) -> tuple[Future[None], threading.Event, threading.Event]:
        """Ask for a turn, in a thread; gives the work, what tells that it began, and what ends it."""
        begun, leave = threading.Event(), threading.Event()

        def work() -> None:
            with self.turns.turn(size, name):
                with self._lock:
                    self.order.append(name)
                begun.set()
                leave.wait(30)

        return self._pool.submit(work), begun, leave

    def waiting(self, count: int) -> None:
        """Return when so many wait."""
        until(lambda: sum(map(len, self.turns._waiting.values())) == count)


def until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(64) as made:
        yield made


def test_no_more_is_in_flight_than_there_is_room_for(pool: ThreadPoolExecutor) -> None:
    turns = Turns(100, each=40)
    inside, most, lock = [0], [0], threading.Lock()

    def work(_: int) -> None:
        with turns.turn(30, "a"):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.002)
            with lock:
                inside[0] -= 1

    list(pool.map(work, range(40)))
    assert most[0] == 3
    assert (turns.peak, turns.held) == (90, 0)


def test_what_is_larger_than_all_there_is_runs_alone(pool: ThreadPoolExecutor) -> None:
    turns = Turns(100)
    crowd = Crowd(turns, pool)
    small, begun, leave = crowd.enter("a", 10)
    assert begun.wait(30)
    giant, giant_begun, giant_leave = crowd.enter("b", 1000)
    crowd.waiting(1)
    late, late_begun, late_leave = crowd.enter("c", 10)
    crowd.waiting(2)
    # What came later and would fit does not overtake it for ever.
    assert not late_begun.is_set()
    leave.set()
    assert giant_begun.wait(30)
    assert turns.held == 1000
    giant_leave.set()
    assert late_begun.wait(30)
    late_leave.set()
    for one in (small, giant, late):
        one.result(30)
    assert turns.held == 0


def test_principals_have_turns_whoever_came_first(pool: ThreadPoolExecutor) -> None:
    turns = Turns(1, each=1)
    crowd = Crowd(turns, pool)
    first, begun, leave = crowd.enter("greedy", 1)
    assert begun.wait(30)
    others = []
    for name in ["greedy"] * 5 + ["b"] * 2 + ["c"]:
        others.append(crowd.enter(name, 1))
        crowd.waiting(len(others))
    leave.set()
    for _, _, end in others:
        end.set()
    for work, _, _ in [(first, begun, leave), *others]:
        work.result(30)
    assert crowd.order == ["greedy", "greedy", "b", "c", "greedy", "b", "greedy", "greedy", "greedy"]


def test_one_principal_has_a_few_at_once_and_leaves_room(pool: ThreadPoolExecutor) -> None:
    turns = Turns(1000, each=2)
    crowd = Crowd(turns, pool)
    mine = [crowd.enter("a", 1) for _ in range(3)]
    until(lambda: len(crowd.order) == 2)
    crowd.waiting(1)
    theirs = crowd.enter("b", 1)
    assert theirs[1].wait(30)
    for work, _, leave in [*mine, theirs]:
        leave.set()
        work.result(30)


def test_too_long_a_line_is_refused_at_once_and_nobody_waits_for_ever(pool: ThreadPoolExecutor) -> None:
    turns = Turns(1, each=1, line=2, lines=3, patience=30)
    crowd = Crowd(turns, pool)
    first, begun, leave = crowd.enter("a", 1)
    assert begun.wait(30)
    others = [crowd.enter("a", 1) for _ in range(2)]
    crowd.waiting(2)
    with pytest.raises(Unavailable), turns.turn(1, "a"):
        pass
    others.append(crowd.enter("b", 1))
    crowd.waiting(3)
    with pytest.raises(Unavailable) as refused, turns.turn(1, "c"):
        pass
    assert refused.value.status == 503
    for end in (leave, *(end for _, _, end in others)):
        end.set()
    for work, _, _ in [(first, begun, leave), *others]:
        work.result(30)
    hasty = Turns(1, each=1, patience=0.05)
    with hasty.turn(1, "a"):
        with pytest.raises(Unavailable):
            pool.submit(lambda: hasty.turn(1, "b").__enter__()).result(30)
        assert not hasty._waiting
    with hasty.turn(1, "b"):
        pass


def test_within_a_turn_there_is_no_other() -> None:
    turns = Turns(1, each=1)
    with turns.turn(1, "a"), turns.turn(500, "a"):
        assert turns.held == 1
    assert turns.held == 0
    with pytest.raises(ZeroDivisionError), turns.turn(1, "a"):
        _ = 1 // 0
    assert turns.held == 0


def test_what_was_made_is_in_flight_until_it_is_taken() -> None:
    turns = Turns(10 * PIECE, each=2)
    frame = bytes(range(256)) * (3 * PIECE // 256) + b"x"
    pieces = turns.sent(frame, "a")
    first = next(pieces)
    # Sent to two, it is there once.
    again = turns.sent(frame, "a")
    next(again)
    assert turns.held == len(frame)
    assert len(first) == PIECE
    # Both are turns of their principal, who has no more of them.
    turns._patience = 0.01
    with pytest.raises(Unavailable), turns.turn(1, "a"):
        pass
    assert first + b"".join(pieces) == frame
    del again
    assert (turns.held, turns._busy, turns._sent) == (0, {}, {})


def test_a_reader_that_goes_away_gives_it_back() -> None:
    turns = Turns(10 * PIECE)
    pieces = turns.sent(bytes(3 * PIECE), "a")
    next(pieces)
    del pieces
    assert (turns.held, turns._busy) == (0, {})


def test_small_frames_are_not_counted() -> None:
    turns = Turns(1)
    assert list(turns.sent(b"abc", "a")) == [b"abc"]
    assert turns.peak == 0


def test_a_frames_size_is_known_before_it_is_made() -> None:
    form = Layout(8192, 8192, 1, 16, 16, 15, False, False, False, "MONOCHROME2")
    assert to_make(form, 1 << 20) == (1 << 20) + (256 << 20)
    assert to_make(form, 0, drawn=True) == (256 << 20) + 6 * (64 << 20)


class Model(RuleBasedStateMachine):
    """Turns taken and given back by one thread, against plain counting."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns(100, each=2, line=0)
        self.open: list[tuple[str, int]] = []

    @rule(who=st.sampled_from("abc"), size=st.integers(0, 150))
    def take(self, who: str, size: int) -> None:
        held = sum(one for _, one in self.open)
        fits = sum(name == who for name, _ in self.open) < 2 and (not held or held + size <= 100)
        if fits:
            self.turns._take(who, size)
            self.open.append((who, size))
        else:
            with pytest.raises(Unavailable):
                self.turns._take(who, size)

    @rule(at=st.integers(0, 10))
    def give(self, at: int) -> None:
        if self.open:
            who, size = self.open.pop(at % len(self.open))
            with self.turns._lock:
                self.turns._give(who, size)

    @invariant()
    def counted(self) -> None:
        assert self.turns.held == sum(size for _, size in self.open)
        assert self.turns.held <= 100 or len([size for _, size in self.open if size]) == 1


TestModel = Model.TestCase


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 120)), max_size=30))
def test_everybody_has_a_turn_in_the_end(asked: list[tuple[str, int]]) -> None:
    turns = Turns(100, each=1)
    with ThreadPoolExecutor(max(1, len(asked))) as pool:

        def work(one: tuple[str, int]) -> str:
            with turns.turn(one[1], one[0]):
                return one[0]

        assert list(pool.map(work, asked)) == [name for name, _ in asked]
    assert (turns.held, turns._busy, turns._waiting) == (0, {}, {})


def test_a_thread_that_waits_lends_its_place() -> None:
    """With one place in the pool, a thread that waits keeps nobody from working."""
    turns = Turns(1, each=1)

    async def main() -> list[str]:
        to_thread.current_default_thread_limiter().total_tokens = 1
        done: list[str] = []

        def decode() -> None:
            with turns.turn(1, "b"):
                done.append("decoded")

        async with anyio.create_task_group() as group:
            turns._take("a", 1)
            group.start_soon(to_thread.run_sync, decode)
            while not turns._waiting:  # noqa: ASYNC110  a thread's doing
                await anyio.sleep(0.001)
            # Would wait for ever for the only place.
            await to_thread.run_sync(lambda: done.append("searched"))
            with turns._lock:
                turns._give("a", 1)
        assert to_thread.current_default_thread_limiter().total_tokens == 1
        return done

    assert anyio.run(main) == ["searched", "decoded"]


def test_threads_of_nobody_lend_nothing() -> None:
    with threads.waiting():
        pass
    with pytest.raises((RuntimeError, anyio.NoEventLoopError)):
        from_thread.run_sync(lambda: None)
