"""The docs say what the program is: settings, commands, routes, diagrams and names are compared with the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from cases import report_states, states
from overread.kit.settings import Settings
from tests.architecture import generated
from tests.architecture.source import DOCS, ROOMS, ROOT, modules, name

PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
#: Settings that nothing reads: settings.md has to say so of each.
_NOT_ENFORCED = frozenset[str]()
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(#[^)]*)?\)")
_DOTTED = re.compile(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_COMMAND = re.compile(r"\boverread ((?:token |ae |program )?[a-z]+)\b")


def page(path: str) -> str:
    return (DOCS / path).read_text()


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_generated_parts_are_fresh(path: Path) -> None:
    text = path.read_text()
    assert generated.filled(text) == text, "run python -m tests.architecture.generated"


def test_every_generated_part_stands_somewhere_once() -> None:
    found = [block for path in DOCS.rglob("*.md") for block in generated.blocks(path.read_text())]
    assert sorted(found) == sorted(generated.PARTS)


def test_the_state_diagrams_are_the_tables() -> None:
    drawn = generated.blocks(page("architecture.md"))
    for block, rules in (
        ("case-diagram", states.CASE_RULES),
        ("report-diagram", report_states.REPORT_RULES),
        ("study-diagram", states.STUDY_RULES),
    ):
        assert states.diagram(rules) in drawn[block]
        arrows = re.findall(r"^ {4}(\w+) --> (\w+): (\w+) \(([^)]+)\)$", drawn[block], re.MULTILINE)
        assert {(a, e, b, frozenset(w.split(", "))) for a, b, e, w in arrows} == {
            (r.source.value, r.event.value, r.target.value, frozenset(a.value for a in r.actors)) for r in rules
        }


def test_settings_in_the_docs_are_the_programs() -> None:
    table = generated.blocks(page("settings.md"))["settings"]
    assert re.findall(r"^\| `(\w+)` \| `OVERREAD_(\w+)`", table, re.MULTILINE) == [
        (field, field.upper()) for field in Settings.model_fields
    ]
    # What only tests and tools read is no setting of the program.
    known = {field.upper() for field in Settings.model_fields} | {"CORPUS", "ARTIFACTS"}
    for path in PAGES:
        assert set(re.findall(r"\bOVERREAD_([A-Z_]*[A-Z])\b", path.read_text())) <= known, name(path)


def test_every_setting_is_read_or_owned_up_to() -> None:
    own = ROOT / "overread/kit/settings.py"
    text = "\n".join(path.read_text() for path in modules(*ROOMS) if path != own)
    read = {f for f in Settings.model_fields if re.search(rf"\.{f}\b", text) or f"self.{f}" in own.read_text()}
    assert set(Settings.model_fields) - read == _NOT_ENFORCED
    for field in _NOT_ENFORCED:
        assert f"`{field}` is not enforced" in page("settings.md")


def test_commands_in_the_docs_are_the_programs() -> None:
    commands = {path: set(_FLAG.findall(flags)) for path, flags, _ in generated.command_lines()}
    table = generated.blocks(page("operations.md"))["commands"]
    assert re.findall(r"^\| `overread ([\w ]+)`", table, re.MULTILINE) == list(commands)
    assert all(summary for _, _, summary in generated.command_lines())
    for path in PAGES:
        for line in _shell_lines(path.read_text()):
            for called in _COMMAND.finditer(line):
                assert called[1] in commands, f"{name(path)}: {line}"
                flags = set(_FLAG.findall(line[called.end() :]))
                assert flags <= commands[called[1]], f"{name(path)}: {line}"


def _shell_lines(text: str) -> list[str]:
    """What a reader would type: indented lines and code spans that begin with our command."""
    indented = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    spans = _SPAN.findall(text)
    typed = re.compile(r"(?:\w+=\$\()?(?:\S*/)?overread [a-z]")
    return [line for line in (*indented, *spans) if typed.match(line)]


def test_every_common_flag_is_a_setting() -> None:
    """`--data-dir` is OVERREAD_DATA_DIR: the flags of `serve` and `demo` are settings, all of them."""
    for path, flags, _ in generated.command_lines():
        if path in ("serve", "demo", "config"):
            assert {flag[2:].replace("-", "_") for flag in _FLAG.findall(flags)} <= set(Settings.model_fields)


def test_every_route_in_the_docs_says_what_it_is() -> None:
    routes = generated.blocks(page("routes.md"))
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (.*) \|$", routes["portal-routes"] + routes["viewer-routes"], re.M)
    assert len(rows) > 120
    assert [row for row in rows if not row[2].strip()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_names_exist(path: Path) -> None:
    text = path.read_text()
    for target, _ in _LINK.findall(text):
        if not target.startswith(("https://", "mailto:")):
            assert (path.parent / target).exists(), target
    for span in _SPAN.findall(text):
        if _DOTTED.fullmatch(span):
            assert _resolves(span), span
        elif re.fullmatch(r"(?:tests|alembic|" + "|".join(ROOMS) + r")(?:/[\w.]*)+", span):
            assert (ROOT / span).exists(), span


def _resolves(dotted: str) -> bool:
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            if not hasattr(found, attribute) and attribute not in getattr(found, "__dataclass_fields__", {}):
                return False
            found = getattr(found, attribute, None)
        return True
    return False


def test_the_walk_names_functions() -> None:
    named = {span for span in _SPAN.findall(page("architecture.md")) if _DOTTED.fullmatch(span)}
    assert len(named) > 70
    assert not _resolves("pacs.store.ingest.no_such_function")
    assert not _resolves("pacs.serve.retrieve.Opened.no_such_method")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_readable(path: Path) -> None:
    """One title, no line beyond 120 characters but in tables and addresses, a title in every section."""
    lines = path.read_text().splitlines()
    assert [line for line in lines if line.startswith("# ")] == [lines[0]]
    assert [
        line for line in lines if len(line) > 120 and not line.startswith(("|", "    ")) and "https://" not in line
    ] == []
