"""The report: written question by question, signed, published, read, followed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cases import (
    closing,
    imaging,
    late_studies,
    notify,
    parts,
    report_pdf,
    report_texts,
    sealing,
    version_move,
    versions,
    written,
)
from cases.machine import transition
from cases.models import Case, Question, Report
from cases.move import Move
from cases.redact import redacted
from cases.report_states import READABLE, WITH_PATIENT, ReportEvent, ReportKind, ReportState
from cases.repository import documents_of, latest_report, load, report_steps_of, reports_of, studies_of
from cases.service import report_shown
from cases.states import SELVES, Actor, CaseEvent, CaseState
from cases.version_move import VersionMove
from cases.views import Answer, ReportView, SignatureView, WrittenText
from overread.kit import audit, clock
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.proofs import Proof
from overread.kit.texts import trimmed
from overread.kit.words import counted
from pacs.index.scope import Scope

MOST_TEXT = 50_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A report that is being written: answers by question's id, Study Instance UIDs of the view that were read.

    `digest`: names what it says now, every word of it. `number`, `kind`: which version it is; `reason`: why the one
    before was sent back, as its author may read it; `compares`: it says how it compares with the first report.
    """

    answers: Mapping[str, str]
    texts: tuple[WrittenText, ...]
    studies_read: Sequence[str]
    saved_at: datetime
    digest: str
    number: int
    kind: ReportKind
    change: str
    reason: str
    compares: bool


def save_draft(
    tx: Session,
    who: Principal,
    case_id: UUID,
    answers: Mapping[str, str],
    texts: Mapping[str, str],
    studies_read: Sequence[str],
    *,
    change: str | None = None,
    edition: str | None = None,
) -> None:
    """Keep what the specialist has written so far. `answers`: question id -> text; `texts`: of `cases.report_texts`, by
    key; `studies_read`: UIDs of the view; `change`: what is changed and why, of a correction or an addition.

    What is not named stays as it is. `edition` is that of the text which was changed, if the caller knows it.
    Raises Conflict where it is another one by now.
    """
    case = _reading(tx, who, case_id)
    report = latest_report(tx, case_id)
    known = {str(q.id) for q in case.questions}
    if not set(answers) <= known:
        raise Unprocessable(
            "unknown question", safe=gettext("An answer names a question that this case does not have.")
        )
    kind = report.kind if report else ReportKind.REPORT
    kept = report_texts.texts_of(kind, compares=written.compares(tx, case, report))
    if not set(texts) <= {text.key for text in kept}:
        raise Unprocessable(
            "unknown text", safe=gettext("The texts of a report are: %(names)s.", names=", ".join(t.key for t in kept))
        )
    if any(text.choices and texts.get(text.key) and texts[text.key] not in text.choices for text in kept):
        raise Unprocessable("no such choice", safe=gettext("Please choose one of what is listed."))
    if any(len(text) > MOST_TEXT for text in (*answers.values(), *texts.values(), change or "")):
        raise Unprocessable(
            "too long", safe=gettext("A text is too long: %(max_text)s characters at most.", max_text=MOST_TEXT)
        )
    if not all(imaging.is_uid(uid) for uid in studies_read):
        raise Unprocessable("not a UID", safe=gettext("A study is named by its Study Instance UID."))
    if edition not in (None, edition_of(report)):
        raise Conflict(
            f"another edition of the report of case {case_id}",
            safe=gettext(
                "This report was changed since you opened it, perhaps in another window. Nothing was saved now: "
                "compare what you wrote with what is saved, then save again."
            ),
        )
    if report is None:
        report = Report(case_id=case_id, author_id=who.id)
        tx.add(report)
        tx.flush()
    report.answers = {**report.answers, **_cleaned(answers)}
    report.texts = {**report.texts, **_cleaned(texts)}
    report.studies_read = sorted(set(studies_read))
    if change is not None:
        report.change = trimmed(change)
    tx.flush()
    audit.record(tx, who, "report.save", "report", report.id, case_id=case_id)


