#!/usr/bin/env bash
# WeasyPrint 70.0 writes a PDF that calls itself PDF/A-3u and has glyphs of Devanagari and Thai without any Unicode value.
#
# Level U asks that every glyph that is shown has a Unicode mapping (ISO 19005-3, 6.2.11.7.2). Where several characters
# become several glyphs together (a consonant with a vowel sign before it, the Thai sign for "am"), the ToUnicode table
# gives all of the text to one of them and an empty text to the other: `<0123> <>`. Text that is taken out of the file
# has other characters in such places. Nothing is said in the log. Latin words are whole.
# Seen on Debian 12 with Noto's fonts of 2020-12-25. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q fonts-noto-core 2>/dev/null
dpkg -x fonts-noto-core_*.deb fonts
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check weasyprint==70.0
venv/bin/python - <<'PYTHON'
import re
import zlib
from pathlib import Path

import weasyprint

FONTS = Path("fonts/usr/share/fonts/truetype/noto").resolve()


def without_unicode(font: str, text: str) -> int:
    """How many glyphs of a text have an empty entry in a ToUnicode table."""
    face = f'@font-face {{ font-family: one; src: url("{(FONTS / font).as_uri()}") }} body {{ font-family: one }}'
    page = weasyprint.HTML(string=f'<title>-</title><style>{face}</style><body lang="en">{text}')
    pdf = page.write_pdf(pdf_variant="pdf/a-3u")
    found = 0
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            unpacked = zlib.decompress(stream)
        except zlib.error:
            continue
        if b"beginbfchar" in unpacked:
            found += len(re.findall(rb"^<[0-9a-f]{4}> <>$", unpacked, re.MULTILINE))
    return found


assert without_unicode("NotoSans-Regular.ttf", "The meniscus is torn.") == 0
for font, text in (("NotoSansDevanagari-Regular.ttf", "स्थिति क्षत्रिय"), ("NotoSansThai-Regular.ttf", "คำแนะนำ")):
    count = without_unicode(font, text)
    if not count:
        raise SystemExit(f"changed: every glyph of {text} has its Unicode value")
    print(f"{text}: {count} glyphs without Unicode in a PDF/A-3u")
PYTHON
