"""The texts of a report besides the answers to its questions, in their order: one row each, of which form, check,
digest, pages and PDF are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overread.kit.language import Phrase


@dataclass(frozen=True, slots=True)
class ReportText:
    """One text. `label`: as clinicians know it; `patient_label`: as its patient reads it; `rows`: the form's."""

    key: str
    label: str
    patient_label: str
    hint: str
    rows: int = 5
    #: What is said where it has to be written and is not; none where it may be left out.
    missing: str = ""

    @property
    def required(self) -> bool:
        """Whether it has to be written before the report is signed."""
        return self.missing != ""


TEXTS = (
    ReportText(
        "impression",
        Phrase("Impression"),
        Phrase("In short"),
        Phrase("For the treating physician: findings, comparison, recommendation."),
        rows=7,
        missing=Phrase("Please write the impression."),
    ),
)


def missing(texts: Mapping[str, str]) -> dict[str, str]:
    """What has still to be written before a report can be signed, by key: a sentence each."""
    return {text.key: str(text.missing) for text in TEXTS if text.required and not texts.get(text.key, "").strip()}
