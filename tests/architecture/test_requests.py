"""What is taken from a request in one place only: its body, which has limits there, and the host that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("overread", "pacs", "dicomweb", "billing", "viewer_bridge", "cases")
#: A developer's stand-in for the payment provider, no part of a server.
OTHERS = "billing/sandbox/"
#: A body read without a limit of bytes and of time (`overread.kit.whole_body`, `dicomweb.stow.transaction._chunks`).
BODY = re.compile(r"request\.(stream|body|form|json)\(")
#: An address made of a Host field (`overread.kit.hosts`).
HOST = re.compile(
    r"\.netloc|url_for\(|request\.base_url|str\(request\.url|request\.url\.(replace|hostname|port|scheme)"
    r"""|headers(\.get\(|\[)["']host["']"""
)


def lines(allowed: set[str], pattern: re.Pattern[str]) -> list[str]:
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name in allowed or name.startswith(OTHERS):
                continue
            found += [
                f"{name}:{number}"
                for number, line in enumerate(path.read_text().split("\n"), 1)
                if pattern.search(line)
            ]
    return found


@pytest.mark.parametrize(
    ("allowed", "pattern"),
    [
        ({"overread/kit/whole_body.py"}, BODY),
        # Origin and Host are compared with each other against forged requests (decision 15).
        ({"overread/kit/hosts.py", "overread/proxy.py", "overread/kit/http.py"}, HOST),
    ],
    ids=["body", "host"],
)
def test_it_is_taken_in_one_place_only(allowed: set[str], pattern: re.Pattern[str]) -> None:
    assert lines(allowed, pattern) == []


def test_the_patterns_find_what_they_are_for() -> None:
    assert lines(set(), BODY)
    assert lines(set(), HOST)
