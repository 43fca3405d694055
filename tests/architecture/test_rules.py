"""Rules of the house that a linter can't hold: who commits, how long a module is, what every package says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import importlinter.cli
import pytest

from tests.architecture.source import DOCS, ROOMS, ROOT, modules, name, written

_MOST_LINES, _MOST_TEST_LINES = 500, 800
_ENDS_A_TRANSACTION = frozenset(("commit", "rollback", "begin", "begin_nested"))
#: Who may, and why.
_COMMITTERS = {
    "overread/kit/db.py": "the one place that commits",
    "overread/migrations.py": "applies the schema before there is a Database: Alembic works on a connection",
}
#: Things that begin something else than a transaction: an upload's batch, an association, a message.
_NO_SESSION = frozenset(("batch", "_batch", "dul", "messages"))
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME)\b")


def enders(tree: ast.AST) -> list[str]:
    """The calls in a module that begin or end a transaction, as `receiver.method:line`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            receiver = ast.unparse(node.func.value)
            if node.func.attr in _ENDS_A_TRANSACTION and receiver.rpartition(".")[2] not in _NO_SESSION:
                found.append(f"{receiver}.{node.func.attr}:{node.lineno}")
    return found


def test_the_rule_sees_commits() -> None:
    tree = ast.parse("def f(tx):\n    tx.commit()\n    self.batch.begin()\n    with self.session.begin(): pass\n")
    assert enders(tree) == ["tx.commit:2", "self.session.begin:4"]


def test_only_the_database_module_commits() -> None:
    found = {name(path): enders(ast.parse(path.read_text())) for path in modules(*ROOMS)}
    assert {where for where, calls in found.items() if calls} == set(_COMMITTERS), {
        where: calls for where, calls in found.items() if calls and where not in _COMMITTERS
    }


def test_only_the_database_module_makes_engines_that_applications_use() -> None:
    makers = {name(p) for p in modules(*ROOMS) if re.search(r"\b(?:create_engine|sessionmaker)\(", p.read_text())}
    assert makers == set(_COMMITTERS)


def test_no_module_is_long() -> None:
    counted = {path: len(path.read_text().splitlines()) for path in modules(*ROOMS, "tests", "benchmarks", "scripts")}
    assert len(counted) > 100
    long = {
        name(path): lines
        for path, lines in counted.items()
        if lines > (_MOST_TEST_LINES if name(path).startswith("tests/") else _MOST_LINES)
    }
    assert not long


@pytest.mark.parametrize("room", ROOMS)
def test_every_package_says_what_it_is(room: str) -> None:
    packages = [p for p in modules(room) if p.name == "__init__.py"]
    assert packages
    silent = [name(p) for p in packages if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent
    # A folder of modules is a package: without its file nobody could say what it is for.
    bare = {p.parent for p in modules(room)} - {p.parent for p in packages}
    assert not {name(folder) for folder in bare}


def test_import_contracts_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    code = importlinter.cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert code == importlinter.cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_nothing_is_left_for_later() -> None:
    suffixes = (".py", ".html", ".js", ".css", ".ts", ".tsx", ".sh", ".md")
    folders = (*ROOMS, "alembic", "benchmarks", "docs", "frontend", "scripts", "tests")
    files = [path for folder in folders for path in written(ROOT / folder, *suffixes) if path != Path(__file__)]
    assert len(files) > 200
    marks = [
        f"{name(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if _UNFINISHED.search(line)
    ]
    assert not marks


def test_decisions_are_numbered_short_and_whole() -> None:
    files = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in files]
    assert numbers == list(range(1, len(files) + 1))
    for path in files:
        text = path.read_text()
        assert len(text.splitlines()) <= 60, name(path)
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Alternatives"], name(path)
        assert text.startswith(f"# {int(path.name[:4])}. "), name(path)
