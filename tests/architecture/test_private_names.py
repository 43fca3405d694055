"""pynetdicom's private names are used in `pacs.dimse.base` alone, and its version stays where they are known."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from pacs.dimse import calling, messages
from pacs.dimse.association import Served
from pacs.dimse.upper import UpperLayer

ROOT = Path(__file__).parents[2]
FILES = sorted(set((ROOT / "pacs/dimse").glob("*.py")) - {ROOT / "pacs/dimse/base.py"})


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_no_object_is_asked_for_a_private_name(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and _private(node.attr):
            owner = node.value
            assert isinstance(owner, ast.Name), f"{file.name}:{node.lineno} {ast.unparse(node)}"
            assert owner.id in ("self", "cls", "one", "other"), f"{file.name}:{node.lineno} {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pynetdicom"):
            assert not any(_private(alias.name) for alias in node.names), f"{file.name}:{node.lineno}"


def _names(source: str) -> Iterator[str]:
    yield from re.findall(r"(?:self\.|def )(_(?!_)\w+)", source)


@pytest.mark.parametrize("ours", [UpperLayer, messages.Messages, Served, calling.Calling], ids=lambda c: c.__name__)
def test_a_subclass_neither_uses_nor_overrides_one(ours: type) -> None:
    theirs, own = set[str](), set[str]()
    for base in ours.__mro__:
        if base.__module__.startswith("pynetdicom"):
            theirs |= set(_names(inspect.getsource(base)))
        elif base.__module__.startswith("pacs.dimse") and base.__module__ != "pacs.dimse.base":
            own |= set(_names(inspect.getsource(base)))
    assert theirs, "it has a base of pynetdicom's"
    assert own & theirs == set()


def test_the_version_has_a_ceiling() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [wanted] = [line for line in project["dependencies"] if line.startswith("pynetdicom")]
    assert wanted == "pynetdicom>=3.0.4,<3.1"
    assert metadata.version("pynetdicom").startswith("3.0.")
