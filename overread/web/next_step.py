"""What a coordinator does next with a case: a title, the reasons, and the button or link that does it."""

from __future__ import annotations

import textwrap
from typing import Any

from cases.states import CaseEvent, CaseState, ClockEvent, OfferOutcome, StudyState
from cases.views import CoordinatorCase, ReportKind, StepView, VersionView
from overread.kit import zones
from overread.kit.language import gettext, ngettext

_at = zones.sentence
#: The form for it.
_NEW_TIME = "#f-due"
#: Letters of a reason: on a phone the button below it is still in the first screen; all of it stands further down.
_MOST = 240
#: How a case ends before its report.
_ENDS = (CaseEvent.DECLINE, CaseEvent.WITHDRAW, CaseEvent.INFO_EXPIRE)


def steps(
    case: CoordinatorCase,
    studies: list[dict[str, Any]],
    may_read: int,
    waits: VersionView | None,
    *,
    recalled: bool,
) -> list[dict[str, Any]]:
    """What comes next, the first thing first.

    `studies` as the page shows them, `may_read`: how many specialists may read the case, `waits`: the
    version of the report that is signed and not published, `recalled`: no report is in force any more.
    """
    url, state = f"/queue/{case.case_id}", CaseState(case.state)
    if case.clock_stands:
        goes_on = {"label": gettext("Let the clock go on"), "action": f"{url}/resume"}
        since = gettext("Since %(moment)s.", moment=zones.sentence(case.paused_at)) if case.paused_at else ""
        return [_step(gettext("The clock stands still"), [case.clock_stands, since], goes_on)]
    if recalled and not waits:
        then = _put_right(case)
    else:
        then = _to_publish(case, url, waits) if waits else _of_state(case, state, url, studies, may_read)
    if case.late and case.due_at and ClockEvent.PROMISE in case.clock_actions:
        passed = gettext("They were to hear by %(moment)s, and nobody tells them but you.", moment=_at(case.due_at))
        first = _step(
            gettext("Promise broken: tell the patient"), [passed], _link(gettext("Give a new time"), _NEW_TIME)
        )
        # The new time is the first step's business already.
        others = [one for one in then["actions"] if one.get("href") != _NEW_TIME]
        return [first | {"late": True}, then | {"actions": others}]
    return [then]


def _of_state(
    case: CoordinatorCase, state: CaseState, url: str, studies: list[dict[str, Any]], may_read: int
) -> dict[str, Any]:
    match state:
        case CaseState.DRAFT:
            text = gettext("The patient has not sent it. What is missing is asked for there.")
            return _step(gettext("Wait for the request"), [text], _queue())
        case CaseState.SUBMITTED:
            return _submitted(case, url, studies)
        case CaseState.NEEDS_INFO:
            asked = _last(case, CaseEvent.ASK_INFO)
            told = gettext("%(who)s asked, %(moment)s:", who=asked.who, moment=_at(asked.at)) if asked else ""
            answer = _link(gettext("Write down an answer"), "#f-answer", "quiet")
            return _step(gettext("Wait for the patient’s answer"), [told, asked.reason if asked else ""], answer)
        case CaseState.READY:
            return _ready(url, may_read)
        case CaseState.OFFERED:
            offer = next(one for one in case.offers if one.outcome == OfferOutcome.OPEN)
            text = gettext(
                "%(name)s was asked and has until %(moment)s.", name=offer.specialist, moment=_at(offer.expires_at)
            )
            back = _link(gettext("Take the offer back"), "#f-take-back-reason", "quiet")
            return _step(gettext("Wait for the specialist’s yes"), [text], back)
        case CaseState.IN_REVIEW:
            text = gettext("%(name)s reads the images and writes the report.", name=case.specialist)
            late = _link(gettext("Give the patient a new time"), _NEW_TIME, "quiet")
            return _step(gettext("Wait for the report"), [text], late)
        case CaseState.PUBLISHED:
            return _published(case, url)
        case _:
            ended = _last(case, *_ENDS)
            why = ended.reason if ended else ""
            return _step(gettext("Nothing more to do"), [why or gettext("The case has ended.")], _queue())


