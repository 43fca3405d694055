"""What a mail's words are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """A subject and a body in the format of str.format, and the page that the mail points to."""

    subject: str
    body: str
    page: str = "/cases/{case_id}"
