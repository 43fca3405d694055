"""The case told to its patient: what has happened, and what happens next and by when."""

from __future__ import annotations

from collections.abc import Sequence

from cases.models import Case, Step
from cases.notify import moment
from cases.states import CaseEvent, CaseState
from cases.views import Entry

_TITLES = {
    CaseEvent.SUBMIT: "Your request was sent",
    CaseEvent.ASK_INFO: "We asked you for information",
    CaseEvent.ANSWER_INTAKE: "You answered our question",
    CaseEvent.ANSWER_REVIEW: "You answered our question",
    CaseEvent.INFO_EXPIRE: "Your request was closed without an answer",
    CaseEvent.MARK_READY: "Your images were checked",
    CaseEvent.ACCEPT: "A specialist began to read",
    CaseEvent.SIGN: "The specialist signed the report",
    CaseEvent.PUBLISH: "Your report is ready",
    CaseEvent.CLOSE: "Your request was closed",
    CaseEvent.DECLINE: "We could not take your request",
    CaseEvent.WITHDRAW: "You withdrew your request",
}
#: Whose reason was written for the patient; every other one is the program's own.
_FOR_PATIENT = frozenset((CaseEvent.ASK_INFO, CaseEvent.DECLINE))


def timeline(case: Case, steps: Sequence[Step]) -> tuple[Entry, ...]:
    """What has happened, newest first: the studies' and the offers' steps are the program's own business."""
    entries = [Entry(case.created_at, "You started your request", "")]
    for step in steps:
        event = CaseEvent(step.event) if step.study_uid is None else None
        if event in _TITLES:
            entries.append(Entry(step.at, _TITLES[event], step.reason if event in _FOR_PATIENT else ""))
    return tuple(reversed(entries))


def asked(case: Case, steps: Sequence[Step]) -> str:
    """The question that waits for the patient's answer, or nothing."""
    if case.state is not CaseState.NEEDS_INFO:
        return ""
    return next((s.reason for s in reversed(steps) if s.event == CaseEvent.ASK_INFO and s.study_uid is None), "")


def next_step(case: Case) -> tuple[str, str]:
    """A title and a sentence: what happens next, with the exact time where there is one."""
    by = f"You will hear from us by {moment(case.due_at)}." if case.due_at else ""
    told = {
        CaseState.DRAFT: ("Complete your request", "Nothing is sent and nothing is charged until you press send."),
        CaseState.SUBMITTED: ("We check your images", by),
        CaseState.NEEDS_INFO: ("Please answer our question", "The clock stands still until then."),
        CaseState.READY: ("We choose a specialist", by),
        CaseState.OFFERED: ("A specialist looks at your request", by),
        CaseState.IN_REVIEW: ("The specialist reads your images", by),
        CaseState.SIGNED: ("We publish your report", by),
        CaseState.PUBLISHED: ("Read your report", "You can ask up to three questions about it."),
        CaseState.CLOSED: ("Nothing more to do", "Your report stays here for you."),
        CaseState.DECLINED: (
            "Nothing more to do",
            "What was held on your card is released, what was taken is refunded.",
        ),
        CaseState.WITHDRAWN: ("Nothing more to do", "Nobody can see your images any more."),
    }
    return told[case.state]
