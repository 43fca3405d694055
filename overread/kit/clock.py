"""Time and identifiers: the only place that asks the machine what time it is."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562 5.7): 48 bits of milliseconds, 12 of a millisecond's fraction, 62 random bits.

    The fraction (6.2, method 3) keeps in order what is made within one millisecond: a quarter of a microsecond tells.
    """
    millis, nanos = divmod(time.time_ns(), 1_000_000)
    value = (millis & ((1 << 48) - 1)) << 80 | 0x7 << 76 | (nanos * 4096 // 1_000_000) << 64
    return uuid.UUID(int=value | 0x2 << 62 | int.from_bytes(os.urandom(8), "big") >> 2)
