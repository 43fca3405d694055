"""Intake: the patient's story, questions and consents, until the case is submitted or withdrawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.gateway import Gateway
from cases import asked_items, consents, digest, kind_questions, licences, money, notify, nudges, parts, reference
from cases.asked_items import Wanted
from cases.machine import repeated, transition
from cases.models import SUBJECTS, Case, Consent, Note, Question
from cases.move import Move
from cases.nudges import Waits
from cases.patient_fields import require_birth_date, require_sex
from cases.place_codes import norm_place
from cases.repository import active_program, is_reference_taken, load
from cases.service import delegates, drafts, kinds, presentation, programs
from cases.states import PATIENT_SIDE, CaseEvent, CaseState, ImagesBy
from overread.kit import audit, permissions, principals
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.texts import trimmed

#: What patients agree to, and the public pages of these texts by their addresses.
CONSENTS, CONSENT_PAGES = consents.CONSENTS, consents.PAGES
MAX_QUESTIONS = 20
MAX_FOLLOW_UPS = 3
#: Requests not yet sent that a patient may have at once; each may hold images (`cases.allowance`).
MAX_DRAFTS = 5
_MAX_TEXT = 20_000
_MAX_LINE = 2_000
#: How many characters a text of a draft may have.
_LONGEST = {
    "symptoms": _MAX_TEXT,
    "history": _MAX_TEXT,
    "additional": _MAX_TEXT,
    "other_subject": 400,
    "patient_name": 200,
    "address": 400,
    "language": 80,
    "physician": 200,
    "physician_contact": 400,
    "first_report_by": 400,
}


@dataclass(frozen=True, slots=True)
class Changes:
    """What is changed in a draft; None leaves a field as it is. `sex` is F, M, O or empty (PS3.3 C.2.2.2).

    `subjects`: of `models.SUBJECTS`; `answers`: to what the kind asks, by key; those not named stay.
    """

    subjects: Sequence[str] | None = None
    other_subject: str | None = None
    symptoms: str | None = None
    history: str | None = None
    additional: str | None = None
    answers: Mapping[str, str] | None = None
    place: str | None = None
    emergency: bool | None = None
    patient_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    address: str | None = None
    language: str | None = None
    interpreter: bool | None = None
    physician: str | None = None
    physician_contact: str | None = None
    inform_physician: bool | None = None
    first_report_by: str | None = None
    images_by: ImagesBy | None = None

    def given(self) -> dict[str, Any]:
        """The fields that are not left as they are."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of half a form: the edition that the draft has now, and why some fields were not kept, by name."""

    edition: str
    refused: Mapping[str, str]


def start(
    tx: Session, who: Principal, program_slug: str, kind: str, changes: Changes, *, patient_id: UUID | None = None
) -> UUID:
    """A patient's draft for a kind of opinion: one of theirs in which nothing was written yet, else a new one.

    So pressing twice, or looking at what another opinion costs, leaves no empty requests behind. Raises as `create`.
    """
    principals.lock(tx, who.id)
    patient_id = patient_id or who.id
    delegates.require_acting(tx, who, patient_id)
    empty = select(Case).where(Case.patient_id == patient_id, Case.created_by == who.id, Case.state == CaseState.DRAFT)
    for case in tx.scalars(empty.order_by(Case.id.desc()).with_for_update(of=Case)):
        if case.program.slug == program_slug and presentation.untouched(tx, case):
            case.kind = kinds.chosen(case.program, kind)
            _apply(tx, case, changes.given())
            return case.id
    return create(tx, who, program_slug, changes, kind=kind, patient_id=patient_id)


