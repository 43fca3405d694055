"""What de-identification gives: an instance in parts, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A de-identified instance: `header`, then `table`, the pixels and `trailer`.

    The pixels are the ranges `pixels` of the source (start, length in bytes) with `patches` laid over them, or
    `pixel_bytes` where the source's own bytes are deflated or big endian.
    """

    header: bytes
    #: The Basic Offset Table where it is written anew; empty where the source's is among the ranges, or has none.
    table: bytes
    pixels: tuple[tuple[int, int], ...]
    pixel_bytes: bytes | None
    trailer: bytes
    #: (offset in the source, or in `pixel_bytes` if those are given; bytes that stand there instead), in their order.
    patches: tuple[tuple[int, bytes], ...]
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax: str
    #: tag -> X, Z, D, U or C, for what was changed at any depth; no values.
    actions: dict[int, str]
    #: What was noticed and put right, in words without values.
    findings: list[str]
    #: Why a person has to look before anyone else may; empty for a clean instance.
    review_reasons: list[str]
    #: Why nobody may ever see it, whoever approves.
    refused: list[str]
