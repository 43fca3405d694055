"""Which characters the fonts of this machine have, as fontconfig knows them: by it reports are set."""

from __future__ import annotations

import ctypes
from functools import cache

#: A letter of each script that reports are promised in, and the Debian package whose fonts have it.
_LETTERS = {
    "Latin": ("ß", "fonts-noto-core"),
    "Greek": ("ω", "fonts-noto-core"),
    "Cyrillic": ("ж", "fonts-noto-core"),
    "Arabic": ("ع", "fonts-noto-core"),
    "Hebrew": ("א", "fonts-noto-core"),
    "Devanagari": ("अ", "fonts-noto-core"),
    "Bengali": ("অ", "fonts-noto-core"),
    "Tamil": ("அ", "fonts-noto-core"),
    "Thai": ("ก", "fonts-noto-core"),
    "Chinese": ("医", "fonts-noto-cjk"),
    "Japanese": ("の", "fonts-noto-cjk"),
    "Korean": ("한", "fonts-noto-cjk"),
}


class _FontSet(ctypes.Structure):
    """fontconfig's FcFontSet."""

    _fields_ = (("nfont", ctypes.c_int), ("sfont", ctypes.c_int), ("fonts", ctypes.POINTER(ctypes.c_void_p)))


@cache
def has(character: str) -> bool:
    """Whether any font has a character. Raises OSError where fontconfig itself is missing."""
    library, every = _every()
    return bool(library.FcCharSetHasChar(every, ctypes.c_uint32(ord(character))))


def lacking() -> str:
    """A sentence that names the scripts which no font has, and what to install; empty where all is there."""
    try:
        missing = {script: package for script, (letter, package) in _LETTERS.items() if not has(letter)}
    except OSError:
        return "fontconfig is missing, and so no report can be made: install libpangoft2-1.0-0."
    if not missing:
        return ""
    packages = " ".join(sorted(set(missing.values())))
    return f"No font has {', '.join(missing)}: reports name such letters in words until {packages} is installed."


@cache
def _every() -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    """fontconfig, and the set of the characters of all fonts; asked for once a process."""
    library = ctypes.CDLL("libfontconfig.so.1")
    for name in ("FcPatternCreate", "FcObjectSetCreate", "FcFontList", "FcCharSetCreate"):
        getattr(library, name).restype = ctypes.c_void_p
    anything, wanted = ctypes.c_void_p(library.FcPatternCreate()), ctypes.c_void_p(library.FcObjectSetCreate())
    library.FcObjectSetAdd(wanted, b"charset")
    found = ctypes.c_void_p(library.FcFontList(None, anything, wanted))
    listed = ctypes.cast(found, ctypes.POINTER(_FontSet)).contents
    every = ctypes.c_void_p(library.FcCharSetCreate())
    for number in range(listed.nfont):
        of_font = ctypes.c_void_p()
        pattern = ctypes.c_void_p(listed.fonts[number])
        if library.FcPatternGetCharSet(pattern, b"charset", 0, ctypes.byref(of_font)) == 0:
            library.FcCharSetMerge(every, of_font, None)
    library.FcFontSetDestroy(found)
    library.FcObjectSetDestroy(wanted)
    library.FcPatternDestroy(anything)
    return library, every
