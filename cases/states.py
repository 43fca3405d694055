"""The two state machines of the case layer as data: the case, and a study in a case.

A rule says: in this state, on this event, these actors, if the guards hold -> the next state and its effects. What is
not in a table is refused. `machine.py` executes the tables, the tests walk every cell, `diagram()` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from overread.kit.language import Phrase, gettext


class Actor(StrEnum):
    """What a principal is to one case. OFFERED and ASSIGNED are specialists, SYSTEM is a timer or an event.

    HELPER and REPRESENTATIVE have accounts of their own and act for the patient: a helper writes and sends, a
    representative does whatever the patient may do. SECOND_PERSON is an admin or coordinator who carries out an
    erasure that an admin has begun.
    """

    PATIENT = "patient"
    HELPER = "helper"
    REPRESENTATIVE = "representative"
    COORDINATOR = "coordinator"
    OFFERED = "offered"
    ASSIGNED = "assigned"
    SYSTEM = "system"
    SECOND_PERSON = "second_person"


class CaseState(StrEnum):
    """Where a case stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    NEEDS_INFO = "needs_info"
    READY = "ready"
    OFFERED = "offered"
    IN_REVIEW = "in_review"
    SIGNED = "signed"
    PUBLISHED = "published"
    CLOSED = "closed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


class CaseEvent(StrEnum):
    """What can happen to a case."""

    SUBMIT = "submit"
    ASK_INFO = "ask_info"
    ANSWER_INTAKE = "answer_intake"
    ANSWER_REVIEW = "answer_review"
    INFO_EXPIRE = "info_expire"
    MARK_READY = "mark_ready"
    REOPEN_STUDIES = "reopen_studies"
    OFFER = "offer"
    ACCEPT = "accept"
    REFUSE_OFFER = "refuse_offer"
    OFFER_EXPIRE = "offer_expire"
    TAKE_BACK = "take_back"
    SIGN = "sign"
    SEND_BACK = "send_back"
    PUBLISH = "publish"
    CLOSE = "close"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    ERASE = "erase"


class ClockEvent(StrEnum):
    """What coordinators do with a case's clock, in whichever state it runs: steps of its history, not of its table."""

    PROMISE = "promise"
    PAUSE = "pause"
    RESUME = "resume"


class RecordEvent(StrEnum):
    """What coordinators mend in what a case says of its patient: steps of its history, not of its table."""

    CORRECT = "correct"


class StudyState(StrEnum):
    """Where a study in a case stands."""

    RECEIVING = "receiving"
    QUARANTINED = "quarantined"
    MATCHED = "matched"
    MISMATCH = "mismatch"
    UNREADABLE = "unreadable"
    DEID_REVIEW = "deid_review"
    RELEASED = "released"
    REVOKED = "revoked"


class StudyEvent(StrEnum):
    """What can happen to a study in a case."""

    STABLE = "stable"
    IDENTITY_AGREES = "identity_agrees"
    IDENTITY_DIFFERS = "identity_differs"
    CONFIRM = "confirm"
    FAIL = "fail"
    DEIDENTIFY = "deidentify"
    RELEASE = "release"
    GROW = "grow"
    REVOKE = "revoke"


class ImagesBy(StrEnum):
    """How the images come."""

    UPLOAD = "upload"
    HOSPITAL = "hospital"


class Needed(StrEnum):
    """Whether a kind of opinion can be given without something."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class DocumentKind(StrEnum):
    """What a document is, as whoever adds it says."""

    FIRST_REPORT = "first_report"
    LETTER = "letter"
    LABORATORY = "laboratory"
    PHOTO = "photo"
    OTHER = "other"


class AskedKind(StrEnum):
    """What a patient is asked for."""

    QUESTION = "question"
    DOCUMENT = "document"
    STUDY = "study"


class LicenceRequirement(StrEnum):
    """What a place's law asks of a second opinion for somebody who is there."""

    LICENSED = "licensed"
    DIRECT = "direct"
    LOCAL_PHYSICIAN = "local_physician"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class OfferOutcome(StrEnum):
    """How an offer ended."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    TAKEN_BACK = "taken_back"


class Refusal(StrEnum):
    """Why a specialist declines, besides their own words."""

    OTHER = "other"
    NO_TIME = "no_time"
    NOT_MY_FIELD = "not_my_field"
    #: Whoever says so is asked about this patient no more.
    TREATED = "treated"
    CONFLICT = "conflict"


class Obstacle(StrEnum):
    """What keeps a specialist from a case, and a coordinator can let pass with a recorded reason."""

    LICENCE = "licence"
    LEAVE = "leave"
    LIMIT = "limit"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a table. Guards are names in `guards.GUARDS`, effects names in `effects.EFFECTS`."""

    source: StrEnum
    event: StrEnum
    actors: frozenset[Actor]
    target: StrEnum
    guards: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()