def create(
    tx: Session,
    who: Principal,
    program_slug: str,
    changes: Changes | None = None,
    *,
    kind: str = "",
    patient_id: UUID | None = None,
    reserved: str = "",
) -> UUID:
    """Open a draft, for oneself, for whom one acts, or (a coordinator) for a patient with an account; the case's id.

    `kind`: the opinion's, the program's first one where none is named. `reserved`: a reference number that is kept for
    it. Raises Forbidden, NotFound, Unprocessable, Conflict.
    """
    permissions.require(who, Permission.CASE_CREATE)
    if who.role is Role.PATIENT:
        patient_id = patient_id or who.id
        delegates.require_acting(tx, who, patient_id)
        # Held until the commit, so that of many at once the last ones are refused.
        principals.lock(tx, who.id)
        drafts = select(func.count()).where(Case.created_by == who.id, Case.state == CaseState.DRAFT)
        if (tx.scalar(drafts) or 0) >= MAX_DRAFTS:
            raise Conflict(
                f"{who.id} has {MAX_DRAFTS} drafts",
                safe=gettext(
                    "You have %(max_drafts)s requests that are not sent yet. Go on with one of them, or withdraw it.",
                    max_drafts=MAX_DRAFTS,
                ),
            )
    elif patient_id is None or principals.get(tx, patient_id).role != Role.PATIENT:
        raise Unprocessable("no patient", safe=gettext("Please name the patient's account."))
    program = active_program(tx, program_slug)
    case = Case(
        reference=reserved or free_reference(tx),
        program=program,
        kind=kinds.chosen(program, kind),
        patient_id=patient_id,
        created_by=who.id,
        patient_name=principals.get(tx, patient_id).name,
    )
    tx.add(case)
    tx.flush()
    audit.record(tx, who, "case.create", "case", case.id, case_id=case.id)
    _apply(tx, case, (changes or Changes()).given())
    return case.id


def update(tx: Session, who: Principal, case_id: UUID, changes: Changes, *, edition: str | None = None) -> None:
    """Change a draft; what `changes` leaves out stays as it is.

    `edition` (`presentation.edition`) is that of the draft which was changed, if the caller knows it. Raises NotFound,
    Forbidden, Unprocessable; Conflict where it is no draft any more, or another edition by now.
    """
    case = drafts.load_draft(tx, who, case_id, edition)
    _apply(tx, case, changes.given())
    audit.record(tx, who, "case.update", "case", case.id, case_id=case.id)


def keep(
    tx: Session,
    who: Principal,
    case_id: UUID,
    form: Mapping[str, Any],
    questions: Sequence[str] | None = None,
    answers: Mapping[str, str] | None = None,
    *,
    edition: str | None = None,
) -> Kept:
    """Keep half a form in a draft: each field of it (as `Changes` names them) that can be kept, whatever is missing.

    A birth date of None is none; `answers`: to what the kind asks, by key, each a field of its own, "answer-KEY".
    Raises NotFound, Forbidden, and Conflict as `update`; what a field says wrongly is refused beside what is kept.
    """
    case = drafts.load_draft(tx, who, case_id, edition)
    before, refused = presentation.edition(case), {}
    each = [(name, {name: value}) for name, value in form.items()]
    each += [(f"answer-{key}", {"answers": {key: text}}) for key, text in (answers or {}).items()]
    for name, changed in each:
        try:
            _apply(tx, case, changed)
        except Unprocessable as error:
            refused[name] = error.safe
    if questions is not None:
        try:
            _set_questions(tx, case, questions)
        except Unprocessable as error:
            refused["questions"] = error.safe
    now = presentation.edition(case)
    if now != before:
        audit.record(tx, who, "case.update", "case", case.id, case_id=case.id)
    return Kept(now, refused)


def choose_kind(tx: Session, who: Principal, case_id: UUID, kind: str, gateway: Gateway | None) -> None:
    """Choose another kind of opinion for a draft; a payment that was begun for the one before is called off.

    Raises NotFound, Forbidden, Unprocessable, Conflict where it is paid or sent, Unavailable.
    """
    case = drafts.load_draft(tx, who, case_id)
    wanted = kinds.chosen(case.program, kind)
    if wanted.id == case.kind_id:
        return
    money.call_off(tx, gateway, case)
    case.kind = wanted
    tx.flush()
    audit.record(tx, who, "case.kind", "case", case.id, case_id=case.id, kind=wanted.slug)


def set_questions(
    tx: Session, who: Principal, case_id: UUID, texts: Sequence[str], *, edition: str | None = None
) -> None:
    """Replace a draft's questions; empty ones are left out and the others numbered from 1. Raises as `update`."""
    _set_questions(tx, drafts.load_draft(tx, who, case_id, edition), texts)


