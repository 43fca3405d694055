"""When a specialist is asked how the work goes: each time that they have signed so many of a program's reports."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cases import notify
from cases.feedback_models import CheckIn
from cases.models import Case, Report
from cases.report_states import ReportKind
from overread.kit import clock


def after_reading(tx: Session, case: Case) -> None:
    """A report was signed: ask its specialist, once for each full number of the program's reports."""
    every = case.program.check_in_readings
    if not every or case.specialist_id is None:
        return
    signed = (
        select(func.count(func.distinct(Report.case_id)))
        .join(Case, Case.id == Report.case_id)
        .where(Report.author_id == case.specialist_id, Case.program_id == case.program_id)
        .where(Report.kind == ReportKind.REPORT, Report.signed_at.is_not(None))
    )
    readings = tx.scalar(signed) or 0
    if not readings or readings % every:
        return
    # A report that was sent back and signed again is no further one.
    asked = insert(CheckIn).values(
        id=clock.uuid7(),
        program_id=case.program_id,
        specialist_id=case.specialist_id,
        readings=readings,
        asked_at=clock.now(),
        text="",
    )
    made = tx.scalar(asked.on_conflict_do_nothing().returning(CheckIn.id))
    if made is not None:
        notify.queue(tx, None, case.specialist_id, "check_in", readings=readings, program=case.program.name)
