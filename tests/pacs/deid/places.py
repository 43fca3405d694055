"""Where a marker can hide: ways to put elements somewhere into a data set, and what is found there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import NamedTuple

from pydicom.dataset import Dataset

from tests.pacs.deid.planted import BIG, EXPLICIT, IMPLICIT, El, dataset, nest, text

#: Derivation Code, Anatomic Region and Primary Anatomic Structure Sequence: they stay, and are cleaned inside.
OUTER = 0x00082218
_CREATOR, _SAFE_SEQUENCE = "Philips Imaging DD 001", 0x20050E
_SHARED, _PER_FRAME, _FRAME_CONTENT = 0x52009229, 0x52009230, 0x00209111


class Place(NamedTuple):
    """`put` wraps elements; `get` gives the data set in which they stand in the result, None where it is gone."""

    put: Callable[[list[El], str], list[El]]
    get: Callable[[Dataset], Dataset | None]


def _down(*tags: int) -> Callable[[Dataset], Dataset | None]:
    def get(ds: Dataset) -> Dataset | None:
        for tag in tags:
            if tag not in ds or not ds[tag].value:
                return None
            ds = ds[tag].value[0]
        return ds

    return get


def _un(elements: list[El], syntax: str) -> list[El]:
    """PS3.5 6.2.2: a sequence whose VR the writer did not know holds implicit little endian items."""
    if syntax == IMPLICIT:
        return [El(OUTER, "SQ", [elements])]
    body = dataset(elements, IMPLICIT)
    return [El(OUTER, "UN", pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)]


def _open_ended(elements: list[El], syntax: str) -> list[El]:
    """PS3.5 7.5.1: a sequence of undefined length, wrapped in UN where the writer did not know it."""
    inner = [El(0x00082220, "SQ", [elements])]
    if syntax in (IMPLICIT, BIG):
        return [El(OUTER, "SQ", [inner])]
    body = dataset(inner, IMPLICIT)
    value = pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + body + pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return [El(OUTER, "UN", value)]


PLACES: dict[str, Place] = {
    "root": Place(lambda elements, _: elements, lambda ds: ds),
    "depth 1": Place(lambda elements, _: nest(elements, 1), _down(OUTER)),
    "depth 3": Place(lambda elements, _: nest(elements, 3), _down(0x00082228, 0x00082220, OUTER)),
    "second item": Place(
        lambda elements, _: [El(OUTER, "SQ", [[text(0x00080100, "SH", "1")], elements])],
        lambda ds: ds[OUTER].value[1] if OUTER in ds else None,
    ),
    "shared functional group": Place(
        lambda elements, _: [El(_SHARED, "SQ", [[El(_FRAME_CONTENT, "SQ", [elements])]])],
        _down(_SHARED, _FRAME_CONTENT),
    ),
    "functional group of a frame": Place(
        lambda elements, _: [El(_PER_FRAME, "SQ", [[El(_FRAME_CONTENT, "SQ", [elements])]])],
        _down(_PER_FRAME, _FRAME_CONTENT),
    ),
    "private sequence": Place(
        lambda elements, _: [text(0x00290010, "LO", "ACME 1.0"), El(0x00291020, "SQ", [elements])],
        lambda _: None,
    ),
    "UN": Place(_un, _down(OUTER)),
    "UN, undefined length": Place(_open_ended, _down(OUTER, 0x00082220)),
}

ENCODINGS = (EXPLICIT, IMPLICIT, BIG)