def draft(tx: Session, who: Principal, case_id: UUID) -> Draft | None:
    """What its author has written so far; None while nothing is. Raises NotFound, Forbidden for everybody else."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_WRITE, case_id)
    report = latest_report(tx, case_id)
    if report is None:
        return None
    return Draft(
        report.answers,
        _texts(report),
        report.studies_read,
        report.updated_at,
        edition_of(report),
        report.number,
        report.kind,
        report.change,
        redacted(case, versions.reason_of(report_steps_of(tx, case_id), report.number - 1, ReportEvent.SEND_BACK)),
        written.compares(tx, case, report),
    )


def missing_texts(report: Draft | None, *, first_report: bool) -> dict[str, str]:
    """What has still to be written before a report can be signed, besides answers, by key: a sentence each.

    `first_report`: that one is there to compare with, while nothing is written.
    """
    if report is None:
        return report_texts.missing({}, compares=first_report)
    kept = {text.key: text.choice or text.text for text in report.texts}
    found = report_texts.missing(kept, report.kind, compares=report.compares)
    if report.kind is not ReportKind.REPORT and not report.change:
        found["change"] = gettext("Please say what is changed or added, and why.")
    return found


def missing_studies(tx: Session, who: Principal, case_id: UUID) -> str:
    """What the studies that are ticked as read still lack before the report can be signed; "" for nothing."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_WRITE, case_id)
    return written.studies(tx, case, latest_report(tx, case_id)) or ""


def signature_now(tx: Session, who: Principal, case_id: UUID) -> tuple[SignatureView | None, str]:
    """What would stand under a signature of the report now, and what is missing for one. Raises as `may_sign`."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_SIGN, case_id)
    return report_shown.signature(sealing.signature(tx, case, who)), written.signer(tx, who) or ""


def edition_of(report: Report | None) -> str:
    """A name for what a report says now, its digest; empty where there is none yet."""
    return sealing.words_digest(report) if report is not None else ""


def pdf(tx: Session, who: Principal, case_id: UUID, number: int | None = None) -> tuple[str, bytes]:
    """A version of the report as PDF/A for whoever may read it, with the name of its file; the one in force where none
    is named. Raises as `read`.
    """
    found = read(tx, who, case_id, number)
    name = f"second-opinion-{found.reference}" + (f"-version-{found.version}" if found.version > 1 else "")
    return f"{name}.pdf", report_pdf.render(found)


def may_sign(tx: Session, who: Principal, case_id: UUID) -> None:
    """Raises unless `who` is the one who may sign this report; asked before their password is."""
    _, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_SIGN, case_id)


def sign(tx: Session, who: Principal, case_id: UUID, proof: Proof, *, digest: str | None = None) -> str:
    """Sign the report; the SHA-256 of its words. `digest` is that of the text which the signer was shown, if given.

    `proof`: that the signer has just shown again who they are; a session or a token alone signs nothing. Raises
    Forbidden without it, Unprocessable while a question is open or no study is listed, Conflict where the text was
    changed since.
    """
    proof.require(tx, who)
    case, actor = load(tx, who, case_id, lock=True)
    report = latest_report(tx, case_id)
    if digest is not None and report is not None and digest != sealing.words_digest(report):
        raise Conflict(
            "another text than the one shown", safe=gettext("The text was changed meanwhile. Please read it again.")
        )
    if report is not None and case.state in WITH_PATIENT:
        signed = versions.moved(tx, case, report, ReportEvent.SIGN, actor, who)
    else:
        signed = transition(Move(tx, case, CaseEvent.SIGN, actor, who, specialist_id=who.id))
    report = latest_report(tx, case_id)
    assert report is not None
    assert report.digest is not None
    if signed and case.program.publish_by_policy:
        _publish(tx, case, report, Actor.SYSTEM, None)
    return report.digest


def publish(tx: Session, who: Principal, case_id: UUID) -> None:
    """Give the version that is signed to the patient. Raises Conflict where its text is no longer what was signed."""
    case, actor = load(tx, who, case_id, lock=True)
    report = latest_report(tx, case_id)
    if report is not None and not report_shown.intact(report):
        raise Conflict(f"report {report.id} was altered", safe=gettext("The report was altered after it was signed."))
    _publish(tx, case, report, actor, who)


def _publish(tx: Session, case: Case, report: Report | None, actor: Actor, who: Principal | None) -> None:
    reason = "" if who else "by the program's policy"
    if report is not None and report.about is not None and case.state in WITH_PATIENT:
        versions.moved(tx, case, report, ReportEvent.PUBLISH, actor, who, reason)
    else:
        transition(Move(tx, case, CaseEvent.PUBLISH, actor, who, reason=reason))


def send_back(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """Send what is signed and not published back to the specialist, who writes a new version that starts from it."""
    case, actor = load(tx, who, case_id, lock=True)
    signed = next((r for r in reports_of(tx, case_id) if r.state is ReportState.SIGNED and r.about is not None), None)
    if signed is not None:
        versions.moved(tx, case, signed, ReportEvent.SEND_BACK, actor, who, reason)
    elif not _sent_back(tx, case, actor, who, reason):
        transition(Move(tx, case, CaseEvent.SEND_BACK, actor, who, reason=reason))


def _sent_back(tx: Session, case: Case, actor: Actor, who: Principal, reason: str) -> bool:
    """Whether this is a second click on what was sent back of a report that is with its patient."""
    newest = latest_report(tx, case.id)
    if newest is None or case.state not in WITH_PATIENT:
        return False
    before = next((r for r in reports_of(tx, case.id) if r.number == newest.number - 1), newest)
    return versions.repeated(VersionMove(tx, case, before, ReportEvent.SEND_BACK, actor, who, reason))


def read(tx: Session, who: Principal, case_id: UUID, number: int | None = None) -> ReportView:
    """A version of the report, as far as `who` may read it; the one in force where no number is given.

    Its author reads what is not recalled, coordinators what was signed, the patient what was published and is not
    recalled. The patient's first look is kept as the read receipt. Raises NotFound.
    """
    case, actor = load(tx, who, case_id)
    reports = reports_of(tx, case_id)
    report = _asked_for(reports, actor, number)
    if report is None:
        recalled = actor in SELVES and any(r.state is ReportState.RECALLED for r in reports)
        safe = gettext("This report was taken back: it must not be used.") if recalled else ""
        raise NotFound(f"no report of case {case_id} for {actor}", safe=safe or gettext("There is no report yet."))
    if actor in SELVES and report.first_read_at is None:
        report.first_read_at = clock.now()
    for one in version_move.whole(reports, report):
        if actor in SELVES and one.first_read_at is None:
            one.first_read_at = clock.now()
        audit.record(tx, who, "report.read", "report", one.id, case_id=case_id)
    return _view(tx, case, report, for_specialist=actor is Actor.ASSIGNED)


def may_read(actor: Actor, report: Report) -> bool:
    """Whether somebody with this part in a case reads a version."""
    match actor:
        case Actor.ASSIGNED:
            return report.state not in (ReportState.RECALLED, ReportState.DISCARDED)
        case Actor.COORDINATOR:
            return report.signed_at is not None
        case _ if actor in SELVES:
            return report.state in READABLE
    return False


def _asked_for(reports: Sequence[Report], actor: Actor, number: int | None) -> Report | None:
    if number is not None:
        return next((r for r in reports if r.number == number and may_read(actor, r)), None)
    valid = version_move.in_force(reports)
    if valid is not None or actor in SELVES:
        return valid
    main = [r for r in reports if r.kind is not ReportKind.ADDENDUM and may_read(actor, r)]
    return main[-1] if main else None


def document(tx: Session, case: Case, report: Report) -> ReportView:
    """A report as its patient reads it, for the system itself: the archive's copy."""
    return _view(tx, case, report, for_specialist=False)


