"""Write every page with sample contexts to a folder, so that the design can be seen without the server.

    python frontend/preview/render.py [--only NAME] [--shots | --serve]

`--serve` shows the folder at an address of this machine; `--shots` takes pictures with Debian's chromium, at the width
of a phone and of a desk. Undefined variables are errors: a run proves that no template asks for more than its comment
says.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from samples import PAGES

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "overread" / "web"
OUT = ROOT / "artifacts" / "preview"
WIDTHS = {"phone": 390, "desk": 1280}


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def write(only: str) -> list[str]:
    """Render the pages whose name holds `only`; returns their names."""
    environment = Environment(
        loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    OUT.mkdir(parents=True, exist_ok=True)
    static = OUT / "static"
    if not static.is_symlink():
        static.symlink_to(WEB / "static")
    names = [name for _, name, _ in PAGES if only in name]
    for template, name, context in PAGES:
        if name in names:
            (OUT / f"{name}.html").write_text(environment.get_template(template).render(context), encoding="utf-8")
    links = "".join(f'<li><a href="{name}.html">{name}</a></li>' for _, name, _ in PAGES)
    (OUT / "index.html").write_text(f"<!doctype html><title>Preview</title><ul>{links}</ul>", encoding="utf-8")
    return names


def shoot(base: str, name: str, label: str, width: int, profile: Path) -> None:
    """Take a picture of a whole page at `width` CSS pixels."""
    # Narrow pages are longer; a guess too high costs only white.
    letters = (OUT / f"{name}.html").stat().st_size
    height = min(7000, 1000 + letters // (3 if width < 500 else 8))
    # Chromium's window is at least 500 px wide: the page stands in a frame of the width that is wanted.
    frame = OUT / "frame.html"
    frame.write_text(
        "<!doctype html><style>body{margin:0}iframe{border:0;display:block}</style>"
        f'<iframe src="{name}.html" width="{width}" height="{height}"></iframe>'
    )
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
        f"--screenshot={OUT / f'{name}.{label}.png'}", f"--window-size={max(width, 500)},{height}",
        "--virtual-time-budget=2000", f"{base}/frame.html",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAME", help="pages whose name holds this")
    parser.add_argument("--shots", action="store_true", help="take pictures")
    parser.add_argument("--serve", action="store_true", help="serve the folder until interrupted")
    arguments = parser.parse_args()
    names = write(arguments.only)
    print(f"{len(names)} pages in {OUT}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=OUT))
    base = f"http://127.0.0.1:{server.server_port}"
    if arguments.serve:
        print(base)
        server.serve_forever()
    if arguments.shots:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as profile:
            for name in names:
                for label, width in WIDTHS.items():
                    shoot(base, name, label, width, Path(profile))


if __name__ == "__main__":
    main()
