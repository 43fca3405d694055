"""What a specialist is shown of an offer, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfferedStudy:
    """A study as a specialist is told of it before they accept: nothing that opens it.

    `body_parts`: as its series name them (PS3.3 C.7.3.1); `earlier`: there is a newer one; `document`: its images are
    pages.
    """

    title: str
    description: str
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    study_date: str
    series: int
    instances: int
    earlier: bool
    document: bool
