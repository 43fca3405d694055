"""What a version of a report still lacks before it can be signed: a sentence each, or None."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases import late_studies, report_texts
from cases.models import Case, Report
from cases.report_states import ReportKind
from cases.repository import documents_of, studies_of
from cases.states import DocumentKind, Needed, StudyState
from cases.version_models import Signer
from overread.kit.language import gettext
from overread.kit.principals import Principal


def words(tx: Session, case: Case, report: Report | None) -> str | None:
    """Answers to every question and the texts that have to be written; of an addition its own text alone."""
    if report is None:
        return gettext("There is no report yet.")
    missing = [
        str(q.number)
        for q in case.questions
        if not q.follow_up and report.kind is not ReportKind.ADDENDUM and not report.answers.get(str(q.id), "").strip()
    ]
    if missing:
        return gettext("Please answer every question; still open: %(names)s.", names=", ".join(missing))
    wanting = report_texts.missing(report.texts, report.kind, compares=compares(tx, case, report))
    return next(iter(wanting.values()), None)


def compares(tx: Session, case: Case, report: Report | None) -> bool:
    """Whether a report says how it compares with the first one: it is released to the specialist, or it said so."""
    if report is not None and (report.kind is ReportKind.ADDENDUM or report.texts.get("agreement")):
        return report.kind is not ReportKind.ADDENDUM
    return first_report(tx, case)


def first_report(tx: Session, case: Case) -> bool:
    """Whether the first report is among what was released to the specialist."""
    released = {s.study_uid for s in studies_of(tx, case.id) if s.state is StudyState.RELEASED}
    return any(d.kind is DocumentKind.FIRST_REPORT and d.study_uid in released for d in documents_of(tx, case.id))


def studies(tx: Session, case: Case, report: Report | None) -> str | None:
    """The studies that were read, each still part of the case."""
    released = {s.view_study_uid for s in studies_of(tx, case.id) if s.state is StudyState.RELEASED}
    if not released and case.kind.images is not Needed.REQUIRED:
        return None
    if report is None or not report.studies_read:
        return gettext("Please tick the studies that you have read.")
    if not set(report.studies_read) <= released:
        return gettext("A ticked study is no longer part of this case.")
    if report.kind is not ReportKind.ADDENDUM and late_studies.unseen(tx, case, report):
        return gettext(
            "Studies came in after you took the case. Look at them, then tick them or say that you saw them."
        )
    return None


def change(report: Report) -> str | None:
    """What was changed and why, of every version but the report itself."""
    told = report.kind is ReportKind.REPORT or report.change.strip()
    return None if told else gettext("Please say what is changed or added, and why.")


def signer(tx: Session, who: Principal | None) -> str | None:
    """What stands under the signature."""
    known = who is not None and tx.get(Signer, who.id) is not None
    return None if known else gettext("Please say first what stands under your signature: open “Signature” above.")
