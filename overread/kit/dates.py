"""Days as DICOM writes them."""

from __future__ import annotations

from datetime import date


def parse_da(value: str) -> date | None:
    """A DA value (YYYYMMDD, or ACR-NEMA's YYYY.MM.DD) as a date; None where it is empty or none."""
    digits = value.strip().replace(".", "").replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if len(digits) == 8 else None
    except ValueError:
        return None
