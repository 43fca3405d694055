"""Asks every route that a specialist may call, with the identifiers of a case, and keeps what came back."""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from overread.kit.principals import Role
from tests.architecture.surface import routes_of
from tests.architecture.test_roles import AUDIENCES, OHIF, PUBLIC, VISITORS_FORMS

Route = tuple[str, str]

#: What a route is asked for: each may be another representation of the same data.
PAGES = ("text/html", "application/json")
IMAGES = (
    "*/*",
    "text/html",
    "text/plain",
    "application/json",
    "application/dicom+json",
    'multipart/related; type="application/dicom+xml"',
    'multipart/related; type="application/dicom"',
    'multipart/related; type="application/octet-stream"',
    "application/dicom",
    "application/zip",
    "image/jpeg",
    "image/png",
)
#: What may be asked wrongly; none of it repeats a patient's string.
WRONG = (
    "limit=x",
    "offset=-1",
    "fuzzymatching=perhaps",
    "viewport=0,0",
    "window=a,b,c",
    "requestType=WADO&studyUID=1.x",
)
_OPEN = PUBLIC | VISITORS_FORMS | {"/home", "/static/{path:path}"} | OHIF


def callable_by(role: Role, path: str, prefix: str) -> bool:
    """Whether a role is let in by the door of a path; the viewer's origin has no other doors than the cases'."""
    parts = path.split("/")
    found = (AUDIENCES.get("/".join(parts[:end])) for end in range(len(parts), 1, -1))
    audience = next((one for one in found if one is not None), None)
    return path in _OPEN or bool(prefix) or (audience is not None and role in audience)


class Sweep:
    """The answers that one signed-in person got from both origins, by route."""

    def __init__(self, apps: Mapping[str, ASGIApp], role: Role, token: str) -> None:
        """`apps`: a prefix (none for the portal) -> application."""
        self.answers: dict[str, bytes] = {}
        self.statuses: dict[Route, set[int]] = defaultdict(set)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._open = ExitStack()
        self._clients = {
            prefix: self._open.enter_context(TestClient(app, follow_redirects=False, raise_server_exceptions=False))
            for prefix, app in apps.items()
        }
        self._templates = {
            prefix: [(method, path, _expression(path)) for method, path in routes_of(app)]
            for prefix, app in apps.items()
        }
        self.routes = [
            (method, prefix + path)
            for prefix, templates in self._templates.items()
            for method, path, _ in templates
            if callable_by(role, path, prefix)
        ]

    def close(self) -> None:
        """Close the clients."""
        self._open.close()

    def ask(self, method: str, path: str, accept: str = "*/*", *, prefix: str = "", note: str = "", **more: Any) -> Any:
        """One request; its answer is kept and given."""
        headers = {**self._headers, "Accept": accept, **more.pop("headers", {})}
        answer = self._clients[prefix].request(method, path, headers=headers, **more)
        plain = urlsplit(path).path
        template = next(
            (t for m, t, expression in self._templates[prefix] if m == method and expression.fullmatch(plain)), None
        )
        assert template is not None, f"no route answers {method} {path}"
        assert answer.status_code < 500 or template in {one.removeprefix("viewer:") for one in OHIF}, answer.text
        self.statuses[method, prefix + template].add(answer.status_code)
        name = f"{note}{method} {prefix}{template} as {accept}: {answer.status_code}"
        self.answers[name] = self.answers.get(name, b"") + b"\n" + _seen(answer)
        return answer

    def everything(self, names: Mapping[str, str], state: str) -> None:
        """Every GET of both origins in every representation. `names`: what path parameters are."""
        self.pages(names, state)
        for path, prefix in self._gets():
            if "/dicomweb" in path:
                filled = fill(path, names)
                for accept in IMAGES:
                    self.ask("GET", filled, accept, prefix=prefix, note=f"{state}: ")
                for query in WRONG:
                    self.ask("GET", f"{filled}?{query}", prefix=prefix, note=f"{state}, {query}: ")

    def pages(self, names: Mapping[str, str], state: str) -> None:
        """Every GET that gives no images."""
        for path, prefix in self._gets():
            if "/dicomweb" not in path:
                for accept in PAGES:
                    self.ask("GET", fill(path, names), accept, prefix=prefix, note=f"{state}: ")

    def _gets(self) -> Iterator[tuple[str, str]]:
        for method, route in self.routes:
            if method == "GET":
                prefix, path = self._split(route)
                yield path, prefix

    def nonsense(self, names: Mapping[str, str]) -> None:
        """Every other method with bodies that are none."""
        for method, route in self.routes:
            if method == "GET" or route == "/sign-out":
                continue
            prefix, path = self._split(route)
            for media_type, body in (
                ("application/json", b"{}"),
                ("application/json", b'{"reason": 7'),
                ("application/dicom+json", b"[{}]"),
                ("multipart/related; boundary=x", b"--x\r\n\r\nnothing\r\n--x--"),
                ("application/x-www-form-urlencoded", b"text=&reason="),
            ):
                headers = {"Content-Type": media_type}
                self.ask(method, fill(path, names), prefix=prefix, note="nonsense: ", content=body, headers=headers)

    def _split(self, route: str) -> tuple[str, str]:
        prefix = next(one for one in sorted(self._clients, key=len, reverse=True) if route.startswith(one))
        return prefix, route.removeprefix(prefix)


def fill(path: str, names: Mapping[str, str]) -> str:
    """A path with its parameters; one that is not known yet stops the sweep."""

    def value(match: re.Match[str]) -> str:
        assert match[1] in names, (
            f"{path} has a parameter that the sweep has no value for: add {match[1]!r} to tests/web/test_surfaces.py"
        )
        return names[match[1]]

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, path)


def _expression(path: str) -> re.Pattern[str]:
    pieces = re.split(r"(\{\w+(?::path)?\})", path)
    return re.compile(
        "".join(
            (".*" if piece.endswith(":path}") else "[^/]+") if piece.startswith("{") else re.escape(piece)
            for piece in pieces
        )
    )


def _seen(answer: Any) -> bytes:
    """Head and body; an archive unpacked, with the names of its files."""
    body: bytes = answer.content
    if answer.headers.get("content-type", "").startswith("application/zip") and answer.status_code == 200:
        body = b"\n".join(_members(body))
    return str(answer.headers).encode() + b"\n" + body


def _members(packed: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for one in archive.infolist():
            yield one.filename.encode() + one.comment + one.extra
            yield archive.read(one)
