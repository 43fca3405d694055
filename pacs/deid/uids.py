"""New identifiers for old ones: keyed by a case's secret, so that references stay closed within it and nowhere else."""

from __future__ import annotations

import hmac
from base64 import b32encode
from functools import cache
from hashlib import sha256

from pydicom._uid_dict import UID_dictionary

from pacs.deid import schemes

#: Roots of code systems and registries, which name no one (HL7's OIDs of terminologies, PS3.16 8).
_PUBLIC_ROOTS = ("2.16.840.1.113883.6.", "2.16.840.1.113883.3.26.", "1.2.276.0.76.3.1.")
#: Well-known frames of reference (PS3.6 A.2) live under this arc of the standard's own root.
_WELL_KNOWN_FRAMES = "1.2.840.10008.1.4."


@cache
def _registered() -> frozenset[str]:
    return frozenset(UID_dictionary)


def is_standard(uid: str) -> bool:
    """Tell whether `uid` is registered in PS3.6: a SOP class, transfer syntax, well-known instance and so on."""
    return uid in _registered() or uid.startswith(_WELL_KNOWN_FRAMES)


def is_public(uid: str) -> bool:
    """Tell whether `uid` names a thing of the standard or a published code system, not an instance."""
    return is_standard(uid) or uid.startswith(_PUBLIC_ROOTS) or uid in schemes.UIDS


def new_uid(secret: bytes, uid: str) -> str:
    """Give the UID that stands for `uid` in the case of `secret`: 2.25 and 128 bits of HMAC-SHA256 (PS3.5 B.2).

    The same secret and UID always give the same result, at most 44 characters; without the secret two cases
    can't be joined. Standard UIDs stay themselves. Anything is taken, also what is no valid UID.
    """
    if is_standard(uid):
        return uid
    digest = hmac.digest(secret, b"uid\0" + uid.encode("utf-8", "surrogateescape"), sha256)
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def new_uids(secret: bytes, value: str) -> str:
    """Map every part of a multi-valued UI; an empty part stays empty."""
    parts = (part.strip(" \0") for part in value.split("\\"))
    return "\\".join(new_uid(secret, part) if part else "" for part in parts)


def pseudonym(secret: bytes, kind: str, value: str, length: int) -> str:
    """Give `length` letters and digits that stand for `value` in the case of `secret` and in no other."""
    digest = hmac.digest(secret, f"{kind}\0{value}".encode("utf-8", "surrogateescape"), sha256)
    return b32encode(digest).decode("ascii")[:length]


def new_specimen(secret: bytes, value: str) -> str:
    """Give what stands for a container's or a specimen's identifier: distinct ones stay distinct (PS3.3 C.7.6.22)."""
    return f"S{pseudonym(secret, 'specimen', value, 11)}"
