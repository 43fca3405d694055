"""Secrets at rest: sealed with AES-256-GCM under the server's own key and a key of their own, which can be destroyed.

A sealed secret lies in the database, and so in every backup of it. Its own key is a file that no backup holds a copy of
that outlives it: once it is destroyed, no copy of the database opens (docs/decisions/0026).
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from overread.kit.atomic_file import sync_folder, write_once
from overread.kit.errors import NotFound
from overread.kit.language import gettext

_DESTROYED = ".destroyed"
#: The names of files in a folder of keys that tell of an end, and hold no key, end so.
ENDS = (_DESTROYED, ".ended")


class Sealer:
    """Seals and opens short secrets for one purpose, each under a key of its own in `folder`."""

    def __init__(self, server_key: bytes, purpose: str, folder: Path) -> None:
        self._server_key, self._purpose, self._folder = server_key, purpose.encode(), folder

    def seal(self, secret: bytes, name: UUID) -> bytes:
        """12 bytes of nonce, then the ciphertext; it opens only under the same name. Makes the name's key.

        Raises NotFound where that key was destroyed.
        """
        nonce = os.urandom(12)
        return nonce + self._cipher(self._made(name)).encrypt(nonce, secret, name.bytes)

    def open(self, sealed: bytes, name: UUID) -> bytes:
        """The secret. Raises NotFound where its key is gone, cryptography's InvalidTag where it was altered."""
        return self._cipher(self._read(name)).decrypt(sealed[:12], sealed[12:], name.bytes)

    def destroy(self, name: UUID) -> None:
        """Destroy a name's key for good; idempotent. What stays says so, and reaches the copies of the folder."""
        destroy(self._folder, name)

    def _read(self, name: UUID) -> bytes:
        try:
            return (self._folder / name.hex).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"the key of {name} is not there",
                safe=gettext(
                    "The secret of these de-identified images was destroyed: they can't be changed or traced back."
                ),
            ) from None

    def _made(self, name: UUID) -> bytes:
        path = self._folder / name.hex
        if not path.exists() and not (self._folder / f"{name.hex}{_DESTROYED}").exists():
            write_once(path, os.urandom(32))
        return self._read(name)

    def _cipher(self, key: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt=key, info=self._purpose).derive(self._server_key))


def destroy(keys: Path, name: UUID) -> None:
    """Destroy a name's key in a folder of keys; see `Sealer.destroy`."""
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    (keys / f"{name.hex}{_DESTROYED}").touch(mode=0o600)
    (keys / name.hex).unlink(missing_ok=True)
    sync_folder(keys)


def mirror(keys: Path, copy: Path, *, only_ends: bool = False) -> None:
    """Bring a copy of a folder of keys up to date: what is destroyed here is destroyed there.

    What was ended (`overread.kit.ended`) is copied with them; `only_ends` leaves the keys themselves out.
    """
    copy.mkdir(parents=True, exist_ok=True, mode=0o700)
    kinds = ENDS if only_ends else ("", *ENDS)
    for path in sorted(keys.iterdir()) if keys.exists() else ():
        if path.suffix in kinds and not (copy / path.name).exists():
            write_once(copy / path.name, path.read_bytes())
    for name in destroyed(copy):
        (copy / name.hex).unlink(missing_ok=True)
    sync_folder(copy)


def destroyed(keys: Path) -> list[UUID]:
    """The names whose keys were destroyed, as a folder of keys remembers."""
    return [UUID(hex=path.stem) for path in sorted(keys.glob(f"*{_DESTROYED}"))] if keys.exists() else []
