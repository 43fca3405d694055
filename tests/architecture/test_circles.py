"""No module imports itself by way of others, imports for types included: each can be read without those that use it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import grimp
import pytest

ROOMS = ("billing", "cases", "dicomweb", "overread", "pacs", "viewer_bridge")


def circles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """The strongly connected modules (Tarjan), each with the modules that it imports; modules alone are none."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def ctx(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in imports.get(module, set()):
            if other not in order:
                ctx(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            at = stack.index(module)
            circle, stack[at:] = set(stack[at:]), []
            if len(circle) > 1 or module in imports.get(module, set()):
                found.append(circle)

    for module in imports:
        if module not in order:
            ctx(module)
    return found


def test_no_import_goes_in_a_circle() -> None:
    graph = grimp.build_graph(*ROOMS, exclude_type_checking_imports=False)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in sorted(graph.modules)}
    assert len(imports) > 400
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        assert circles(imports) == []
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, [{"a", "b", "c"}]),
        ({"a": {"a"}}, [{"a"}]),
        ({"a": {"b", "c"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}, [{"c", "d"}, {"a", "b"}]),
    ],
)
def test_circles_are_found(imports: dict[str, set[str]], found: list[set[str]]) -> None:
    assert sorted(map(sorted, circles(imports))) == sorted(map(sorted, found))
