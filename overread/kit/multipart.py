"""multipart/related bodies taken apart as they arrive (RFC 2046 5.1.1, RFC 2387; PS3.18 8.6.1.2).

The content of a part is never copied: it is handed on as views of the chunk that it came in.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from enum import Enum, auto

from overread.kit.errors import BadInput
from overread.kit.language import Phrase, gettext

#: Bytes of one part's headers, lines of them, and bytes that may stand before the first boundary.
MAX_HEAD = 8192
MAX_HEADERS = 32
MAX_PREAMBLE = 65_536

#: The headers of a part that begins (names in lower case), some of its content, or None where it ends.
Event = dict[str, str] | memoryview | None


class Broken(BadInput):
    """The body is not multipart, or is cut off."""

    title = Phrase("The multipart body is broken")

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, safe=sentence)


class _State(Enum):
    PREAMBLE = auto()
    HEAD = auto()
    CONTENT = auto()
    END = auto()


class PartParser:
    """Give it the body in chunks; it yields each part's headers, content and end."""

    def __init__(self, boundary: str, *, max_parts: int) -> None:
        if not 1 <= len(boundary) <= 200 or not boundary.isascii() or not boundary.isprintable():
            raise BadInput(
                "no usable boundary", safe=gettext("The Content-Type names no boundary of 1 to 200 ASCII characters.")
            )
        self._delimiter = b"\r\n--" + boundary.encode()
        self._state = _State.PREAMBLE
        # The line end that belongs to a delimiter may be missing before the first one.
        self._kept = b"\r\n"
        self._preamble = 0
        self._parts_left = max_parts

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next chunk. The events must be used up before the next one. Raises Broken."""
        buffer = self._kept + data if self._kept else data
        self._kept = b""
        view, pos = memoryview(buffer), 0
        while self._state is not _State.END:
            if self._state is _State.HEAD:
                if buffer.startswith(b"--", pos):
                    self._state = _State.END
                    return
                end = self._head_end(buffer, pos)
                if end < 0:
                    self._kept = buffer[pos:]
                    return
                yield _headers(buffer[pos:end])
                self._state = _State.CONTENT
                pos = end + 4
                continue
            found = _find(buffer, self._delimiter, pos)
            end = found if found >= 0 else self._certain_end(buffer, pos)
            if self._state is _State.CONTENT and end > pos:
                yield view[pos:end]
            elif self._state is _State.PREAMBLE:
                self._skip(end - pos)
            if found < 0:
                self._kept = buffer[end:]
                return
            if self._state is _State.CONTENT:
                yield None
            self._state, pos = _State.HEAD, found + len(self._delimiter)

    def close(self) -> None:
        """The body has ended. Raises Broken where it did not end with its closing delimiter."""
        if self._state is _State.PREAMBLE:
            raise Broken("The body is not multipart: its boundary does not occur.")
        if self._state is not _State.END:
            raise Broken("The multipart body ends in the middle of a part.")

    def _head_end(self, buffer: bytes, pos: int) -> int:
        """Where the headers that begin at `pos`, directly behind a boundary, end; -1 where more is needed."""
        end = buffer.find(b"\r\n\r\n", pos, pos + MAX_HEAD + 4)
        if end < 0 and len(buffer) - pos > MAX_HEAD:
            raise Broken(f"A part of the multipart body has headers of more than {MAX_HEAD} bytes.")
        if end >= 0:
            self._parts_left -= 1
            if self._parts_left < 0:
                raise Broken("The multipart body has too many parts for one request.")
        return end

    def _certain_end(self, buffer: bytes, pos: int) -> int:
        """Up to where the bytes are content for sure: what might begin a delimiter waits for the next chunk."""
        start = buffer.rfind(b"\r", max(pos, len(buffer) - len(self._delimiter) + 1))
        return start if start >= 0 and self._delimiter.startswith(buffer[start:]) else len(buffer)

    def _skip(self, size: int) -> None:
        self._preamble += size
        if self._preamble > MAX_PREAMBLE:
            raise Broken("The body is not multipart: its boundary does not occur at its beginning.")


_memmem = ctypes.CDLL(None).memmem
_memmem.restype = ctypes.c_void_p
_memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


def _find(buffer: bytes, needle: bytes, pos: int) -> int:
    """`buffer.find(needle, pos)` as the C library does it: a tenth of the time, and other threads go on meanwhile."""
    start = ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
    found = _memmem(start + pos, len(buffer) - pos, needle, len(needle))
    return found - start if found else -1


def _headers(block: bytes) -> dict[str, str]:
    """The headers of a part; `block` begins with what follows the boundary on its line, which is only space."""
    padding, *lines = block.decode("latin-1").split("\r\n")
    if padding.strip(" \t"):
        raise Broken("A line of the multipart body begins with the boundary and goes on with other characters.")
    if len(lines) > MAX_HEADERS:
        raise Broken(f"A part of the multipart body has more than {MAX_HEADERS} headers.")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise Broken("A part of the multipart body has a header line without a colon.")
        headers[name.strip().lower()] = value.strip()
    return headers
