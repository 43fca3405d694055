"""Secrets at rest: sealed with AES-256-GCM under a key derived from the server's own."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Sealer:
    """Seals and opens short secrets for one purpose; a secret sealed for another purpose does not open."""

    def __init__(self, server_key: bytes, purpose: str) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(server_key))

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """12 bytes of nonce, then the ciphertext; it opens only together with the same `context`."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The secret. Raises cryptography's InvalidTag where it was altered or the context is another."""
        return self._cipher.decrypt(sealed[:12], sealed[12:], context)