def see_late(tx: Session, who: Principal, case_id: UUID) -> None:
    """The specialist says that they have seen what was released after they took the case. Idempotent.

    Raises NotFound, Forbidden.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_WRITE, case_id)
    for study in late_studies.unseen(tx, case):
        study.seen_at = clock.now()
        audit.record(tx, who, "case.late_seen", "study", study.study_uid, case_id=case_id)
    tx.flush()


def answer_follow_up(tx: Session, who: Principal, case_id: UUID, question_id: UUID, text: str, proof: Proof) -> str:
    """The specialist answers a question that the patient asked after publication, and signs it; its SHA-256.

    `proof`: as of `sign`. Raises Forbidden without it.
    """
    proof.require(tx, who)
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_WRITE, case_id)
    if case.state is not CaseState.PUBLISHED:
        raise Conflict(f"follow-up in {case.state}", safe=gettext("This case takes no more answers."))
    question = next((q for q in case.questions if q.id == question_id and q.follow_up), None)
    if question is None:
        raise NotFound(f"question {question_id} of case {case_id}")
    if question.answer == trimmed(text) and text.strip():
        return question.answer_digest or ""
    if question.answer is not None:
        raise Conflict("answered", safe=gettext("This question was answered already."))
    if not text.strip() or len(text) > MOST_TEXT:
        raise Unprocessable("answer", safe=gettext("Please write an answer."))
    if (missing := written.signer(tx, who)) is not None:
        raise Unprocessable("no signer", safe=missing)
    question.answer, question.answered_at = trimmed(text), clock.now()
    question.answer_signature = sealing.signature(tx, case, who)
    question.answer_digest = sealing.answer_digest(case, question)
    audit.record(tx, who, "case.follow_up_answer", "case", case_id, case_id=case_id, digest=question.answer_digest)
    notify.queue_patient(tx, case, "follow_up_answered")
    closing.go_on(tx, case)
    return question.answer_digest


def close(tx: Session, who: Principal, case_id: UUID) -> None:
    """Close a published case; the grant ends now."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.CLOSE, actor, who))


