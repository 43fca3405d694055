"""The process that meets strangers' codestreams: `python -m pacs.pixels.worker`, started by `pacs.pixels.workers`.

It has a socket for its standard input, no secrets, no database, and limits of memory and time. Whatever a
codec does to it, the server lives on. It ends when its socket is closed, or when nobody has asked for a while.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Mapping
from typing import Any

import imagecodecs
import numpy as np

from pacs.pixels import blank, colour, encode, recompress, stored, wire
from pacs.pixels.confine import confine
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.layout import Layout

#: A head, how the samples lie, and bytes, to bytes.
Operation = Callable[[dict[str, Any], Layout, bytes], bytes | memoryview]

#: The address space: frames of the largest size that `layout` allows, several times over.
MAX_MEMORY = 2 << 30
#: Seconds of processor time for one frame.
MAX_SECONDS = 20
#: Seconds without work, after which the process ends.
IDLE_SECONDS = 60.0
#: The longest codestream.
MAX_FRAME = 1 << 30


def decode(head: dict[str, Any], form: Layout, frame: bytes) -> bytes | memoryview:
    """Answer {"op": "decode", "syntax"}: stored values, row by row; {"convert": False}: YBR left as `stored` says."""
    found = stored.values(form, frame, head["syntax"], convert=head.get("convert", True))
    return found.data.cast("B") if found.flags.c_contiguous else found.tobytes()


def transcode(head: dict[str, Any], form: Layout, frame: bytes) -> bytes | memoryview:
    """Answer {"op": "transcode", "syntax", "target", "bit_offset"}: the frame in the target transfer syntax."""
    if recompress.can(form, head["syntax"], head["target"]):
        return recompress.recompressed(frame, form, head["target"])
    found = stored.values(form, frame, head["syntax"], bit_offset=head["bit_offset"], convert=False)
    return encode.frame(found, form, head["target"], ybr=stored.stays_ybr(form, head["syntax"]))


def recolour(head: dict[str, Any], form: Layout, frame: bytes) -> bytes | memoryview:
    """Answer {"op": "recolour", "profiles"}: RGB of 8 bits, behind its ICC profile and the one that is wanted."""
    own, wanted = head["profiles"]
    pixels = np.frombuffer(frame, np.uint8, form.count, own + wanted).reshape(form.shape)
    try:
        found = imagecodecs.cms_transform(
            pixels, frame[:own], frame[own : own + wanted], colorspace="RGB", outcolorspace="RGB"
        )
    except imagecodecs.CmsError as damaged:
        raise CannotDecode(f"the colour profile can't be used: {damaged}") from damaged
    return bytes(found.data)


def blanked(head: dict[str, Any], form: Layout, frame: bytes) -> bytes | memoryview:
    """Answer {"op": "blank", "syntax", "target", "photometric", "boxes"}: the frame in `target`, its boxes blank."""
    boxes = [blank.Box(*box) for box in head["boxes"]]
    return blank.coded(frame, form, head["syntax"], head["target"], head["photometric"], boxes)


_CODECS = (
    "jpeg8_decode", "jpeg8_encode", "jpegls_decode", "jpegls_encode", "jpeg2k_decode", "jpeg2k_encode", "htj2k_encode",
    "jpegxl_decode", "jpegxl_encode", "jpegxl_decode_jpeg", "jpegxl_encode_jpeg",
    "packbits_decode", "packbits_encode", "cms_transform",
)  # fmt: skip

#: What may be asked for.
OPERATIONS: dict[str, Operation] = {
    "blank": blanked,
    "decode": decode,
    "transcode": transcode,
    "recolour": recolour,
}


def serve(sock: socket.socket, operations: Mapping[str, Operation] = OPERATIONS) -> None:
    """Answer until the other side hangs up or is silent for long."""
    while True:
        sock.settimeout(IDLE_SECONDS)
        try:
            head, frame = wire.receive(sock, MAX_FRAME)
        except (wire.Broken, TimeoutError):
            return
        sock.settimeout(None)
        try:
            _give_time()
            form = Layout(**head.pop("layout"))
            answer: dict[str, Any] = {}
            body = operations[head["op"]](head, form, bytes(frame))
        except CannotDecode as refused:
            answer, body = {"refused": str(refused)[:1000], "safe": refused.safe}, b""
        except MemoryError:
            giant = refuse("it needs more memory than decoding may take.")
            answer, body = {"refused": str(giant), "safe": giant.safe}, b""
        try:
            wire.send(sock, answer, body)
        except wire.Broken:
            return


def limit(memory: int = MAX_MEMORY) -> None:
    """Take from this process what it does not need; `memory` is its address space in bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 64)):
        resource.setrlimit(kind, (most, most))


def _give_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + MAX_SECONDS, resource.RLIM_INFINITY))


def main() -> None:
    """Serve the socket that is file 0."""
    limit()
    for codec in _CODECS:
        # imagecodecs loads a codec's library when it is first named: afterwards nothing can be loaded.
        getattr(imagecodecs, codec)
    # So does Pillow.
    colour.to_rgb(np.zeros((1, 1, 3), np.uint8), 8)
    confine()
    with socket.socket(fileno=0) as sock:
        serve(sock)


if __name__ == "__main__":
    main()
