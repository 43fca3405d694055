"""The API's part about what comes after a report: how it went, words for the public pages, visits, figures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cases import bodies, surveys
from cases.bodies import Body
from cases.operations import AFTER, LIMIT, Call, Operation, Parameter
from cases.service import after_report, check_ins, figures, testimonials, visits
from cases.service import surveys as said
from cases.service.after_report import AfterReport
from cases.service.check_ins import CheckInView
from cases.service.figures import Month
from cases.service.surveys import SurveyView
from cases.service.testimonials import Consent, Shown, TestimonialView
from cases.service.visits import CaseVisits, VisitView

_CASE, _PROGRAMS = "/api/v1/cases/{case}", "/api/v1/programs"
_Score = Annotated[int, Field(ge=surveys.LOWEST, le=surveys.HIGHEST)]
_PROGRAM = Parameter("program", "Of which program, by its short name; of all where none is named")
_PAGED = (AFTER, LIMIT)


class Said(Body):
    """How it went. `scores`: 1 to 5 by the key of a question, as far as somebody wants to say."""

    scores: Annotated[dict[str, _Score], Field(default_factory=dict, max_length=len(surveys.QUESTIONS))]
    text: Annotated[str, Field(max_length=4_000)] = ""


class NewTestimonial(Body):
    """Words that may be shown, the name under them ("" for none), and the digest of the consent that was shown."""

    text: Annotated[str, Field(min_length=1, max_length=2_000)]
    name: Annotated[str, Field(max_length=80)] = ""
    consent_digest: bodies.Digest


class TestimonialDecision(Body):
    """Whether words are shown. `edition`: of the words that were read."""

    approve: bool
    edition: bodies.Digest


class Wish(Body):
    """When a visit would suit, and what else the clinic should know."""

    wish: Annotated[str, Field(max_length=4_000)] = ""


class VisitAnswer(Body):
    """When and where a visit is, or why there is none."""

    arranged: bool
    text: Annotated[str, Field(min_length=1, max_length=4_000)]


class CheckInAnswer(Body):
    """How the work goes, from 1 (badly) to 5 (very well), and a word."""

    score: _Score
    text: Annotated[str, Field(max_length=2_000)] = ""


class NewAfterReport(Body):
    """What a program does after a report: days and reports with 0 for never, and its clinic with "" for none."""

    close_days: Annotated[int, Field(ge=0, le=1_000)]
    check_in_readings: Annotated[int, Field(ge=0, le=10_000)]
    clinic: Annotated[str, Field(max_length=1_000)] = ""


def _give(c: Call) -> None:
    testimonials.give(c.tx, c.who, c.case_id, c.body.text, c.body.name, c.body.consent_digest)


def _decide(c: Call) -> None:
    testimonials.decide(c.tx, c.who, c.case_id, approve=c.body.approve, edition=c.body.edition)


def _change(c: Call) -> None:
    b = c.body
    after_report.change(
        c.tx,
        c.who,
        c.path["program"],
        close_days=b.close_days,
        check_in_readings=b.check_in_readings,
        clinic=b.clinic,
    )


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", f"{_CASE}/survey", "aftercare", "How it went, as it was said so far; null before",
              lambda c: said.of_case(c.tx, c.who, c.case_id), result=SurveyView | None),
    Operation("PUT", f"{_CASE}/survey", "aftercare", "Say how it went",
              lambda c: said.send(c.tx, c.who, c.case_id, c.body.scores, c.body.text), Said, None, 204),
    Operation("GET", "/api/v1/surveys", "aftercare", "What patients said, the newest first",
              lambda c: said.listed(c.tx, c.who, after=c.after, limit=c.limit), result=list[SurveyView],
              parameters=_PAGED),
    Operation("GET", "/api/v1/testimonials", "aftercare", "Patients' words that are shown, the newest first",
              lambda c: testimonials.published(c.tx, c.query.get(_PROGRAM.name, "")), result=list[Shown], public=True,
              parameters=(_PROGRAM,)),
    Operation("GET", "/api/v1/testimonials/consent", "aftercare", "What is agreed to where words may be shown",
              lambda _c: testimonials.consent(), result=Consent, public=True),
    Operation("GET", "/api/v1/testimonials/given", "aftercare", "Patients' words, those to decide on first",
              lambda c: testimonials.listed(c.tx, c.who, after=c.after, limit=c.limit),
              result=list[TestimonialView], parameters=_PAGED),
    Operation("GET", f"{_CASE}/testimonial", "aftercare", "The words that were given; null where none were",
              lambda c: testimonials.of_case(c.tx, c.who, c.case_id), result=TestimonialView | None),
    Operation("PUT", f"{_CASE}/testimonial", "aftercare", "Give words that may be shown", _give,
              NewTestimonial, None, 204),
    Operation("DELETE", f"{_CASE}/testimonial", "aftercare", "Take the consent back: the words are shown no more",
              lambda c: testimonials.withdraw(c.tx, c.who, c.case_id), None, None, 204),
    Operation("POST", f"{_CASE}/testimonial/decision", "aftercare", "Have words shown, or not", _decide,
              TestimonialDecision, None, 204),
    Operation("GET", f"{_CASE}/visits", "aftercare", "What can be asked of the clinic, and was",
              lambda c: visits.of_case(c.tx, c.who, c.case_id), result=CaseVisits),
    Operation("POST", f"{_CASE}/visits", "aftercare", "Ask for a visit, with the case attached",
              lambda c: visits.ask(c.tx, c.who, c.case_id, c.body.wish), Wish, None, 204),
    Operation("GET", "/api/v1/visits", "aftercare", "Wishes for a visit, those that wait first",
              lambda c: visits.listed(c.tx, c.who, after=c.after, limit=c.limit), result=list[VisitView],
              parameters=_PAGED),
    Operation("POST", "/api/v1/visits/{visit}/answer", "aftercare", "Say when and where a visit is, or why not",
              lambda c: visits.answer(c.tx, c.who, c.uuid("visit"), arranged=c.body.arranged, text=c.body.text),
              VisitAnswer, None, 204),
    Operation("GET", "/api/v1/check-ins", "aftercare", "What you are asked about your work, and have not answered",
              lambda c: check_ins.own(c.tx, c.who), result=list[CheckInView]),
    Operation("POST", "/api/v1/check-ins/{check_in}", "aftercare", "Say how the work goes",
              lambda c: check_ins.answer(c.tx, c.who, c.uuid("check_in"), c.body.score, c.body.text),
              CheckInAnswer, None, 204),
    Operation("GET", "/api/v1/check-ins/answered", "aftercare", "What specialists said, the newest first",
              lambda c: check_ins.listed(c.tx, c.who, after=c.after, limit=c.limit), result=list[CheckInView],
              parameters=_PAGED),
    Operation("GET", "/api/v1/figures", "aftercare", "The last twelve months in figures",
              lambda c: figures.months(c.tx, c.who, c.query.get(_PROGRAM.name, "")), result=list[Month],
              parameters=(_PROGRAM,)),
    Operation("GET", f"{_PROGRAMS}/after-report", "administration", "What programs do after a report",
              lambda c: after_report.listed(c.tx, c.who), result=list[AfterReport]),
    Operation("PUT", f"{_PROGRAMS}/{{program}}/after-report", "administration", "Say what a program does",
              _change, NewAfterReport, None, 204),
)
# fmt: on
