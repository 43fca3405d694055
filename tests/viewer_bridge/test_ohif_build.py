"""Preparing the hosted viewer: what is left out, what is rewritten, what is compressed."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from viewer_bridge.ohif import build

INDEX = """<!doctype html><html><head><meta name="application-name" content="OHIF Viewer">
<link rel="manifest" href="/manifest.json"><link rel="icon" type="image/png" href="/assets/favicon-16x16.png">
<link rel="apple-touch-icon" sizes="57x57" href="/assets/apple-touch-icon-57x57.png">
<script rel="preload" as="script" src="/app-config.js"></script>
<script rel="preload" as="script" type="module" src="/init-service-worker.js"></script><title>OHIF Viewer</title>
<script defer src="/app.bundle.js"></script></head><body><noscript> no </noscript><div id="root"></div></body></html>"""


def test_what_no_browser_needs_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("ort/ort.wasm", "google.js", "app.js", "app.js.map", "assets/favicon.ico", "assets/images/CT-Air.png"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    build.prune(source, tmp_path / "target")
    left = {path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*.*")}
    assert left == {"app.js", "assets/images/CT-Air.png"}


def test_the_page_names_nothing_that_was_left_out() -> None:
    page = build.neutral(INDEX)
    for word in ("OHIF", "manifest", "service-worker", "/assets/", "noscript", "preload"):
        assert word not in page
    assert page.index('<script src="/app-config.js">') < page.index('<script defer src="/app.bundle.js">')
    assert "<title>Overread viewer</title>" in page


def test_only_what_becomes_smaller_is_compressed(tmp_path: Path) -> None:
    (tmp_path / "big.js").write_bytes(b"x = 1;" * 1000)
    (tmp_path / "small.js").write_bytes(b"x")
    (tmp_path / "big.png").write_bytes(b"x" * 5000)
    build.compress(tmp_path)
    assert {path.name for path in tmp_path.glob("*.gz")} == {"big.js.gz"}
    assert gzip.decompress((tmp_path / "big.js.gz").read_bytes()) == b"x = 1;" * 1000


def test_the_lock_names_the_version_and_its_digest_and_no_registry() -> None:
    wanted = json.loads((build.HERE / "package.json").read_text())["dependencies"]["@ohif/app"]
    lock = json.loads((build.HERE / "package-lock.json").read_text())
    locked = lock["packages"]["node_modules/@ohif/app"]
    assert locked["version"] == wanted
    assert locked["integrity"].startswith("sha512-")
    assert "resolved" not in locked


def test_a_prepared_viewer_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "DIST", tmp_path)
    assert not build.is_built()
    (tmp_path / build.STAMP).write_text(build.stamp())
    monkeypatch.setattr(shutil, "which", lambda _: pytest.fail("npm was looked for"))
    assert build.build() == tmp_path


def test_without_npm_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "DIST", tmp_path / "dist")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match="npm"):
        build.build()