def _submitted(case: CoordinatorCase, url: str, studies: list[dict[str, Any]]) -> dict[str, Any]:
    if not case.blocked:
        ready = {"label": gettext("Ready: ask a specialist"), "action": f"{url}/ready"}
        return _step(gettext("Have a specialist asked"), [gettext("Every study is checked and released.")], ready)
    live = [one for one in case.studies if one.state != StudyState.REVOKED]
    released = live and all(one.state == StudyState.RELEASED for one in live)
    if released and not all(one.ticked_at for one in case.checklist):
        look = _link(gettext("Go to the checklist"), "#checklist")
        return _step(gettext("Go through the checklist"), list(case.blocked), look)
    if released and case.authority and not case.authority.checked_at:
        look = _link(gettext("Look at what was said"), "#authority")
        return _step(gettext("Check who acts for the patient"), list(case.blocked), look)
    if not live:
        by = (
            gettext("The hospital sends them, and none has arrived.")
            if case.images_by == "hospital"
            else gettext("None has arrived.")
        )
        return _step(gettext("Wait for the images"), [by], _link(gettext("Ask the patient"), "#f-info", "quiet"))
    if any(one.state == StudyState.MISMATCH for one in live):
        look = _link(gettext("Compare them"), "#studies")
        return _step(gettext("Decide whose images these are"), list(case.blocked), look)
    pictures = next((one["pixels_url"] for one in studies if one["review_all_action"]), "")
    if pictures:
        return _step(
            gettext("Review the pictures"), list(case.blocked), _link(gettext("Look at them one by one"), pictures)
        )
    return _step(gettext("Check the studies"), list(case.blocked), _link(gettext("Go to the studies"), "#studies"))


def _ready(url: str, may_read: int) -> dict[str, Any]:
    text = (
        ngettext("%(num)s specialist may read it.", "%(num)s specialists may read it.", may_read, num=may_read)
        if may_read
        else gettext("No specialist may read it as things are; the reasons stand beside their names.")
    )
    reopen = {"label": gettext("Back to checking the studies"), "action": f"{url}/reopen", "kind": "quiet"}
    return _step(gettext("Offer it to a specialist"), [text], _link(gettext("Choose a specialist"), "#assign"), reopen)


def _to_publish(case: CoordinatorCase, url: str, waits: VersionView) -> dict[str, Any]:
    if case.blocked and case.state == CaseState.SIGNED:
        return _step(
            gettext("The report can’t be published yet"), list(case.blocked), _link(gettext("Read it"), "#report")
        )
    publish = {
        "label": gettext("Publish to the patient"),
        "action": f"{url}/publish",
        "confirm": gettext("Publish this report? The patient is told at once."),
    }
    match waits.kind:
        case ReportKind.CORRECTION:
            text = gettext("%(name)s has signed a correction of the report.", name=case.specialist)
        case ReportKind.ADDENDUM:
            text = gettext("%(name)s has signed an addition to the report.", name=case.specialist)
        case _:
            text = gettext("%(name)s has signed the report.", name=case.specialist)
    read_it = _link(gettext("Read it first"), "#report", "quiet")
    return _step(gettext("Check the report and publish it"), [text], publish, read_it)


def _put_right(case: CoordinatorCase) -> dict[str, Any]:
    told = gettext("The report was taken back, and the patient has none. Have it corrected, or take the recall back.")
    versions = _link(gettext("Go to the versions"), "#versions")
    return _step(gettext("Give the patient a report again"), [told, *case.blocked[1:]], versions)


def _published(case: CoordinatorCase, url: str) -> dict[str, Any]:
    if case.blocked:
        text = list(case.blocked)
        return _step(
            gettext("Wait for the specialist’s answer"),
            text,
            _link(gettext("Write to the patient"), "#f-message", "quiet"),
        )
    close = {
        "label": gettext("Close the case"),
        "action": f"{url}/close",
        "kind": "quiet",
        "confirm": gettext("Close this case? The specialist loses access to the images."),
    }
    text = [gettext("The patient has the report, and every question about it is answered.")]
    if case.closes_at:
        text.append(gettext("It closes by itself on %(moment)s.", moment=_at(case.closes_at)))
    return _step(gettext("Close it when nothing more is asked"), text, close)


def _step(title: str, reasons: list[str], *actions: dict[str, Any]) -> dict[str, Any]:
    told = [textwrap.shorten(one, _MOST, placeholder=" …") for one in reasons if one]
    return {"title": title, "reasons": told, "actions": list(actions), "late": False}


def _link(label: str, href: str, kind: str = "") -> dict[str, str]:
    return {"label": label, "href": href, "kind": kind}


def _queue() -> dict[str, str]:
    return _link(gettext("Back to the queue"), "/queue", "quiet")


def _last(case: CoordinatorCase, *events: CaseEvent) -> StepView | None:
    return next((one for one in reversed(case.steps) if one.study_uid is None and one.event in events), None)
