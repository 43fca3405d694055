"""What can be shown of a de-identified instance afterwards: digests and actions.

A proof holds no value of the source. The result's digest covers the parts that the instance is made of: bytes by
themselves, ranges by the digest of their blob, so nothing has to be read twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from pacs.deid.profile import TABLE_EDITION, Profile
from pacs.deid.result import Deidentified

#: Bytes, or (digest of a blob, start, length).
Part = bytes | tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence for one instance; digests are hexadecimal SHA-256."""

    source_digest: str
    result_digest: str
    table_edition: str
    profile: str
    #: "(gggg,eeee)" -> X, Z, D, U or C.
    actions: Mapping[str, str]
    #: Ranges of the source that the pixels were taken from, (start, length) in bytes.
    pixels: Sequence[Sequence[int]]
    #: Pieces of text inside of frames that were overwritten.
    patched: int
    #: Rectangles that were blanked in every frame: (left, top, width, height) in pixels.
    masks: Sequence[Sequence[int]]
    #: Bits of every pixel cell that were set to 0.
    cleared_bits: int
    #: "" where a document was left out, "released" or "redacted" where a person decided so.
    document: str
    #: Why somebody had to look.
    withheld: Sequence[str]
    #: What the residual scan and the checks found: with any of it the instance is never shown.
    refused: Sequence[str]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Proof:
        """Give back the proof that was stored as JSON. Raises ValueError where it is none."""
        if stored.keys() != set(_FIELDS):
            raise ValueError("this is no proof")
        return cls(**stored)

    @classmethod
    def of_nothing(cls, source_digest: str, profile: Profile, refused: Sequence[str]) -> Proof:
        """Give the proof of an instance that nothing was made of."""
        result = result_digest([b"", b""])
        return cls(source_digest, result, TABLE_EDITION, profile.identifier(), {}, (), 0, (), 0, "", (), tuple(refused))

    def canonical(self) -> bytes:
        """Give the proof as JSON that is the same for the same proof, for storing and for the Merkle tree."""
        return json.dumps(self.stored(), sort_keys=True, separators=(",", ":")).encode()

    def stored(self) -> dict[str, Any]:
        """Give the proof as the database keeps it and `of` reads it; nothing is copied, as `asdict` would."""
        return {name: getattr(self, name) for name in _FIELDS}

    def digest(self) -> bytes:
        """Give the SHA-256 of `canonical`, a leaf of its study's Merkle tree."""
        return sha256(b"\0" + self.canonical()).digest()


_FIELDS = tuple(one.name for one in fields(Proof))


def prove(
    result: Deidentified,
    source_digest: str,
    profile: Profile,
    parts: Iterable[Part],
    *,
    masks: Sequence[Sequence[int]] = (),
    cleared_bits: int = 0,
    document: str = "",
) -> Proof:
    """Make the proof of a result that is kept as `parts`; `source_digest` is the SHA-256 of the source."""
    return Proof(
        source_digest,
        result_digest(parts),
        TABLE_EDITION,
        profile.identifier(),
        {f"({tag >> 16:04X},{tag & 0xFFFF:04X})": code for tag, code in sorted(result.actions.items())},
        result.pixels,
        len(result.patches),
        tuple(tuple(box) for box in masks),
        cleared_bits,
        document,
        tuple(result.review_reasons),
        tuple(result.refused),
    )


def result_digest(parts: Iterable[Part]) -> str:
    """Pin what an instance is made of; empty bytes count for nothing."""
    state = sha256()
    for part in parts:
        if not part:
            continue
        plain = part if isinstance(part, bytes) else b"%s %d %d" % (part[0].encode(), part[1], part[2])
        state.update(b"B" if isinstance(part, bytes) else b"R")
        state.update(len(plain).to_bytes(8, "big"))
        state.update(plain)
    return state.hexdigest()


def merkle_root(proofs: Iterable[Proof]) -> str:
    """Give the hexadecimal root over the proofs of a study, in the order of their digests."""
    return root_of(proof.digest() for proof in proofs)


def joint_root(roots: Iterable[str]) -> str:
    """Give the hexadecimal root over the roots of a case's studies, which are its leaves, in their order."""
    return root_of(sha256(b"\0" + bytes.fromhex(root)).digest() for root in roots)


def root_of(leaves: Iterable[bytes]) -> str:
    """Give the hexadecimal root over digests of leaves, in any order, hashed as in RFC 9162 2.1.1.

    An odd node moves up unhashed, as in the RFC. Nothing gives the digest of nothing.
    """
    level = sorted(leaves)
    if not level:
        return sha256().hexdigest()
    while len(level) > 1:
        pairs = [sha256(b"\1" + low + high).digest() for low, high in zip(level[::2], level[1::2], strict=False)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0].hex()
