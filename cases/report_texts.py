"""The texts of a report besides the answers to its questions, in their order: one row each, of which form, check,
digest, pages and PDF are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cases.report_states import ReportKind
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

#: What an addition says, in the place of the texts above and of the answers.
ADDENDUM_TEXTS = (
    ReportText(
        "addition",
        Phrase("Addition"),
        Phrase("What is added"),
        Phrase("The report that it adds to stays as it is. In words that the patient understands."),
        rows=9,
        missing=Phrase("Please write what is to be added."),
    ),
)


def texts_of(kind: ReportKind) -> tuple[ReportText, ...]:
    """The texts that a version of a kind has."""
    return ADDENDUM_TEXTS if kind is ReportKind.ADDENDUM else TEXTS


def missing(texts: Mapping[str, str], kind: ReportKind = ReportKind.REPORT) -> dict[str, str]:
    """What has still to be written before a version can be signed, by key: a sentence each."""
    return {
        text.key: str(text.missing) for text in texts_of(kind) if text.required and not texts.get(text.key, "").strip()
    }
