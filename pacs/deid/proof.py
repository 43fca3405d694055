"""What can be shown of a de-identified instance afterwards: digests, actions, and that no known string is left.

A proof holds no value of the source. The result's digest covers the header and, by the source's own digest, the
pixels that are taken from it, so nothing has to be read twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from pacs.deid.known import KnownStrings, distinctive
from pacs.deid.profile import TABLE_EDITION, Profile

if TYPE_CHECKING:
    from pacs.deid.header import Deidentified

#: A number shorter than this is found by chance in any binary data.
_SHORTEST_NUMBER = 6


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence for one instance; digests are hexadecimal SHA-256."""

    source_digest: str
    result_digest: str
    table_edition: str
    profile: str
    #: "(gggg,eeee)" -> X, Z, D, U or C.
    actions: Mapping[str, str]
    pixels: tuple[tuple[int, int], ...]
    patched: int
    withheld: tuple[str, ...]

    def canonical(self) -> bytes:
        """Give the proof as JSON that is the same for the same proof, for storing and for the Merkle tree."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    def digest(self) -> bytes:
        """Give the SHA-256 of `canonical`, a leaf of the case's Merkle tree."""
        return sha256(b"\0" + self.canonical()).digest()


def prove(result: Deidentified, source_digest: str, profile: Profile) -> Proof:
    """Make the proof of a result; `source_digest` is the SHA-256 of the source, in hexadecimal."""
    return Proof(
        source_digest,
        result_digest(result, source_digest),
        TABLE_EDITION,
        profile.identifier(),
        {f"({tag >> 16:04X},{tag & 0xFFFF:04X})": code for tag, code in sorted(result.actions.items())},
        result.pixels,
        len(result.patches),
        tuple(result.withhold),
    )


def result_digest(result: Deidentified, source_digest: str) -> str:
    """Pin the result: its header and trailer by their bytes, its pixels by source, ranges and patches."""
    state = sha256()
    places = repr((result.pixels, result.patches)).encode()
    for part in (result.header, source_digest.encode(), places, result.pixel_bytes or b"", result.trailer):
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()


def merkle_root(proofs: Iterable[Proof]) -> str:
    """Give the hexadecimal root over a case's proofs, in the order of their digests (RFC 9162 2.1.1 hashing).

    An odd node moves up unhashed, as in the RFC. No proofs give the digest of nothing.
    """
    level = sorted(proof.digest() for proof in proofs)
    if not level:
        return sha256().hexdigest()
    while len(level) > 1:
        pairs = [sha256(b"\1" + low + high).digest() for low, high in zip(level[::2], level[1::2], strict=False)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0].hex()


def residue(result: bytes, known: KnownStrings, uids: tuple[str, ...] = ()) -> list[str]:
    """Look for the known strings in finished bytes: as ASCII, UTF-8, Latin-1 or UTF-16, in any case of letters.

    Names that are ordinary words of the vocabulary ("Head", "Long") are not looked for: coded values have them
    too, and the cleaned text lost them already. Numbers count from six digits. `uids` are the source's own.
    Gives reasons that do not repeat the strings.
    """
    low = result.lower()
    # Without the zero bytes UTF-16 of Latin letters reads as Latin-1: one search for both.
    dense = low.replace(b"\0", b"")
    reasons: list[str] = []
    for kind, needles in _needles(known):
        if any(needle in dense and _stands_alone(low, dense, needle) for needle in needles):
            reasons.append(f"A {kind} of the source is left in the header.")
    # A UID may have become part of a longer one by chance; as a whole it may not.
    for uid in uids:
        if uid.encode() in result and re.search(rb"(?<![\d.])" + re.escape(uid.encode()) + rb"(?![\d.])", result):
            reasons.append("A UID of the source is left in the header.")
            break
    return reasons


@lru_cache(maxsize=64)
def _needles(known: KnownStrings) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    known = distinctive(known)
    numbers = [number for number in known.ids if not number.isdecimal() or len(number) >= _SHORTEST_NUMBER]
    kinds = (("name", known.names), ("number", numbers), ("phrase", known.phrases))
    return tuple((kind, tuple({form for string in strings for form in _forms(string)})) for kind, strings in kinds)


def _forms(string: str) -> Iterable[bytes]:
    if string.isascii():
        yield string.lower().encode()
        return
    for variant in (string.lower(), string.upper(), string.title()):
        yield variant.encode("utf-8").lower()
        try:
            yield variant.encode("latin-1").lower()
        except UnicodeEncodeError:
            yield variant.encode("utf-16-le").lower().replace(b"\0", b"")
            yield variant.encode("utf-16-be").lower().replace(b"\0", b"")


def _stands_alone(low: bytes, dense: bytes, needle: bytes) -> bool:
    """Tell whether a hit is a word of its own: "Ann" in "planned" is none."""
    word = re.escape(needle)
    if re.search(rb"(?<![a-z0-9])" + word + rb"(?![a-z0-9])", low):
        return True
    wide = rb"\0".join(re.escape(bytes([byte])) for byte in needle)
    return re.search(rb"(?<![a-z0-9])" + wide, low) is not None or (not needle.isascii() and needle in dense)
