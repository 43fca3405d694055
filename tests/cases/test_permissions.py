"""Permissions: one table, read by the services, the pages and the table on screen."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cases import parts
from cases.states import Actor
from overread.kit.permissions import ROLES, Permission
from overread.kit.principals import Role
from overread.web import permissions
from tests.cases.test_roles import TABLE

ROOT = Path(__file__).parents[2]
#: What `test_roles` tries, by the permission that the service asks for. A draft is its patient's until it is sent.
TRIED = {
    "update": Permission.CASE_CHANGE,
    "questions": Permission.CASE_CHANGE,
    "consent": Permission.CASE_CONSENT,
    "checkout": Permission.CASE_PAY,
    "write a message": Permission.CASE_MESSAGE,
    "withdraw": Permission.CASE_WITHDRAW,
    "upload": Permission.CASE_IMAGES_SEND,
    "review masks": Permission.CASE_STUDIES,
    "reject a study": Permission.CASE_STUDIES,
    "see specialists": Permission.CASE_OFFER,
    "record an exception": Permission.CASE_OFFER,
    "offer": Permission.CASE_OFFER,
    "take back": Permission.CASE_OFFER,
    "accept": Permission.CASE_ANSWER_OFFER,
    "refuse": Permission.CASE_ANSWER_OFFER,
    "write the report": Permission.REPORT_WRITE,
    "sign": Permission.REPORT_SIGN,
    "publish": Permission.REPORT_PUBLISH,
    "read the report": Permission.REPORT_READ,
    "follow up": Permission.CASE_FOLLOW_UP,
    "who accessed": Permission.CASE_ACCESS_LOG,
}
#: Permissions that no service asks for by name: who has them is said by a table of states, or by a page's audience.
BY_TABLE = {
    Permission.CASE_WITHDRAW: "cases.states.CASE_RULES",
    Permission.CASE_ANSWER_OFFER: "cases.states.CASE_RULES",
    Permission.REPORT_PUBLISH: "cases.states.CASE_RULES",
    Permission.CASE_VIEW: "cases.access, which asks the grant, too",
    Permission.PEOPLE_MANAGE: "overread.web.staff",
    Permission.AUDIT_READ: "overread.web.audit_log",
}


def test_every_permission_is_somebody_s() -> None:
    assert set(ROLES) | set(parts.ACTORS) == set(Permission)
    assert not set(ROLES) & set(parts.ACTORS)
    assert all(ROLES.values())
    assert all(parts.ACTORS.values())
    assert Actor.SYSTEM not in frozenset().union(*parts.ACTORS.values())


@pytest.mark.parametrize("name", TRIED)
def test_who_was_tried_is_who_may(name: str) -> None:
    _, allowed, _ = TABLE[name]
    may = {role.value for role in parts.roles(TRIED[name])}
    if TRIED[name] is Permission.CASE_CHANGE:
        may -= {"coordinator"}
    assert {role.removeprefix("other_") for role in allowed} == may


def test_the_table_on_screen_has_every_permission_once() -> None:
    named = [one for row in permissions.TABLE for one in row.permissions]
    assert sorted(named) == sorted(Permission)


@pytest.mark.parametrize("row", permissions.TABLE, ids=lambda row: row.action)
def test_a_row_on_screen_says_who_may(row: permissions.Row) -> None:
    allowed = frozenset().union(*(parts.roles(one) for one in row.permissions))
    assert set(row.words) <= allowed, "a word for a role that may not"
    cells = dict(zip(permissions.ROLES, row.line()["cells"], strict=True))
    assert {role for role in Role if cells[role.value.capitalize()] != "–"} == allowed


def _asked(room: str) -> set[str]:
    """The members of Permission that a room's code names."""
    return {
        node.attr
        for path in (ROOT / room).rglob("*.py")
        if path.name != "permissions.py" and path != ROOT / "cases" / "parts.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Permission"
    }


def test_every_permission_is_asked_for() -> None:
    asked = {one for room in ("cases", "pacs", "overread") for one in _asked(room)}
    assert {one.name for one in Permission} - asked == {
        one.name for one, where in BY_TABLE.items() if "overread" not in where
    }


@pytest.mark.parametrize("room", ["cases", "pacs", "billing", "viewer_bridge", "dicomweb"])
def test_services_ask_for_permissions_not_for_roles(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "require"
        and ast.unparse(node.func.value) == "who"
    ]
    assert found == []
