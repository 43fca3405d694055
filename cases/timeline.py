"""The case told to its patient: what has happened, and what happens next and by when."""

from __future__ import annotations

from collections.abc import Sequence

from cases.models import Case, Step
from cases.notify import moment
from cases.states import Actor, CaseEvent, CaseState
from cases.views import Entry

_TITLES = {
    CaseEvent.SUBMIT: "Your request was sent",
    CaseEvent.ASK_INFO: "We asked you for information",
    CaseEvent.ANSWER_INTAKE: "You answered our question",
    CaseEvent.ANSWER_REVIEW: "You answered our question",
    CaseEvent.INFO_EXPIRE: "Your request was closed without an answer",
    CaseEvent.MARK_READY: "Your images were checked",
    CaseEvent.ACCEPT: "A specialist took your request",
    CaseEvent.SIGN: "The specialist signed the report",
    CaseEvent.PUBLISH: "Your report is ready",
    CaseEvent.CLOSE: "Your request was closed",
    CaseEvent.DECLINE: "We could not take your request",
    CaseEvent.WITHDRAW: "You withdrew your request",
}
_ANSWERS = frozenset((CaseEvent.ANSWER_INTAKE, CaseEvent.ANSWER_REVIEW))
#: Whose reason was written for the patient; every other one is the program's own.
_FOR_PATIENT = frozenset((CaseEvent.ASK_INFO, CaseEvent.DECLINE))


def timeline(case: Case, steps: Sequence[Step]) -> tuple[Entry, ...]:
    """What has happened, newest first: the studies' and the offers' steps are the program's own business."""
    entries = [Entry(case.created_at, "You started your request", "")]
    for step in steps:
        event = CaseEvent(step.event) if step.study_uid is None else None
        if event in _TITLES:
            # What came by telephone or letter was written down by a coordinator.
            by_hand = step.actor == Actor.COORDINATOR and event in _ANSWERS
            title = "We wrote down your answer" if by_hand else _TITLES[event]
            entries.append(Entry(step.at, title, step.reason if event in _FOR_PATIENT else ""))
    return tuple(reversed(entries))


def asked(case: Case, steps: Sequence[Step]) -> str:
    """The question that waits for the patient's answer, or nothing."""
    if case.state is not CaseState.NEEDS_INFO:
        return ""
    return next((s.reason for s in reversed(steps) if s.event == CaseEvent.ASK_INFO and s.study_uid is None), "")


def next_step(case: Case, *, waits_for_images: bool, follow_ups_left: int, money: str) -> tuple[str, str]:
    """A title and a sentence: what happens next, with the exact time where there is one.

    Each says what is known, and nothing that somebody may not have done yet. `waits_for_images`: none is here yet.
    `money` is what becomes of it, where the case has ended.
    """
    by = f"You will hear from us by {moment(case.due_at)}." if case.due_at else ""
    told = {
        CaseState.DRAFT: (
            "Not sent yet",
            "Nothing is sent and nothing is charged before you agree to the texts and the price.",
        ),
        CaseState.SUBMITTED: ("We wait for your images" if waits_for_images else "We check your images", by),
        CaseState.NEEDS_INFO: ("Please answer our question", "The clock stands still until then."),
        CaseState.READY: ("We choose a specialist", by),
        CaseState.OFFERED: ("We have asked a specialist", by),
        CaseState.IN_REVIEW: ("Your images are with the specialist", by),
        CaseState.SIGNED: ("We publish your report", by),
        CaseState.PUBLISHED: ("Read your report", _questions_left(follow_ups_left)),
        CaseState.CLOSED: ("Nothing more to do", "Your report stays here for you."),
        CaseState.DECLINED: ("Nothing more to do", money),
        CaseState.WITHDRAWN: ("Nothing more to do", f"No specialist can see your images any more. {money}".strip()),
        CaseState.ERASED: ("Nothing more to do", "Your images and your words were destroyed."),
    }
    return told[case.state]


def _questions_left(count: int) -> str:
    if count <= 0:
        return "You have asked all the questions about it that are included."
    return f"You can ask {count} more question{'' if count == 1 else 's'} about it."
