"""Fetch OHIF with npm, take what a browser needs of it, compress it, and put it into `dist/` beside this file.

The lock names that one package and none of those that it was built from: what is published holds a finished `dist/`,
which npm checks against the SHA-512 in the lock.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from viewer_bridge.ohif import patches

HERE = Path(__file__).parent
DIST = HERE / "dist"
STAMP = ".stamp"
# onnxruntime (136 MB, for segmentation models that nothing here loads) goes; so do pages for sign-in by OpenID Connect
# and Google's cloud, which would be a way in that nobody looks after.
_LEFT_OUT = frozenset(
    (
        "ort",
        "customizations",
        "google.js",
        "silent-refresh.html",
        "oidc-client.min.js",
        "init-service-worker.js",
        "sw.js",
        "app-config.js",
        "manifest.json",
        "serve.json",
        "_headers",
        "_redirects",
        "es6-shim.min.js",
        "polyfill.min.js",
        "ohif-logo.svg",
        "ohif-logo-light.svg",
    )
)
_COMPRESSED = frozenset((".js", ".css", ".wasm", ".json", ".svg", ".html"))
_LEAST_COMPRESSED = 1024  # bytes: below it a gzip header eats what is saved
# Tags of index.html for files that were left out, and icons of another product.
_UNWANTED_TAGS = (
    r'<script[^>]*src="/init-service-worker\.js"[^>]*></script>',
    r'<link rel="manifest"[^>]*>',
    r'<link rel="(?:apple-touch-[a-z-]+|icon|icon shortcut|yandex-tableau-widget)"[^>]*>',
    r'<meta name="(?:msapplication-[A-Za-z]+|apple-mobile-web-app-title)"[^>]*>',
    r"<noscript>.*?</noscript>",
)


def stamp() -> str:
    """What a prepared `dist/` is made of: the lock, this very script, and what it rewrites."""
    digest = hashlib.sha256()
    for path in (HERE / "package-lock.json", Path(__file__), Path(patches.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_built() -> bool:
    """Whether `dist/` is there and made by this version of the script from this version of the viewer."""
    try:
        return (DIST / STAMP).read_text() == stamp()
    except FileNotFoundError:
        return False


def build() -> Path:
    """Prepare `dist/` where it is missing or old, and return it. Raises CalledProcessError where npm fails."""
    if is_built():
        return DIST
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm was not found; the hosted viewer is fetched with npm (Node.js 20 or newer).")
    # A folder beside the target, so that the rename at the end stays on one file system.
    with tempfile.TemporaryDirectory(dir=HERE, prefix=".build-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, work / name)
        subprocess.run(  # noqa: S603  a fixed command
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=work, check=True
        )
        prepared = work / "prepared"
        package = work / "node_modules" / "@ohif" / "app"
        prune(package / "dist", prepared)
        shutil.copy(package / "LICENSE", prepared / "LICENSE.txt")
        index = prepared / "index.html"
        index.write_text(neutral(index.read_text()))
        patches.apply(prepared)
        compress(prepared)
        (prepared / STAMP).write_text(stamp())
        prepared.chmod(0o755)
        if DIST.exists():
            DIST.rename(work / "old")
        prepared.rename(DIST)
    sys.stdout.write(f"the hosted viewer is ready in {DIST.name}/\n")
    return DIST


def prune(source: Path, target: Path) -> None:
    """Copy what a browser needs; no source maps, none of what is left out above."""

    def unwanted(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        if here == source / "assets":
            return {name for name in names if name != "images"}  # the others are icons of OHIF's own site
        return {name for name in names if name.endswith(".map") or (here == source and name in _LEFT_OUT)}

    shutil.copytree(source, target, ignore=unwanted)


def neutral(index: str) -> str:
    """OHIF's page without references to what was left out, under a name of our own.

    app-config.js runs before the bundle and in order, so it stays an ordinary script.
    """
    for tag in _UNWANTED_TAGS:
        index = re.sub(tag, "", index, flags=re.DOTALL)
    index = re.sub(r'<script rel="preload" as="script" src="/app-config\.js">', '<script src="/app-config.js">', index)
    index = index.replace('content="OHIF Viewer"', 'content="Overread viewer"')
    title = '<title>Overread viewer</title><link rel="icon" href="/icon.svg">'
    return re.sub(r"<title>.*?</title>", title, index)


def compress(folder: Path) -> None:
    """Write a `.gz` beside every file that becomes smaller by it, once and thoroughly instead of at each request."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _COMPRESSED or path.stat().st_size < _LEAST_COMPRESSED:
            continue
        plain = path.read_bytes()
        packed = gzip.compress(plain, 9, mtime=0)
        if len(packed) < 0.95 * len(plain):
            path.with_name(path.name + ".gz").write_bytes(packed)
