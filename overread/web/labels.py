"""States as pages show them: their words are the case layer's, their colours are ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cases.states import LABELS, RUNNING, STUDY_LABELS, CaseState, DelegateScope, Relation, StudyState
from cases.states import TAKEN_BACK as RECALLED
from cases.views import Paid, PaymentState
from overread.kit import zones
from overread.kit.language import Phrase, gettext
from overread.kit.words import counted

_CASE_TONES: Mapping[CaseState, str] = {
    CaseState.NEEDS_INFO: "warn",
    CaseState.DRAFT: "neutral",
    CaseState.PUBLISHED: "good",
    CaseState.CLOSED: "neutral",
    CaseState.DECLINED: "bad",
    CaseState.WITHDRAWN: "neutral",
}
_STUDY_TONES: Mapping[StudyState, str] = {
    StudyState.MISMATCH: "bad",
    StudyState.UNREADABLE: "bad",
    StudyState.DEID_REVIEW: "warn",
    StudyState.RELEASED: "good",
    StudyState.REVOKED: "neutral",
}
_MONEY: Mapping[str, str] = {
    PaymentState.NONE: Phrase("Not paid yet"),
    PaymentState.METHOD_SAVED: Phrase("Card saved"),
    PaymentState.REQUIRES_ACTION: Phrase("Waits for confirmation"),
    PaymentState.AUTHORISED: Phrase("Held"),
    PaymentState.CAPTURING: Phrase("Being charged"),
    PaymentState.CAPTURED: Phrase("Charged"),
    PaymentState.PARTLY_REFUNDED: Phrase("Charged, refunded in part"),
    PaymentState.REFUNDED: Phrase("Refunded"),
    PaymentState.DISPUTED: Phrase("Disputed"),
    PaymentState.WON: Phrase("Charged"),
    PaymentState.LOST: Phrase("Returned by the bank"),
    PaymentState.VOIDED: Phrase("Released"),
    PaymentState.EXPIRED: Phrase("Hold ended"),
    PaymentState.FAILED: Phrase("Refused"),
}
#: The patient has to do something before the payment goes on.
PAYMENT_TROUBLE = frozenset((PaymentState.REQUIRES_ACTION, PaymentState.EXPIRED, PaymentState.FAILED))

#: Modalities (PS3.3 C.7.3.1.1.1) as people call them.
_MODALITIES: Mapping[str, str] = {
    "CR": Phrase("X-ray"),
    "DX": Phrase("X-ray"),
    "MG": Phrase("Mammogram"),
    "MR": Phrase("MRI"),
    "PT": Phrase("PET"),
    "US": Phrase("Ultrasound"),
    "XA": Phrase("Angiography"),
    "NM": Phrase("Nuclear medicine"),
    "SM": Phrase("Pathology"),
    "DOC": Phrase("Document"),
    "SR": Phrase("Structured report"),
}
SEXES: Mapping[str, str] = {"F": Phrase("Female"), "M": Phrase("Male"), "O": Phrase("Other")}
RELATIONS: Mapping[str, str] = {
    Relation.PARENT: Phrase("Mother or father"),
    Relation.GUARDIAN: Phrase("Guardian"),
    Relation.CHILD: Phrase("Daughter or son"),
    Relation.SPOUSE: Phrase("Spouse or partner"),
    Relation.INTERPRETER: Phrase("Interpreter"),
    Relation.OTHER: Phrase("Somebody else"),
    Relation.SELF: Phrase("It is me: another name is on the images"),
}
SCOPES: Mapping[str, str] = {
    DelegateScope.HELP: Phrase("Helps: writes, answers and sends images"),
    DelegateScope.REPRESENT: Phrase("Represents: does whatever the patient may do, reads the report, pays, withdraws"),
}
SUBJECTS: Mapping[str, str] = {
    "mammogram": Phrase("Mammogram"),
    "MRI": Phrase("MRI"),
    "CT": Phrase("CT"),
    "X-ray": Phrase("X-ray"),
    "PET": Phrase("PET"),
    "ultrasound": Phrase("Ultrasound"),
    "pathology": Phrase("Pathology"),
    "other": Phrase("Something else"),
}

#: A case whose report was taken back, as its patient sees it.
TAKEN_BACK = {"label": RECALLED, "tone": "bad"}


def pages(number: int) -> str:
    """How many pages a document has."""
    return counted(number, "page", "pages")


def case(state: str, *, recalled: bool = False) -> dict[str, str]:
    """A case's state as templates take it; `recalled`: its report was taken back, and none is in force."""
    known = CaseState(state)
    return TAKEN_BACK if recalled else {"label": LABELS[known], "tone": _CASE_TONES.get(known, "info")}


def study(state: str, words: str) -> dict[str, str]:
    """A study's state as templates take it, in the words of the case layer."""
    return {"label": words, "tone": _STUDY_TONES.get(StudyState(state), "info")}


def due(state: str, due_at: datetime | None, *, stands: bool) -> datetime | None:
    """When a case is due, in the reader's zone; None where no clock runs."""
    return zones.local(due_at) if due_at and not stands and CaseState(state) in RUNNING else None


def paid(payment: Paid | None) -> str:
    """A payment in a few words: "Held: $390.00"."""
    return f"{_MONEY.get(payment.state, payment.state)}: {payment.text}" if payment else ""


def modality(codes: Iterable[str]) -> str:
    """What kinds of images a study holds, in words."""
    return ", ".join(dict.fromkeys(_MODALITIES.get(code, code) for code in codes))


def title(modalities: Sequence[str], description: str) -> str:
    """A study in a few words: "CT Abdomen"; a description that names the modality itself stands alone."""
    codes = "/".join(modalities)
    named = bool(codes) and description.casefold().startswith(codes.casefold())
    return description if named else " ".join(filter(None, [codes, description])) or gettext("Study")


def action(name: str) -> str:
    """An action of the audit log in words: "case.ask_info" -> "Case: ask info"."""
    thing, _, what = name.partition(".")
    return f"{thing.capitalize()}: {what.replace('_', ' ').replace('.', ' ')}"


def detail(facts: Mapping[str, Any]) -> str:
    """The facts of an audit line in a few words; a step of a state machine as from and to."""
    left = dict(facts)
    said = []
    if "source" in left and "target" in left:
        names = {state.value: name for state, name in (*LABELS.items(), *STUDY_LABELS.items())}
        steps = (str(left.pop(end)) for end in ("source", "target"))
        said.append(" → ".join(str(names.get(step, step)) for step in steps))
    said += [f"{key.replace('_', ' ')} {value}" for key, value in left.items() if value not in (None, "", {}, [])]
    return ", ".join(said)


def look(since: datetime, until: datetime | None, images: int | None) -> str:
    """What a look was, in a few words: "120 images, 10:02 to 10:09". Nothing where it is told by its moment alone."""
    said = [counted(images, "image", "images")] if images else []
    if until is not None and (first := _minute(since)) != (last := _minute(until)):
        same_day = zones.local(since).date() == zones.local(until).date()
        ends = (first[-5:], last[-5:]) if same_day else (first, last)
        said.append(gettext("%(first)s to %(last)s", first=ends[0], last=ends[1]))
    return ", ".join(said)


def _minute(at: datetime) -> str:
    at = zones.local(at)
    return f"{at.day} {at:%b %Y, %H:%M}"


def options(names: Mapping[str, str]) -> list[dict[str, str]]:
    """A choice as templates take it."""
    return [{"value": value, "label": label} for value, label in names.items()]
