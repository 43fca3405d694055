"""The API's part for requests that somebody else than the patient prepares, and for the patient who is invited."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cases import bodies
from cases.operations import AFTER, LIMIT, Call, Operation
from cases.service import referrals, referred
from cases.service.referrals import ReferralView
from cases.service.referred import SHARING, ReferredView
from overread.kit import attempts

_REFERRALS = "/api/v1/referrals"
_ONE = f"{_REFERRALS}/{{referral}}"
_OF_CASE = "/api/v1/cases/{case}/referral"


@dataclass(frozen=True, slots=True)
class Made:
    """A referral, and the number that hospitals write into the images."""

    referral_id: UUID
    reference: str


@dataclass(frozen=True, slots=True)
class TakenUp:
    """The case that came of a referral."""

    case_id: UUID


@dataclass(frozen=True, slots=True)
class OfCase:
    """Who prepared a case, None where its patient began it; and the text by which they are let read the report."""

    referral: ReferredView | None
    version: str
    digest: str
    words: str


def _make(c: Call) -> Made:
    made = referrals.make(c.tx, c.who, c.body.program, c.body.referred())
    # Nobody's mailbox is filled; and only what would be mailed is counted.
    attempts.spend(c.archive.db, *attempts.mailing(c.body.email))
    return Made(made, referrals.show(c.tx, c.who, made).reference)


def _again(c: Call) -> None:
    attempts.spend(c.archive.db, *attempts.mailing(referrals.show(c.tx, c.who, c.uuid("referral")).email))
    referrals.send_again(c.tx, c.who, c.uuid("referral"))


def _take_up(c: Call) -> TakenUp:
    # Who may not take it up in any case guesses nothing, and uses up nobody's tries.
    referred.asked(c.tx, c.who, c.body.token)
    budgets = attempts.opening(c.body.token)
    attempts.spend(c.archive.db, *budgets, safe="Too many birth dates were tried.")
    made = referred.take_up(c.tx, c.who, c.body.token, c.body.birth_date)
    attempts.give_back(c.archive.db, *budgets)
    return TakenUp(made)


def _of_case(c: Call) -> OfCase:
    found = referred.of_case(c.tx, c.who, c.case_id)
    return OfCase(found, SHARING.version, SHARING.digest, SHARING.text)


def _share(c: Call) -> None:
    referred.share(c.tx, c.who, c.case_id, version=c.body.version, digest=c.body.digest, address=c.address)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _REFERRALS, "referrals", "The patients whom you referred, and how far they are",
              lambda c: referrals.listed(c.tx, c.who, after=c.after, limit=c.limit), result=list[ReferralView],
              parameters=(AFTER, LIMIT)),
    Operation("POST", _REFERRALS, "referrals", "Prepare a request for a patient, and invite them", _make,
              bodies.NewReferral, Made, 201),
    Operation("POST", f"{_REFERRALS}/take-up", "referrals", "Make what was prepared a request of your own", _take_up,
              bodies.ReferralTaken, TakenUp, 201),
    Operation("POST", f"{_REFERRALS}/refuse", "referrals", "Say no to what was prepared for you",
              lambda c: referred.refuse(c.tx, c.who, c.body.token), bodies.InvitationTaken, None, 204),
    Operation("GET", _ONE, "referrals", "A patient whom you referred",
              lambda c: referrals.show(c.tx, c.who, c.uuid("referral")), result=ReferralView),
    Operation("POST", f"{_ONE}/invitation", "referrals", "Mail the invitation once more", _again, None, None, 204),
    Operation("DELETE", _ONE, "referrals", "Take an invitation back",
              lambda c: referrals.end(c.tx, c.who, c.uuid("referral")), None, None, 204),
    Operation("GET", f"{_ONE}/report.pdf", "referrals", "The report, while the patient lets you read it",
              lambda c: referrals.report(c.tx, c.who, c.uuid("referral"))[1], result=bytes,
              media_type="application/pdf"),
    Operation("GET", _OF_CASE, "cases", "Who prepared a case, and whether they may read its report", _of_case,
              result=OfCase),
    Operation("PUT", f"{_OF_CASE}/report", "cases", "Let whoever referred the patient read the report", _share,
              bodies.ReportShared, None, 204),
    Operation("DELETE", f"{_OF_CASE}/report", "cases", "Let them read it no more",
              lambda c: referred.stop_sharing(c.tx, c.who, c.case_id), None, None, 204),
)
# fmt: on
