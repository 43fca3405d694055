"""What the case layer tells itself and others, as jobs in the transaction that brought it about."""

from __future__ import annotations

from dataclasses import dataclass

from overread.kit.jobs import Event


@dataclass(frozen=True)
class CaseSubmitted(Event):
    """A draft was submitted: who its patient is stands fast now."""

    name = "cases.submitted"

    case_id: str


@dataclass(frozen=True)
class ReferralTakenUp(Event):
    """A patient took up what was prepared for them: images that came before, with its number, find their case."""

    name = "cases.referral_taken_up"

    case_id: str


@dataclass(frozen=True)
class StudyMatched(Event):
    """A study is known to be the patient's: its de-identified copy can be made."""

    name = "cases.study_matched"

    case_id: str
    study_uid: str


@dataclass(frozen=True)
class CaseErased(Event):
    """A case's rows are gone: its key, its blobs and its mails are to go, too."""

    name = "cases.erased"

    case_id: str
    message_ids: list[str]


@dataclass(frozen=True)
class MailQueued(Event):
    """A mail waits to be sent."""

    name = "cases.mail_queued"

    message_id: str


@dataclass(frozen=True)
class RefundDue(Event):
    """A case ended before its report: a hold is voided, of a captured payment this part is refunded."""

    name = "cases.refund_due"

    case_id: str
    percent: int


@dataclass(frozen=True)
class AuthorisationDue(Event):
    """A case is ready for a specialist: where a card was only saved, its price is to be held now."""

    name = "cases.authorisation_due"

    case_id: str


@dataclass(frozen=True)
class OfferEnds(Event):
    """The time to accept an offer is over (nothing happens where it was answered)."""

    name = "cases.offer_ends"

    case_id: str
    offer_id: str


@dataclass(frozen=True)
class SpecialistWanted(Event):
    """An offer was declined or has run out: the next specialist is to be asked (nothing happens where one was)."""

    name = "cases.specialist_wanted"

    case_id: str
    offer_id: str


@dataclass(frozen=True)
class ReadingMoved(Event):
    """An offer or a reading of a case began, went on or ended: its work items follow."""

    name = "cases.reading_moved"

    case_id: str


@dataclass(frozen=True)
class InformationOverdue(Event):
    """Information was asked for `days` ago (nothing happens where it came since)."""

    name = "cases.information_overdue"

    case_id: str
    asked_at: str
    days: int


@dataclass(frozen=True)
class ImagesAwaited(Event):
    """A request was sent `days` ago whose images a hospital sends (nothing happens where they came since)."""

    name = "cases.images_awaited"

    case_id: str
    days: int


@dataclass(frozen=True)
class ReportPublished(Event):
    """A report was published."""

    name = "cases.report_published"

    case_id: str
    report_id: str


@dataclass(frozen=True)
class ReportUnread(Event):
    """A report was published some days ago: the patient is reminded where it was not opened."""

    name = "cases.report_unread"

    case_id: str
    report_id: str


@dataclass(frozen=True)
class StillWaits(Event):
    """What somebody was promised may still wait: `kind` of `cases.nudges.Waits`, `one` of it.

    Nothing happens where it was done since.
    """

    name = "cases.still_waits"

    case_id: str
    kind: str
    one: str


@dataclass(frozen=True)
class ClosingNear(Event):
    """A case closes by itself in some days (nothing happens where that time no longer stands)."""

    name = "cases.closing_near"

    case_id: str
    closes_at: str


@dataclass(frozen=True)
class ClosingDue(Event):
    """The time at which a case closes by itself has come (nothing happens where another one stands)."""

    name = "cases.closing_due"

    case_id: str
    closes_at: str


@dataclass(frozen=True)
class DueNear(Event):
    """A case is due in so many open hours, or, with 0, now (nothing happens where that time no longer stands).

    `until`: the moment at which the next warning of the same time is told; "" for the last one.
    """

    name = "cases.due_near"

    case_id: str
    due_at: str
    hours: int
    until: str
