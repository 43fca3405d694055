"""One clock, asked when it is needed: nothing hangs on the minute or the day on which the tests are started."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import ROOMS, modules, name

#: What tells the time of day, by the names that it is called by here; ruff (DTZ) sees to the time zone.
_CLOCKS = re.compile(r"(?:^|\.)(?:datetime\.(?:utc)?now|date\.today|time\.time(?:_ns)?|clock\.now)$")
#: Who asks the machine besides the clock, and why.
_OWN = {
    "overread/kit/clock.py": "it is the clock",
    "overread/kit/local_blobs.py": "the age of files, as the file system counts it",
    "billing/sandbox/world.py": "the provider's clock, which tests move",
    "billing/sandbox/webhooks.py": "a signature is of the receiver's time, wherever the provider's clock stands",
}


def asked(node: ast.AST, *, at_import: bool = False) -> list[str]:
    """The calls that ask for the time of day, as `call:line`; `at_import` those that an import of the module makes."""
    found = []
    if isinstance(node, ast.Call) and _CLOCKS.search(called := ast.unparse(node.func)):
        found.append(f"{called}:{node.lineno}")
    for field, value in ast.iter_fields(node):
        # A function's body runs later, its decorators and defaults don't.
        if at_import and field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, ast.AST):
                found += asked(inner, at_import=at_import)
    return found


def test_the_rule_sees_what_an_import_asks() -> None:
    source = """
NOW = clock.now()
class A:
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    was = time.time()
@parametrize("at", [sign(int(time.time_ns())), lambda: date.today()])
def test(at, since=datetime.datetime.now(UTC)):
    clock.now()
"""
    tree = ast.parse(source)
    assert sorted(asked(tree, at_import=True)) == [
        "clock.now:2", "datetime.datetime.now:7", "time.time:5", "time.time_ns:6"
    ]  # fmt: skip
    assert len(asked(tree)) == 7


def test_only_the_clock_asks_the_machine() -> None:
    own = {name(path): asked(ast.parse(path.read_text())) for path in modules(*ROOMS)}
    askers = {where: [call for call in calls if not call.startswith("clock.now")] for where, calls in own.items()}
    assert {where: calls for where, calls in askers.items() if calls and where not in _OWN} == {}
    assert all(askers[where] for where in _OWN)


def test_no_test_asks_for_the_time_while_it_is_collected() -> None:
    """What is made then is minutes old when the test runs, or of yesterday."""
    early = {name(path): asked(ast.parse(path.read_text()), at_import=True) for path in modules("tests")}
    assert {where: calls for where, calls in early.items() if calls} == {}


#: The worker enqueues jobs of its own whenever a minute or an hour begins.
_COUNTS_JOBS = re.compile(r"\bcount\(.*\bprocrastinate_jobs\b", re.IGNORECASE | re.DOTALL)
_NAMES_THEM = re.compile(r"\b(?:args\s*->|task_name\s*(?:=|IN\b)|id\s*=)", re.IGNORECASE)


def nameless(tree: ast.AST) -> list[int]:
    """The lines on which jobs are counted, whosever they are."""
    texts = [(n.lineno, n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [line for line, text in texts if _COUNTS_JOBS.search(text) and not _NAMES_THEM.search(text)]


@pytest.mark.parametrize(
    ("where", "seen"),
    [("", [1]), ("WHERE status = 'todo'", [1]), ("WHERE args->>'event' = 'Rang'", []), ("WHERE task_name = 'x'", [])],
)
def test_the_rule_sees_jobs_counted_without_a_name(where: str, seen: list[int]) -> None:
    assert nameless(ast.parse(f'text("SELECT count(*) FROM procrastinate_jobs {where}")')) == seen


def test_who_counts_jobs_names_them() -> None:
    # This file's own patterns and examples count nothing.
    found = {
        name(path): nameless(ast.parse(path.read_text()))
        for path in modules("tests")
        if path.name != "test_clock.py" or path.parent.name != "architecture"
    }
    assert {where: lines for where, lines in found.items() if lines} == {}
