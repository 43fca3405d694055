"""Where the tests find the program's own text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("billing", "cases", "dicomweb", "overread", "pacs", "viewer_bridge")
DOCS = ROOT / "docs"
#: Built, installed, or kept by tools: not ours to judge.
_FOREIGN = frozenset(("node_modules", "dist", "build", "__pycache__"))


def modules(*folders: str) -> Iterator[Path]:
    """Every Python module below these folders of the checkout."""
    for folder in folders:
        yield from written(ROOT / folder, ".py")


def written(folder: Path, *suffixes: str) -> Iterator[Path]:
    """Every file below a folder with one of these suffixes that a person wrote."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in suffixes and path.is_file() and not _FOREIGN & set(path.relative_to(ROOT).parts):
            yield path


def name(path: Path) -> str:
    """A file as the checkout names it, with slashes."""
    return path.relative_to(ROOT).as_posix()
