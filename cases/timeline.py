"""The case told to its patient: what has happened, and what happens next and by when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cases import closing
from cases.models import Case, Report, Step
from cases.report_states import ReportEvent, ReportKind
from cases.states import RUNNING, Actor, CaseEvent, CaseState, ClockEvent, RecordEvent
from cases.version_models import ReportStep
from cases.views import Entry
from overread.kit import clock, zones
from overread.kit.language import Phrase, gettext

_TITLES: Mapping[str, str] = {
    CaseEvent.SUBMIT: Phrase("Your request was sent"),
    CaseEvent.ASK_INFO: Phrase("We asked you for information"),
    CaseEvent.ANSWER_INTAKE: Phrase("You answered our question"),
    CaseEvent.ANSWER_REVIEW: Phrase("You answered our question"),
    CaseEvent.INFO_EXPIRE: Phrase("Your request was closed without an answer"),
    CaseEvent.MARK_READY: Phrase("Your request was checked"),
    CaseEvent.ACCEPT: Phrase("A specialist took your request"),
    CaseEvent.SIGN: Phrase("The specialist signed the report"),
    CaseEvent.SEND_BACK: Phrase("We asked the specialist to look at the report once more"),
    CaseEvent.PUBLISH: Phrase("Your report is ready"),
    CaseEvent.CLOSE: Phrase("Your request was closed"),
    CaseEvent.DECLINE: Phrase("We could not take your request"),
    CaseEvent.WITHDRAW: Phrase("You withdrew your request"),
    ClockEvent.PROMISE: Phrase("We gave you a new time"),
    ClockEvent.PAUSE: Phrase("We stopped the clock"),
    ClockEvent.RESUME: Phrase("The clock goes on"),
    RecordEvent.CORRECT: Phrase("We corrected what we have of the patient"),
}
_ANSWERS = frozenset((CaseEvent.ANSWER_INTAKE, CaseEvent.ANSWER_REVIEW))
#: Whose reason was written for the patient; every other one is the program's own.
_FOR_PATIENT = frozenset((CaseEvent.ASK_INFO, CaseEvent.DECLINE, ClockEvent.PROMISE, ClockEvent.PAUSE))


_OF_VERSIONS = {
    (ReportEvent.PUBLISH, ReportKind.CORRECTION): Phrase("Your report was corrected"),
    (ReportEvent.PUBLISH, ReportKind.ADDENDUM): Phrase("Something was added to your report"),
    **dict.fromkeys(
        [(ReportEvent.RECALL, kind) for kind in ReportKind], Phrase("We took a version of your report back")
    ),
    **dict.fromkeys([(ReportEvent.RESTORE, kind) for kind in ReportKind], Phrase("The version is there again")),
}


def of_versions(reports: Sequence[Report], steps: Sequence[ReportStep]) -> list[Entry]:
    """What has happened to a report after it was given to the patient."""
    kinds = {report.number: report.kind for report in reports}
    told = [(step.at, _OF_VERSIONS.get((ReportEvent(step.event), kinds[step.number]))) for step in steps]
    return [Entry(at, title, "") for at, title in told if title is not None]


def timeline(
    case: Case, steps: Sequence[Step], acted: Callable[[Step], str], more: Sequence[Entry] = ()
) -> tuple[Entry, ...]:
    """What has happened, newest first: the studies' and the offers' steps are the program's own business.

    `acted`: who did a step for the patient, as people read it; empty where they did it themselves. `more`: what else
    is told, such as `of_versions`.
    """
    entries = [Entry(case.created_at, gettext("You started your request"), "")]
    for step in steps:
        if step.study_uid is None and step.event in _TITLES:
            # What came by telephone or letter was written down by a coordinator.
            by_hand = step.actor == Actor.COORDINATOR and step.event in _ANSWERS
            title = gettext("We wrote down your answer") if by_hand else _TITLES[step.event]
            told = step.reason if step.event in _FOR_PATIENT else acted(step)
            entries.append(Entry(step.at, title, told))
    entries = sorted([*entries, *more], key=lambda entry: entry.at)
    return tuple(reversed(entries))


def asked(case: Case, steps: Sequence[Step]) -> str:
    """The question that waits for the patient's answer, or nothing."""
    if case.state is not CaseState.NEEDS_INFO:
        return ""
    return next((s.reason for s in reversed(steps) if s.event == CaseEvent.ASK_INFO and s.study_uid is None), "")


def stands(case: Case, steps: Sequence[Step]) -> str:
    """Why a coordinator has stopped the clock; nothing while it runs, or waits for an answer."""
    if case.paused_at is None or case.state not in RUNNING:
        return ""
    return next((s.reason for s in reversed(steps) if s.event == ClockEvent.PAUSE and s.study_uid is None), "")


def next_step(case: Case, *, waits_for_images: bool, follow_ups_left: int, money: str) -> tuple[str, str]:
    """A title and a sentence: what happens next, with the exact time where there is one.

    Each says what is known, and nothing that somebody may not have done yet. `waits_for_images`: none is here yet.
    `money` is what becomes of it, where the case has ended.
    """
    by = _by(case)
    told = {
        CaseState.DRAFT: (
            gettext("Not sent yet"),
            gettext("Nothing is sent and nothing is charged before you agree to the texts and the price."),
        ),
        CaseState.SUBMITTED: (
            gettext("We wait for your images") if waits_for_images else gettext("We check what you sent"),
            by or gettext("The time to your answer counts from when your images are here."),
        ),
        CaseState.NEEDS_INFO: (gettext("Please answer our question"), gettext("The clock stands still until then.")),
        CaseState.READY: (gettext("We choose a specialist"), by),
        CaseState.OFFERED: (gettext("We have asked a specialist"), by),
        CaseState.IN_REVIEW: (gettext("Your request is with the specialist"), by),
        CaseState.SIGNED: (gettext("We publish your report"), by),
        CaseState.PUBLISHED: (gettext("Read your report"), _questions_left(case, follow_ups_left)),
        CaseState.CLOSED: (gettext("Nothing more to do"), gettext("Your report stays here for you.")),
        CaseState.DECLINED: (gettext("Nothing more to do"), money),
        CaseState.WITHDRAWN: (
            gettext("Nothing more to do"),
            gettext("No specialist can see your images any more. %(money)s", money=money).strip(),
        ),
        CaseState.ERASED: (gettext("Nothing more to do"), gettext("Your images and your words were destroyed.")),
    }
    return told[case.state]


def _by(case: Case) -> str:
    """By when the patient hears; of a time that has passed, that it has."""
    if case.paused_at is not None:
        return gettext("The clock stands still. When it goes on, we tell you the new time.")
    if case.due_at is None:
        return ""
    told = zones.sentence(case.due_at)
    if case.due_at < clock.now():
        return gettext(
            "We had promised an answer by %(moment)s, and did not keep that. We are sorry, and will tell you a new "
            "time.",
            moment=told,
        )
    return gettext("You will hear from us by %(moment)s.", moment=told)


def _questions_left(case: Case, count: int) -> str:
    if count <= 0:
        return gettext("You have asked all the questions about it that are included.")
    told = gettext(
        "You can ask %(count)s more question%(value)s about it.", count=count, value="" if count == 1 else "s"
    )
    if not closing.is_counted(case) or case.closes_at is None:
        return told
    until = gettext(
        "Until %(moment)s: then your request closes, and your report stays here.", moment=zones.sentence(case.closes_at)
    )
    return f"{told} {until}"