def studies_sentences(tx: Session, case: Case, view_uids: Sequence[str], *, for_specialist: bool) -> tuple[str, ...]:
    """The studies of a report as people read them. A specialist's dates are the view's, everybody else's the real."""
    chosen = [s for s in studies_of(tx, case.id) if s.view_study_uid in set(view_uids)]
    papers = {paper.study_uid: paper.pages for paper in documents_of(tx, case.id)}
    if for_specialist:
        uids = [s.view_study_uid for s in chosen if s.view_study_uid]
        papers = {s.view_study_uid: papers[s.study_uid] for s in chosen if s.view_study_uid and s.study_uid in papers}
        known = imaging.summaries(tx, Scope(case.view_id, study_uids=frozenset(uids))) if case.view_id else {}
    else:
        uids = [s.study_uid for s in chosen]
        known = imaging.original(tx, *chosen)
    return tuple(sentence(known[uid], papers.get(uid)) for uid in uids if uid in known)


def sentence(study: imaging.StudySummary, pages: int | None = None) -> str:
    """A study in one line: "CT of 2026-11-21 (Chest), 120 images"; of a document "First report 1, 2 pages".

    `pages`: how many a document has, where its study holds the file itself beside them.
    """
    if study.modalities == ["DOC"]:
        return f"{study.description or gettext('Document')}, {counted(pages or study.instances, 'page', 'pages')}"
    day = study.study_date
    when = f" of {day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 else ""
    what = "/".join(study.modalities) or gettext("Study")
    named = f" ({study.description})" if study.description else ""
    return f"{what}{when}{named}, {counted(study.instances, 'image', 'images')}"


def _cleaned(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: trimmed(text) for key, text in texts.items()}


def _texts(report: Report) -> tuple[WrittenText, ...]:
    kept = {t.key: report.texts.get(t.key, "") for t in report_texts.texts_of(report.kind)}
    return tuple(
        WrittenText(t.key, t.label, t.patient_label, t.words(kept[t.key]), kept[t.key] if t.choices else "")
        for t in report_texts.texts_of(report.kind)
    )


def _identity(case: Case) -> str:
    return f"{case.patient_name}, born {case.birth_date:%Y-%m-%d}" if case.birth_date else case.patient_name


def _reading(tx: Session, who: Principal, case_id: UUID) -> Case:
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_WRITE, case_id)
    newest = latest_report(tx, case_id)
    changes = newest is not None and newest.state is ReportState.DRAFT and case.state in WITH_PATIENT
    if case.state is not CaseState.IN_REVIEW and not changes:
        raise Conflict(f"case {case_id} is {case.state}", safe=gettext("The report can't be changed now."))
    return case


def _view(tx: Session, case: Case, report: Report, *, for_specialist: bool) -> ReportView:
    reports = reports_of(tx, case.id)
    adds = report.kind is ReportKind.ADDENDUM

    def answer(question: Question) -> Answer:
        given = (question.answer or "") if question.follow_up else report.answers.get(str(question.id), "")
        asked = redacted(case, question.text) if for_specialist else question.text
        return Answer(
            question.id,
            question.number,
            asked,
            given,
            question.follow_up,
            question.answered_at,
            report_shown.signature(question.answer_signature),
            question.answer_digest,
        )

    return ReportView(
        report.id,
        case.id,
        case.reference,
        case.program.name,
        tuple(case.subjects),
        "" if for_specialist else _identity(case),
        report.number,
        () if adds else tuple(answer(q) for q in case.questions if not q.follow_up),
        _texts(report),
        studies_sentences(tx, case, report.studies_read, for_specialist=for_specialist),
        report.signed_name,
        report.signed_at,
        report.published_at,
        report.digest,
        report_shown.intact(report),
        () if adds else tuple(answer(q) for q in case.questions if q.follow_up),
        edition_of(report),
        case.program.zone,
        report.kind.value,
        report.change,
        report_shown.signature(report.signature),
        report_shown.mark(reports, report_steps_of(tx, case.id), report),
        report_shown.added(reports, report),
    )