#: The patient, and who acts for them.
PATIENT_SIDE = frozenset((Actor.PATIENT, Actor.HELPER, Actor.REPRESENTATIVE))
#: Those of them who may do whatever the patient may.
SELVES = PATIENT_SIDE - {Actor.HELPER}


class DelegateScope(StrEnum):
    """How far somebody acts for a patient."""

    HELP = "help"
    REPRESENT = "represent"


class Relation(StrEnum):
    """What somebody who acts for a patient is to them."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    CHILD = "child"
    SPOUSE = "spouse"
    INTERPRETER = "interpreter"
    OTHER = "other"
    #: The patient themselves, whose name on the images is another one.
    SELF = "self"


_CS, _CE, _SS, _SE = CaseState, CaseEvent, StudyState, StudyEvent


def _rule(source: StrEnum, event: StrEnum, actors: str, target: StrEnum, guards: str = "", effects: str = "") -> Rule:
    allowed = frozenset(Actor(actor) for actor in actors.split())
    return Rule(source, event, allowed, target, tuple(guards.split()), tuple(effects.split()))


_INTAKE = (
    "address_confirmed no_emergency kind_given eligible_place has_subject in_scope has_questions has_answers "
    "has_identity authority_given has_consents images_chosen documents_here paid_or_free"
)
_TO_OFFER = "studies_released specialist_eligible specialist_free"
_TO_ACCEPT = "offer_open some_study_released specialist_eligible specialist_free captured_or_free"
_TO_SIGN = "specialist_eligible signature_known every_question_answered studies_listed"
_ASK = "stop_clock remind mail_needs_info"
_UNREAD = "end_offer follow_reading"
_UNANSWERED = f"{_UNREAD} mail_offer_refused next_specialist"
_END = "end_offer end_grants return_money follow_reading"
_BEFORE_SIGNED = (_CS.SUBMITTED, _CS.NEEDS_INFO, _CS.READY, _CS.OFFERED, _CS.IN_REVIEW)

# fmt: off
CASE_RULES: tuple[Rule, ...] = (
    # The system submits where the payment was authorised after the patient had done everything else.
    _rule(_CS.DRAFT, _CE.SUBMIT, "patient representative system", _CS.SUBMITTED, _INTAKE,
          "start_clock compare_again mail_submitted"),
    _rule(_CS.SUBMITTED, _CE.ASK_INFO, "coordinator", _CS.NEEDS_INFO, "has_reason", _ASK),
    _rule(_CS.IN_REVIEW, _CE.ASK_INFO, "coordinator assigned", _CS.NEEDS_INFO, "has_reason", _ASK),
    _rule(_CS.NEEDS_INFO, _CE.ANSWER_INTAKE, "patient helper representative coordinator", _CS.SUBMITTED,
          "asked_at_intake", "resume_clock"),
    _rule(_CS.NEEDS_INFO, _CE.ANSWER_REVIEW, "patient helper representative coordinator", _CS.IN_REVIEW,
          "asked_in_review", "resume_clock mail_answered"),
    _rule(_CS.NEEDS_INFO, _CE.INFO_EXPIRE, "system", _CS.DECLINED, "", f"{_END} mail_expired"),
    _rule(_CS.SUBMITTED, _CE.MARK_READY, "coordinator", _CS.READY, "authority_checked studies_released checklist_done",
          "authorise_payment"),
    # A study was revoked, or another one came, before anybody was asked to read.
    _rule(_CS.READY, _CE.REOPEN_STUDIES, "coordinator system", _CS.SUBMITTED),
    # The system asks the next specialist where the program wants it.
    _rule(_CS.READY, _CE.OFFER, "coordinator system", _CS.OFFERED, _TO_OFFER, "open_offer follow_reading mail_offer"),
    _rule(_CS.OFFERED, _CE.ACCEPT, "offered", _CS.IN_REVIEW, _TO_ACCEPT,
          "assign make_grant follow_reading mail_accepted"),
    _rule(_CS.OFFERED, _CE.REFUSE_OFFER, "offered", _CS.READY, "has_reason", _UNANSWERED),
    _rule(_CS.OFFERED, _CE.OFFER_EXPIRE, "system", _CS.READY, "", _UNANSWERED),
    _rule(_CS.OFFERED, _CE.TAKE_BACK, "coordinator", _CS.READY, "has_reason", f"{_UNREAD} mail_offer_taken_back"),
    _rule(_CS.IN_REVIEW, _CE.SIGN, "assigned", _CS.SIGNED, _TO_SIGN, "seal_report follow_reading mail_signed check_in"),
    # What was signed stays as it was signed: the specialist writes a new version that starts from its text.
    _rule(_CS.SIGNED, _CE.SEND_BACK, "coordinator", _CS.IN_REVIEW, "has_reason",
          "send_report_back make_grant"),
    # The system publishes where the program's policy says so.
    _rule(_CS.SIGNED, _CE.PUBLISH, "coordinator system", _CS.PUBLISHED, "report_sealed",
          "publish_report mail_published"),
    _rule(_CS.PUBLISHED, _CE.CLOSE, "coordinator system", _CS.CLOSED,
          "report_in_force follow_ups_answered no_version_open", "end_grants mail_closed"),
    *(_rule(state, _CE.DECLINE, "coordinator", _CS.DECLINED, "has_reason", f"{_END} mail_declined")
      for state in _BEFORE_SIGNED),
    *(_rule(state, _CE.WITHDRAW, "patient representative", _CS.WITHDRAWN, "", f"{_END} mail_withdrawn")
      for state in (_CS.DRAFT, *_BEFORE_SIGNED)),
    *(_rule(state, _CE.ERASE, "second_person", _CS.ERASED, "no_legal_hold erasure_begun", "destroy")
      for state in CaseState if state is not _CS.ERASED),
)

STUDY_RULES: tuple[Rule, ...] = (
    _rule(_SS.RECEIVING, _SE.STABLE, "system coordinator", _SS.QUARANTINED),
    # A coordinator matches it by hand again, or what another sender has of it: compared from the start.
    _rule(_SS.REVOKED, _SE.STABLE, "coordinator", _SS.QUARANTINED, "", "drop_copies"),
    _rule(_SS.QUARANTINED, _SE.IDENTITY_AGREES, "system coordinator", _SS.MATCHED, "",
          "deidentify_study begin_clock"),
    _rule(_SS.QUARANTINED, _SE.IDENTITY_DIFFERS, "system coordinator", _SS.MISMATCH, "", "freeze_view mail_mismatch"),
    # A coordinator compared both identities side by side and says that they are one person's.
    _rule(_SS.MISMATCH, _SE.CONFIRM, "coordinator", _SS.MATCHED, "has_reason", "deidentify_study begin_clock"),
    _rule(_SS.MATCHED, _SE.DEIDENTIFY, "system", _SS.DEID_REVIEW, "", "mail_deid_review"),
    _rule(_SS.MATCHED, _SE.FAIL, "system", _SS.UNREADABLE, "", "mail_unreadable"),
    _rule(_SS.DEID_REVIEW, _SE.RELEASE, "coordinator", _SS.RELEASED, "", "release_view mail_new_images"),
    # More images of a study that is here already, or another identity to compare with: looked at from the start.
    *(_rule(state, _SE.GROW, "system coordinator", _SS.QUARANTINED)
      for state in (_SS.MATCHED, _SS.MISMATCH, _SS.UNREADABLE, _SS.DEID_REVIEW, _SS.RELEASED)),
    *(_rule(state, _SE.REVOKE, "coordinator", _SS.REVOKED, "has_reason", "revoke_view")
      for state in (_SS.QUARANTINED, _SS.MATCHED, _SS.MISMATCH, _SS.UNREADABLE, _SS.DEID_REVIEW, _SS.RELEASED)),
)
# fmt: on

_CASE = {(rule.source, rule.event): rule for rule in CASE_RULES}
_STUDY = {(rule.source, rule.event): rule for rule in STUDY_RULES}

#: The states as people read them.
LABELS: dict[CaseState, str] = {
    _CS.DRAFT: Phrase("Not sent yet"),
    _CS.SUBMITTED: Phrase("Being checked"),
    _CS.NEEDS_INFO: Phrase("Waiting for information"),
    _CS.READY: Phrase("Ready for a specialist"),
    _CS.OFFERED: Phrase("Offered to a specialist"),
    _CS.IN_REVIEW: Phrase("With the specialist"),
    _CS.SIGNED: Phrase("Report signed"),
    _CS.PUBLISHED: Phrase("Report ready to read"),
    _CS.CLOSED: Phrase("Closed"),
    _CS.DECLINED: Phrase("Declined"),
    _CS.WITHDRAWN: Phrase("Withdrawn"),
    _CS.ERASED: Phrase("Erased"),
}
#: What is said of a case whose report was taken back, in the place of its state.
TAKEN_BACK = Phrase("Report taken back")
STUDY_LABELS: dict[StudyState, str] = {
    _SS.RECEIVING: Phrase("Arriving"),
    _SS.QUARANTINED: Phrase("Being checked"),
    _SS.MATCHED: Phrase("Names are being removed"),
    # What differs is told by `identity.Compared.label`, where the images can be compared.
    _SS.MISMATCH: Phrase("Identity to be checked"),
    _SS.UNREADABLE: Phrase("Can’t be read"),
    _SS.DEID_REVIEW: Phrase("Waits for a coordinator’s check"),
    _SS.RELEASED: Phrase("Ready for the specialist"),
    _SS.REVOKED: Phrase("Taken out"),
}

#: Reasons to decline, and what keeps somebody from a case, as people read them.
REFUSAL_LABELS: dict[Refusal, str] = {
    Refusal.OTHER: Phrase("Another reason"),
    Refusal.NO_TIME: Phrase("No time"),
    Refusal.NOT_MY_FIELD: Phrase("Not my field"),
    Refusal.TREATED: Phrase("I treated this patient"),
    Refusal.CONFLICT: Phrase("Another conflict of interest"),
}
OBSTACLE_LABELS: dict[Obstacle, str] = {
    Obstacle.LICENCE: Phrase("licence"),
    Obstacle.LEAVE: Phrase("leave"),
    Obstacle.LIMIT: Phrase("limit of cases"),
    Obstacle.CONFLICT: Phrase("conflict of interest"),
}

#: Kinds of documents as people read them.
DOCUMENT_LABELS: dict[DocumentKind, str] = {
    DocumentKind.FIRST_REPORT: Phrase("First report"),
    DocumentKind.LETTER: Phrase("Letter"),
    DocumentKind.LABORATORY: Phrase("Laboratory"),
    DocumentKind.PHOTO: Phrase("Photo"),
    DocumentKind.OTHER: Phrase("Document"),
}

#: A study in one of these is known to be the patient's.
KNOWN_THEIRS = frozenset((_SS.MATCHED, _SS.DEID_REVIEW, _SS.RELEASED))

#: States in which nothing more can happen to the money or to the images, but that they are erased.
ENDED = frozenset((_CS.CLOSED, _CS.DECLINED, _CS.WITHDRAWN, _CS.ERASED))
#: Sent, and not ended.
OPEN = frozenset(_CS) - ENDED - {_CS.DRAFT}
#: The report is signed.
DELIVERED = frozenset((_CS.SIGNED, _CS.PUBLISHED, _CS.CLOSED))
#: The price can still be paid, or held.
PAYABLE = frozenset((_CS.DRAFT, _CS.SUBMITTED, _CS.NEEDS_INFO, _CS.READY, _CS.OFFERED))
#: More images are taken from the patient.
UPLOADABLE = frozenset(_CS) - ENDED - DELIVERED
#: The clock towards the report runs, unless it was stopped.
RUNNING = frozenset((_CS.SUBMITTED, _CS.READY, _CS.OFFERED, _CS.IN_REVIEW, _CS.SIGNED))


def case_rule(state: CaseState, event: CaseEvent) -> Rule | None:
    """The rule of a cell of the case's table, or None where the event is impossible in this state."""
    return _CASE.get((state, event))


def study_rule(state: StudyState, event: StudyEvent) -> Rule | None:
    """The rule of a cell of the study's table, or None where the event is impossible in this state."""
    return _STUDY.get((state, event))


def possible(state: CaseState, actor: Actor) -> tuple[CaseEvent, ...]:
    """The events that an actor may bring about in a state, guards aside."""
    return tuple(event for event in CaseEvent if (rule := case_rule(state, event)) and actor in rule.actors)


def diagram(rules: tuple[Rule, ...]) -> str:
    """A table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {rules[0].source}"]
    lines += [
        gettext(
            "    %(source)s --> %(target)s: %(event)s (%(names)s)",
            source=rule.source,
            target=rule.target,
            event=rule.event,
            names=", ".join(sorted(rule.actors)),
        )
        for rule in rules
    ]
    sources = {rule.source for rule in rules}
    lines += [f"    {state} --> [*]" for state in dict.fromkeys(r.target for r in rules) if state not in sources]
    return "\n".join(lines) + "\n"
