"""List every sentence that people read in the catalogue's template, and bring the languages' catalogues up to it.

`make messages` writes `overread/locales/overread.pot`; `make messages NEW=de` begins a language beside it.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages import Catalog, extract, pofile

ROOT = Path(__file__).parents[1]
LOCALES = ROOT / "overread/locales"
METHODS = [
    (f"{room}/**.py", "python") for room in ("billing", "cases", "dicomweb", "overread", "pacs", "viewer_bridge")
]
METHODS.append(("overread/web/templates/**.html", "jinja2"))
OPTIONS = {"overread/web/templates/**.html": {"trimmed": "true", "silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "Phrase": None, "counted": (2, 3)}


def template() -> str:
    """The template: each message once, with the files that say it (no lines, which change with every edit)."""
    found = Catalog(project="Overread", copyright_holder="Overread", charset="utf-8")
    for name, _, message, comments, context in extract.extract_from_dir(
        ROOT, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=("Translators:",)
    ):
        found.add(message, locations=[(name, None)], auto_comments=comments, context=context)
    out = io.BytesIO()
    pofile.write_po(out, found, width=110, omit_header=True, sort_output=True)
    return out.getvalue().decode()


def main(new: str = "") -> None:
    """Write the template, and every catalogue anew with what it has of the template's messages."""
    if "_" in new:
        raise SystemExit(f"A language is named as browsers do: {new.replace('_', '-')}.")
    text = template()
    (LOCALES / "overread.pot").write_text(text)
    names = sorted({*(file.stem for file in LOCALES.glob("*.po")), *([new] if new else [])})
    for name in names:
        file = LOCALES / f"{name}.po"
        known = pofile.read_po(io.BytesIO(file.read_bytes() if file.exists() else b""), locale=name.replace("-", "_"))
        begun = known.creation_date
        known.update(pofile.read_po(io.BytesIO(text.encode())), no_fuzzy_matching=True)
        known.creation_date = begun  # or every catalogue would change with each run
        with file.open("wb") as out:
            pofile.write_po(out, known, width=110, ignore_obsolete=True, sort_output=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