def _set_questions(tx: Session, case: Case, texts: Sequence[str]) -> None:
    kept = [_text(text, _MAX_LINE, "question") for text in texts if text.strip()]
    if len(kept) > MAX_QUESTIONS:
        raise Unprocessable(
            "too many questions",
            safe=gettext("Please ask at most %(max_questions)s questions.", max_questions=MAX_QUESTIONS),
        )
    if kept == [question.text for question in case.questions]:
        return
    case.questions.clear()
    # Out first: a number is unique within its case.
    tx.flush()
    case.questions.extend(Question(number=number, text=text) for number, text in enumerate(kept, start=1))
    tx.flush()


def consent(
    tx: Session,
    who: Principal,
    case_id: UUID,
    kind: str,
    *,
    version: str,
    digest: str | None = None,
    address: str = "",
) -> None:
    """Record a patient's consent to a text of ours: its version and SHA-256, when, and from which network address.

    `version`, and `digest` if given, are those of the text that the patient was shown. The same again changes nothing.
    Only the patient can consent. Raises Conflict, with the text of now, where another one was shown.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_CONSENT, case_id)
    agreed = consents.current(kind, version, digest)
    known = select(Consent.id).where(Consent.case_id == case.id, Consent.kind == kind, Consent.version == version)
    if tx.scalar(known):
        return
    tx.add(
        Consent(
            case_id=case.id,
            kind=kind,
            version=agreed.version,
            text_digest=agreed.digest,
            given_by=who.id,
            address=address[:64],
        )
    )
    tx.flush()
    audit.record(tx, who, "case.consent", "case", case.id, case_id=case.id, kind=kind, version=version)


def missing(tx: Session, who: Principal, case_id: UUID) -> tuple[tuple[str, str], ...]:
    """What a draft still needs, as sentences, each with the step that asks for it."""
    return presentation.missing(tx, who, load(tx, who, case_id)[0])


def submit(tx: Session, who: Principal, case_id: UUID) -> None:
    """Submit a draft. Raises Unprocessable with everything that is missing (`reasons`)."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.SUBMIT, actor, who))


def withdraw(tx: Session, who: Principal, case_id: UUID, reason: str = "") -> None:
    """The patient withdraws: grants end now, the money goes back by the policy."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.WITHDRAW, actor, who, reason=reason))


def ask_info(tx: Session, who: Principal, case_id: UUID, question: str = "", items: Sequence[Wanted] = ()) -> None:
    """A coordinator, or the specialist who reads, asks for information: the clock stops.

    A coordinator's question reaches the patient as it is; a specialist's goes the same way, so that neither ever
    learns of the other. With `items` the patient answers one by one; then words before them may be left out.
    """
    case, actor = load(tx, who, case_id, lock=True)
    wanted = asked_items.checked(items)
    text = _text(question, _MAX_LINE, "question", empty=bool(wanted))
    text = "\n\n".join(filter(None, [text, asked_items.listing(one.text for one in wanted)]))
    if transition(Move(tx, case, CaseEvent.ASK_INFO, actor, who, reason=text)):
        asked_items.put(tx, case, wanted)
        tx.add(Note(case_id=case.id, author_id=who.id, from_patient=False, text=text))


def answer_info(tx: Session, who: Principal, case_id: UUID, answer: str = "") -> None:
    """The answer to `ask_info`: the clock goes on, later by the time that it stood.

    Where items were asked for the answer is made of them; the patient's side sends it once each is answered or said
    to be missing, and may add words. Raises Unprocessable while some are open.
    """
    case, actor = load(tx, who, case_id, lock=True)
    asked_in_review = case.resume_to is CaseState.IN_REVIEW
    event = CaseEvent.ANSWER_REVIEW if asked_in_review else CaseEvent.ANSWER_INTAKE
    asked = asked_items.view(tx, case)
    listed = asked.waits and (actor in PATIENT_SIDE or all(one.done for one in asked.items))
    if listed and (open_ones := [str(one.number) for one in asked.items if not one.done]):
        raise Unprocessable(
            "items are open",
            safe=gettext(
                "Please answer each point, or say that you don’t have it; still open: %(numbers)s.",
                numbers=", ".join(open_ones),
            ),
        )
    text = _text(answer, _MAX_TEXT, "answer", empty=listed)
    text = "\n\n".join(filter(None, [asked_items.told(asked) if listed else "", text]))
    # The step keeps it, too: it is what the specialist is told, who sees no message.
    move = Move(tx, case, event, actor, who, reason=text)
    if repeated(move) and text == tx.scalar(
        select(Note.text).where(Note.case_id == case.id, Note.author_id == who.id).order_by(Note.id.desc()).limit(1)
    ):
        return
    transition(move)
    tx.add(Note(case_id=case.id, author_id=who.id, from_patient=actor in PATIENT_SIDE, text=text))


def write_note(tx: Session, who: Principal, case_id: UUID, text: str) -> None:
    """A message between the patient and the coordinators; the other side gets a mail that says only that."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_MESSAGE, case_id)
    from_patient = actor in PATIENT_SIDE
    note = Note(case_id=case.id, author_id=who.id, from_patient=from_patient, text=_text(text, _MAX_TEXT, "message"))
    tx.add(note)
    tx.flush()
    audit.record(tx, who, "case.message", "case", case.id, case_id=case.id)
    if from_patient:
        digest.note(tx, "new_message", case)
        nudges.ask(tx, case, Waits.REPLY, note.id)
    else:
        notify.queue_patient(tx, case, "message")
        nudges.ask(tx, case, Waits.MESSAGE, note.id)


