"""A work item that follows something of a room above: it is made, updated and moved as told, never asked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, delete, select
from sqlalchemy.orm import Session

from overread.kit import clock
from pacs.dicom import tags
from pacs.dicom.dicomjson import JsonDataset
from pacs.ups import attributes, service
from pacs.ups.attributes import code, dt, human, sq
from pacs.ups.models import Report, Workitem
from pacs.ups.states import FINAL, StepState

#: DCM 110005: what a reading is, and who runs it (CID 9231).
_INTERPRETATION = code("110005", "DCM", "Interpretation")
_STATION = code("OVERREAD", "99OVERREAD", "Overread")


@dataclass(frozen=True, slots=True)
class Reading:
    """A specialist's reading: `patient` and `studies` as the specialist's view has them, nothing of the originals.

    `subject` names it for whoever lets it follow; times are None where there are none.
    """

    subject: UUID
    specialist_id: UUID
    specialist: str
    label: str
    patient_name: str
    patient_id: str
    studies: Sequence[str]
    start: datetime
    due: datetime | None = None
    expires: datetime | None = None
    accepted: datetime | None = None
    finished: datetime | None = None


def erase(tx: Session, subjects: Sequence[UUID]) -> None:
    """Remove the work items of these subjects, and the reports of them that wait for somebody."""
    uids = tx.scalars(select(Workitem.uid).where(Workitem.subject.in_(subjects))).all()
    for uid in uids:
        tx.execute(delete(Report).where(cast(Report.payload, Text).contains(uid)))
    tx.execute(delete(Workitem).where(Workitem.subject.in_(subjects)))


def follow(tx: Session, reading: Reading, state: StepState) -> None:
    """Have a reading's work item in a state with these attributes; idempotent. One that is finished stays as it is."""
    item = tx.scalars(select(Workitem).where(Workitem.subject == reading.subject).with_for_update()).one_or_none()
    if item is None:
        if state is StepState.CANCELED:
            return
        item = Workitem(
            uid=f"2.25.{reading.subject.int}",
            attributes=_attributes(reading),
            assignee_id=reading.specialist_id,
            subject=reading.subject,
        )
        service.put(tx, item)
    if StepState(item.state) in FINAL:
        return
    if state is StepState.CANCELED:
        service.cancel(tx, item, {})
        return
    wanted = item.attributes | _attributes(reading)
    if _without_time(wanted) != _without_time(item.attributes):
        item.attributes = wanted
        tx.flush()
    if state is not StepState.SCHEDULED and item.state == StepState.SCHEDULED:
        item.transaction_uid = f"2.25.{uuid.uuid4().int}"
        service.move(tx, item, StepState.IN_PROGRESS)
    if state is StepState.COMPLETED:
        item.attributes = item.attributes | {attributes.PERFORMED: sq([_performed(reading)])}
        service.move(tx, item, StepState.COMPLETED)


def _attributes(reading: Reading) -> JsonDataset:
    """The attributes of PS3.4 Table CC.2.5-3; what is of type 2 and not known is empty."""
    empty = {"vr": "SQ"}
    found: dict[str, Any] = {
        attributes.PRIORITY: _text("CS", "MEDIUM"),
        attributes.LABEL: _text("LO", reading.label),
        attributes.WORKLIST: _text("LO", "Second opinions"),
        attributes.READINESS: _text("CS", "READY"),
        attributes.START: dt(reading.start),
        attributes.MODIFIED: dt(clock.now()),
        attributes.WORKITEM_CODE: sq([_INTERPRETATION]),
        attributes.HUMANS: sq([human(reading.specialist_id, reading.specialist)]),
        attributes.INPUT: sq([_input(uid) for uid in reading.studies]),
        **dict.fromkeys(
            (
                tags.ScheduledStationNameCodeSequence.key,
                tags.ScheduledStationClassCodeSequence.key,
                tags.ScheduledStationGeographicLocationCodeSequence.key,
                tags.ScheduledProcessingParametersSequence.key,
                tags.ReferencedRequestSequence.key,
                tags.ProcedureStepProgressInformationSequence.key,
                tags.UnifiedProcedureStepPerformedProcedureSequence.key,
            ),
            empty,
        ),
        tags.PatientName.key: {"vr": "PN", "Value": [{"Alphabetic": reading.patient_name}]}
        if reading.patient_name
        else {"vr": "PN"},
        tags.PatientID.key: _text("LO", reading.patient_id),
    }
    if reading.due:
        found[attributes.EXPECTED] = dt(reading.due)
    if reading.expires:
        found[attributes.EXPIRES] = dt(reading.expires)
    return found


def _input(study_uid: str) -> dict[str, Any]:
    """A study to be read, as Table 10-3b's reference without its instances."""
    return {tags.TypeOfInstances.key: _text("CS", "DICOM"), tags.StudyInstanceUID.key: _text("UI", study_uid)}


def _performed(reading: Reading) -> dict[str, Any]:
    """What the final state needs (Table CC.2.5-3), and who did it."""
    return {
        tags.PerformedStationNameCodeSequence.key: sq([_STATION]),
        tags.ActualHumanPerformersSequence.key: sq([human(reading.specialist_id, reading.specialist)]),
        tags.PerformedWorkitemCodeSequence.key: sq([_INTERPRETATION]),
        tags.PerformedProcedureStepStartDateTime.key: dt(reading.accepted or reading.start),
        tags.PerformedProcedureStepEndDateTime.key: dt(reading.finished or clock.now()),
        tags.OutputInformationSequence.key: {"vr": "SQ"},
    }


def _text(vr: str, text: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [text]} if text else {"vr": vr}


def _without_time(dataset: JsonDataset) -> JsonDataset:
    return {tag: one for tag, one in dataset.items() if tag != attributes.MODIFIED}
