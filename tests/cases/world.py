"""A small world for the tests: people, a program, real studies in a real archive, and jobs run on demand."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from billing import service as billing
from billing.gateway import Gateway
from cases import consents, digest
from cases.handlers import Handlers
from cases.mail import FolderMailer
from cases.models import CONSENTS, OpinionKind
from cases.report_states import ReportKind
from cases.repository import active_program, studies_of
from cases.service import (
    approval,
    assignment,
    intake,
    kinds,
    payments,
    people,
    programs,
    read,
    reporting,
    signers,
    studies,
    versions,
)
from cases.service.approval import InstancesLook
from cases.service.intake import Changes
from cases.service.kinds import KindFields
from cases.states import ImagesBy, LicenceRequirement
from overread import wiring
from overread.kit import clock, principals
from overread.kit.bus import Bus
from overread.kit.db import Database
from overread.kit.principals import Principal, Role
from overread.kit.proofs import Authenticated, Proof
from overread.kit.settings import Settings
from pacs.index.events import StudyReceiving
from pacs.index.models import Study
from pacs.index.scope import ORIGINAL
from pacs.store import ingest, stable
from pacs.store.archive import Archive
from pacs.store.ingest import AlreadyStored, Prepared, Source, Stored
from tests.fakes.payments import Sandbox

PRICE = 35000
NAME, BORN, EMAIL = "María Ångström-Oyelaran", date(1971, 3, 9), "maria.oyelaran@example.org"
DICOM_NAME, DICOM_BORN = "ANGSTROM OYELARAN^MARIA", "19710309"


_ROLES = {
    "patient": Role.PATIENT,
    "other_patient": Role.PATIENT,
    "coordinator": Role.COORDINATOR,
    "specialist": Role.SPECIALIST,
    "other_specialist": Role.SPECIALIST,
    "hospital": Role.HOSPITAL,
    "admin": Role.ADMIN,
    "auditor": Role.AUDITOR,
}


def populate(tx: Session) -> dict[str, Principal]:
    """People, programs, and what places ask, in an empty database."""
    for key, role in _ROLES.items():
        principals.create(tx, role=role, name=NAME if key == "patient" else f"Some {key.title()}", email=_email(key))
    who = people_of(tx)
    # What is said once for many tests was so before any of them: their clocks are not one.
    billing.set_price(tx, "written", "Written report", PRICE, "USD", valid_from=datetime(2020, 1, 1, tzinfo=UTC))
    programs.create(tx, who["admin"], "msk", "Bone and joint", excluded_places=["US-ND"])
    programs.create(tx, who["admin"], "free", "Free reading")
    kinds.add(tx, who["admin"], "free", "report", KindFields("Free reading"))
    kinds.add(tx, who["admin"], "msk", "report", KindFields("Written report"))
    # Its price was in force before any of the tests' clocks.
    tx.execute(
        update(OpinionKind)
        .where(OpinionKind.program_id == active_program(tx, "msk").id)
        .values(price_key="written", specialist_fee=12000)
    )
    tx.expire_all()
    people.add_rule(tx, who["admin"], "US-CA", LicenceRequirement.LICENSED, "a statute", date(2020, 1, 1))
    people.add_rule(tx, who["admin"], "DE", LicenceRequirement.DIRECT, "a statute", date(2020, 1, 1))
    people.add_rule(tx, who["admin"], "XX", LicenceRequirement.BLOCKED, "a statute", date(2020, 1, 1))
    for key in ("specialist", "other_specialist"):
        people.set_licence(tx, who["admin"], who[key].id, "US-CA", date(2099, 1, 1))
        signers.change(tx, who[key], "Consultant radiologist, FRCR", "Hillside Imaging, Ghent")
        for program in ("msk", "free"):
            programs.set_reader(tx, who["admin"], program, who[key].id, reads=True)
    return who


def people_of(tx: Session) -> dict[str, Principal]:
    """The people of a database, if there are any."""
    rows = ((key, principals.by_email(tx, _email(key))) for key in _ROLES)
    return {key: row.as_principal(via="api") for key, row in rows if row is not None}


def _email(key: str) -> str:
    return EMAIL if key == "patient" else f"{key}@example.org"


@dataclass
class World:
    """Everybody's principals, and the verbs of a case's life."""

    db: Database
    archive: Archive
    gateway: Gateway
    sandbox: Sandbox | None
    folder: Path
    who: dict[str, Principal] = field(default_factory=dict)
    bus: Bus = field(init=False)
    handlers: Handlers = field(init=False)

    def __post_init__(self) -> None:
        self.bus = Bus(self.db)
        settings = Settings.model_validate({"data_dir": self.folder, "public_url": "https://overread.example"})
        mailer = FolderMailer(settings.mail_dir, "a@b.example")
        self.handlers = Handlers(self.archive, self.gateway, mailer, settings.base_url)
        wiring.wire_cases(self.bus, self.handlers)
        with self.db.transaction() as tx:
            self.who = people_of(tx) or populate(tx)

    def __getattr__(self, name: str) -> Principal:
        try:
            return self.who[name]
        except KeyError:
            raise AttributeError(name) from None

    # The life of a case, step by step.

    def draft(self, program: str = "msk", **changes: Any) -> UUID:
        given: dict[str, Any] = {
            "subjects": ("CT",),
            "symptoms": "Pain in the knee",
            "place": "US-CA",
            "birth_date": BORN,
            "sex": "F",
            "images_by": ImagesBy.UPLOAD,
        } | changes
        with self.db.transaction() as tx:
            case_id = intake.create(tx, self.patient, program, Changes(**given))
            intake.set_questions(tx, self.patient, case_id, ["Is it torn?", " ", "Do I need surgery?"])
            for kind in CONSENTS:
                version = consents.CURRENT[kind].version
                intake.consent(tx, self.patient, case_id, kind, version=version, address="192.0.2.1")
        return case_id

    def upload(
        self, case_id: UUID | None, *, who: Principal | None = None, dicom: bytes | None = None, called_ae: str = ""
    ) -> str:
        data = dicom or study()
        source = Source(who or self.patient, "stow", case_id=case_id, called_ae=called_ae)
        with ingest.receive(self.archive, source) as incoming:
            incoming.write(data)
            prepared = incoming.finish()
        assert isinstance(prepared, Prepared), prepared
        stored = ingest.store(self.archive, source, [prepared])[0]
        assert isinstance(stored, Stored | AlreadyStored)
        return stored.keys.study_uid

    def settle(self, study_uid: str) -> None:
        with self.db.transaction() as tx:
            grown = tx.scalars(
                update(Study)
                .where(Study.study_uid == study_uid, Study.view_id == ORIGINAL)
                .values(changed_at=clock.now() - timedelta(hours=1))
                .returning(Study.pk)
            ).all()
        for study_pk in sorted(grown):
            stable.on_study_receiving(self.archive, StudyReceiving(study_pk))
        self.drain()

    def pay(self, case_id: UUID) -> None:
        with self.db.transaction() as tx:
            url = payments.checkout(
                tx,
                self.patient,
                case_id,
                self.gateway,
                success_url="https://a.example/",
                cancel_url="https://a.example/",
            )
        assert url
        assert self.sandbox
        self.sandbox.pay(url)
        self.look()

    def look(self) -> None:
        """What a webhook brings about: billing looks again, and its events are heard."""
        with self.db.transaction() as tx:
            for payment in tx.execute(text("SELECT id FROM billing_payment")).scalars().all():
                billing.sync(tx, self.gateway, payment)
        self.drain()

    def submitted(self, program: str = "msk", **changes: Any) -> UUID:
        case_id = self.draft(program, **changes)
        uid = self.upload(case_id)
        if program == "msk":
            self.pay(case_id)
        else:
            with self.db.transaction() as tx:
                intake.submit(tx, self.patient, case_id)
        self.settle(uid)
        return case_id

    def released(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.submitted(program, **changes)
        self.clear(case_id)
        return case_id

    def clear(self, case_id: UUID) -> None:
        """The coordinator approves every pending image and releases every study."""
        with self.db.transaction() as tx:
            for one in studies.review(tx, self.coordinator, case_id):
                pending = [i.view_sop_uid for i in one.items if i.state == "pending_review"]
                if pending:
                    approval.record(tx, self.coordinator, case_id, InstancesLook(pending), "approved")
                studies.release(tx, self.coordinator, case_id, one.study_uid)
        self.drain()

    def ready(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.released(program, **changes)
        with self.db.transaction() as tx:
            assignment.mark_ready(tx, self.coordinator, case_id)
        self.drain()
        return case_id

    def offered(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.ready(program, **changes)
        with self.db.transaction() as tx:
            assignment.offer(tx, self.coordinator, case_id, self.specialist.id)
        self.drain()
        return case_id

    def in_review(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.offered(program, **changes)
        with self.db.transaction() as tx:
            assignment.accept(tx, self.specialist, case_id, self.gateway)
        self.drain()
        return case_id

    def written(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.in_review(program, **changes)
        with self.db.transaction() as tx:
            seen = read.show(tx, self.specialist, case_id)
            answers = {str(q.question_id): f"Answer {q.number}" for q in seen.questions}
            uids = [s.study_uid for s in seen.studies]
            reporting.save_draft(tx, self.specialist, case_id, answers, {"impression": "All is well."}, uids)
        return case_id

    def signed(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.written(program, **changes)
        with self.db.transaction() as tx:
            reporting.sign(tx, self.specialist, case_id, proof(self.specialist))
        self.drain()
        return case_id

    def published(self, program: str = "free", **changes: Any) -> UUID:
        case_id = self.signed(program, **changes)
        with self.db.transaction() as tx:
            reporting.publish(tx, self.coordinator, case_id)
        self.drain()
        return case_id

    def correcting(self, program: str = "free", kind: ReportKind = ReportKind.CORRECTION) -> UUID:
        """A published report, and a change of it that is being written."""
        case_id = self.published(program)
        with self.db.transaction() as tx:
            versions.open_version(tx, self.specialist, case_id, kind)
        self.drain()
        return case_id

    def corrected(self, program: str = "free") -> UUID:
        case_id = self.correcting(program)
        self.change(case_id, {"impression": "All is well on the left."}, "The side was missing.")
        return case_id

    def signed_again(self, program: str = "free") -> UUID:
        case_id = self.corrected(program)
        self.sign(case_id)
        return case_id

    def recalled(self, program: str = "free") -> UUID:
        case_id = self.published(program)
        with self.db.transaction() as tx:
            versions.recall(tx, self.coordinator, case_id, 1, "Another patient's")
        self.drain()
        return case_id

    def change(self, case_id: UUID, texts: dict[str, str], why: str) -> None:
        """Write a correction or an addition."""
        with self.db.transaction() as tx:
            seen = read.show(tx, self.specialist, case_id)
            uids = [s.study_uid for s in seen.studies]
            reporting.save_draft(tx, self.specialist, case_id, {}, texts, uids, change=why)

    def sign(self, case_id: UUID) -> None:
        with self.db.transaction() as tx:
            reporting.sign(tx, self.specialist, case_id, proof(self.specialist))
        self.drain()

    def publish(self, case_id: UUID) -> None:
        with self.db.transaction() as tx:
            reporting.publish(tx, self.coordinator, case_id)
        self.drain()

    def drain(self, *, later: bool = False) -> None:
        """Run the jobs that are due, and those that they bring about; `later` also those that are still to come."""
        due = "" if later else "AND (scheduled_at IS NULL OR scheduled_at <= :now)"
        take = text(
            "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = (SELECT id FROM procrastinate_jobs "
            f"WHERE status = 'todo' AND queue_name = 'overread' {due} ORDER BY id LIMIT 1) RETURNING task_name, args"
        )
        while True:
            with self.db.transaction() as tx:
                job = tx.execute(take, {} if later else {"now": clock.now()}).one_or_none()
            if job is None:
                return
            run: Callable[..., None] = self.bus.fan_out if job.task_name.endswith("event") else self.bus.handle
            run(**job.args)

    def first(self, case_id: UUID) -> str:
        """The UID of a case's first study."""
        with self.db.transaction() as tx:
            return studies_of(tx, case_id)[0].study_uid

    def today(self) -> date:
        return clock.now().date()

    def digest(self) -> None:
        """What waits to be told to the coordinators is told now."""
        with self.db.transaction() as tx:
            digest.send(tx, timedelta(0))
        self.drain()

    def mails(self) -> list[str]:
        """Every mail that was sent, as text."""
        return [_decoded(path.read_bytes()) for path in sorted((self.folder / "mail").glob("*.eml"))]

    def state(self, case_id: UUID) -> str:
        with self.db.transaction() as tx:
            found: str = tx.execute(text("SELECT state FROM cases_case WHERE id = :id"), {"id": case_id}).scalar_one()
        return found


def _decoded(mail: bytes) -> str:
    """A mail's headers and all of its parts, as whoever gets it reads them."""
    message = message_from_bytes(mail, policy=policy.default)
    said = [f"{name}: {value}" for name, value in message.items()]
    parts = [part.get_content() for part in message.walk() if not part.is_multipart()]
    return "\n".join([*said, "", *map(str, parts)]).replace("\r\n", "\n")


def proof(who: Principal) -> Proof:
    """What a right password gives."""
    return Proof(who, clock.now(), Authenticated(who.id, None))


def study(name: str = DICOM_NAME, born: str = DICOM_BORN, **keywords: str) -> bytes:
    """A CT slice of a study of its own."""
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    ds = pydicom.dcmread(path)
    ds.PatientName, ds.PatientBirthDate = name, born
    ds.StudyInstanceUID = ds.SeriesInstanceUID = generate_uid()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()
