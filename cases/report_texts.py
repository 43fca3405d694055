"""The texts of a report besides the answers to its questions, in their order: one row each, of which form, check,
digest, pages and PDF are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cases.report_states import ReportKind
from overread.kit.language import Phrase, gettext


class Agreement(StrEnum):
    """How a second reading compares with the first report."""

    AGREE = "agree"
    MINOR = "minor"
    MAJOR = "major"
    NOT_COMPARABLE = "not_comparable"


AGREEMENTS: Mapping[str, str] = {
    Agreement.AGREE: Phrase("It agrees with the first report"),
    Agreement.MINOR: Phrase("It differs in small things, which change nothing for the patient"),
    Agreement.MAJOR: Phrase("It differs in something that matters to the patient"),
    Agreement.NOT_COMPARABLE: Phrase("The two can’t be compared"),
}
#: Where it differs, a word of explanation is asked for.
_DIFFERS = (Agreement.MINOR, Agreement.MAJOR)


@dataclass(frozen=True, slots=True)
class ReportText:
    """One text. `label`: as clinicians know it; `patient_label`: as its patient reads it; `rows`: the form's.

    `choices`: where it is not written but chosen, what is kept -> what people read. `compares`: it is about the first
    report, and asked for only where that is there.
    """

    key: str
    label: str
    patient_label: str
    hint: str
    rows: int = 5
    #: What is said where it has to be written and is not; none where it may be left out.
    missing: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    compares: bool = False

    def words(self, kept: str) -> str:
        """What people read of what is kept."""
        return str(self.choices.get(kept, "")) if self.choices else kept

    @property
    def options(self) -> list[dict[str, str]]:
        """The choices, as forms list them."""
        return [{"value": str(value), "label": label} for value, label in self.choices.items()]

    @property
    def required(self) -> bool:
        """Whether it has to be written before the report is signed."""
        return self.missing != ""


TEXTS = (
    ReportText(
        "summary",
        Phrase("Summary for the patient"),
        Phrase("In plain words"),
        Phrase("What it means, in a few sentences that the patient understands; the impression stands apart."),
    ),
    ReportText(
        "impression",
        Phrase("Impression"),
        Phrase("Impression, for your physician"),
        Phrase("For the treating physician: findings, comparison, recommendation."),
        rows=7,
        missing=Phrase("Please write the impression."),
    ),
    ReportText(
        "agreement",
        Phrase("Compared with the first report"),
        Phrase("Compared with the first report"),
        "",
        missing=Phrase("Please say how your reading compares with the first report."),
        choices=AGREEMENTS,
        compares=True,
    ),
    ReportText(
        "difference",
        Phrase("What differs from the first report"),
        Phrase("What differs from the first report"),
        Phrase("In a word or two; needed where it differs."),
        rows=3,
        compares=True,
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


def texts_of(kind: ReportKind, *, compares: bool = True) -> tuple[ReportText, ...]:
    """The texts that a version of a kind has; `compares`: with those about the first report."""
    if kind is ReportKind.ADDENDUM:
        return ADDENDUM_TEXTS
    return tuple(text for text in TEXTS if compares or not text.compares)


def missing(texts: Mapping[str, str], kind: ReportKind = ReportKind.REPORT, *, compares: bool) -> dict[str, str]:
    """What has still to be written before a version can be signed, by key: a sentence each.

    `compares`: it is a second reading of what the first report is about.
    """
    asked = texts_of(kind, compares=compares)
    found = {text.key: str(text.missing) for text in asked if text.required and not texts.get(text.key, "").strip()}
    if texts.get("agreement") in _DIFFERS and not texts.get("difference", "").strip():
        found["difference"] = gettext("Please say in a word what differs from the first report.")
    return found
