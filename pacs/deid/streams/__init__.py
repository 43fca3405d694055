"""Compressed frames walked by their structure: what a decoder of pixels needs is told from what else stands there.

Each module has `scan(data, start, end)`, which walks one frame in `data[start:end]` and yields patches, whose offsets
are places in `data`, and sentences where nobody can say what the bytes are. No pixel is decoded: within entropy-coded
data only its end is looked at, where words may follow the last pixel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from mmap import mmap

#: Bytes that can be searched without a copy.
Data = bytes | mmap
#: A patch: where, and which bytes stand there instead.
Patch = tuple[int, bytes]
#: What a walk finds: a patch, or a reason to withhold.
Found = Patch | str
#: Walks one frame: (data, start, end).
Scan = Callable[[Data, int, int], Iterator[Found]]

#: What fills a fragment or follows the last marker without saying anything.
_PADDING = b"\0\xff "
_CHUNK = 1 << 20

#: The least that counts as words at the end of entropy-coded data. By chance so many bytes are letters once in a
#: hundred million frames; blank pixels repeat few different ones.
_LEAST_LETTERS, _LONGEST_LOOK = 6, 64
_words = re.compile(rb"[0-9A-Za-z ^.,:;/=_-]{14,}[\0\xff]*\Z").search
#: So many characters of a text in a row stand in binary numbers in one of seven million places by chance.
legible = re.compile(rb"[A-Za-z0-9 ^,.'=-]{12}").search
WORDS_BEHIND = "Words seem to stand behind the last pixel of a compressed frame."


def says_nothing(data: Data, start: int, end: int) -> bool:
    """Tell whether only padding stands in a range."""
    return not any(data[at : min(at + _CHUNK, end)].strip(_PADDING) for at in range(start, end, _CHUNK))


def blanked(data: Data, start: int, end: int) -> Iterator[Patch]:
    """Zeros over a range, unless only padding stands there."""
    if not says_nothing(data, start, end):
        yield start, bytes(end - start)


def words_before(data: Data, end: int) -> bool:
    """Tell whether entropy-coded data that ends there ends in what looks like words."""
    found = _words(data[max(0, end - _LONGEST_LOOK) : end])
    return found is not None and len(set(found.group())) >= _LEAST_LETTERS