def follow_up(tx: Session, who: Principal, case_id: UUID, text: str) -> None:
    """One of up to three questions after the report was published."""
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_FOLLOW_UP, case_id)
    if case.state is not CaseState.PUBLISHED:
        raise Conflict(
            f"follow-up in {case.state}", safe=gettext("Follow-up questions can be asked once the report is there.")
        )
    if sum(q.follow_up for q in case.questions) >= MAX_FOLLOW_UPS:
        raise Unprocessable(
            "too many",
            safe=gettext("You can ask up to %(max_follow_ups)s follow-up questions.", max_follow_ups=MAX_FOLLOW_UPS),
        )
    number = max((q.number for q in case.questions), default=0) + 1
    case.questions.append(Question(number=number, text=_text(text, _MAX_LINE, "question"), follow_up=True))
    tx.flush()
    audit.record(tx, who, "case.follow_up", "case", case.id, case_id=case.id)
    if case.specialist_id is not None:
        notify.queue(tx, case, case.specialist_id, "follow_up")
    nudges.ask(tx, case, Waits.FOLLOW_UP, case.questions[-1].id)


def _apply(tx: Session, case: Case, changed: Mapping[str, Any]) -> None:
    given = dict(changed)
    if "subjects" in given:
        programs.require_subjects(given["subjects"])
        given["subjects"] = [one for one in SUBJECTS if one in given["subjects"]]
    require_sex(given.get("sex", ""))
    if given.get("birth_date"):
        require_birth_date(given["birth_date"])
    for name, most in _LONGEST.items():
        if name in given:
            given[name] = _text(given[name], most, name.replace("_", " "), empty=True)
    if "answers" in given:
        given["answers"] = _answers(case, given["answers"])
    if "place" in given:
        given["place"] = norm_place(given["place"])
        if not licences.is_served(tx, case.program, given["place"]):
            raise Unprocessable("a place that is not served", safe=licences.NOT_SERVED)
    for name, value in given.items():
        setattr(case, name, value)
    tx.flush()


def _answers(case: Case, given: Mapping[str, str]) -> dict[str, str]:
    asked = {one.key: one for one in kind_questions.of(case.kind.asks)}
    if not set(given) <= set(asked):
        raise Unprocessable(
            "an answer to no question", safe=gettext("An answer names a question that this opinion does not ask.")
        )
    cleaned = {key: trimmed(text) for key, text in given.items()}
    for key, text in cleaned.items():
        if refusal := asked[key].refusal(text):
            raise Unprocessable(f"answer {key}", safe=f"{asked[key].label}: {refusal}")
    return {**case.answers, **cleaned}


def _text(text: str, most: int, what: str, *, empty: bool = False) -> str:
    text = trimmed(text)
    if not text and not empty:
        raise Unprocessable(f"empty {what}", safe=gettext("Please write the %(what)s.", what=what))
    if len(text) > most:
        raise Unprocessable(
            f"{what} too long",
            safe=gettext("The %(what)s is too long: %(most)s characters at most.", what=what, most=most),
        )
    return text


def free_reference(tx: Session) -> str:
    """A reference number that no case has, and none will have by a referral."""
    while True:
        candidate = reference.new()
        if not is_reference_taken(tx, candidate):
            return candidate
