"""Random senders, UIDs, identities and orders against an oracle of who sees what (docs/decisions/0014).

OVERREAD_MODEL_STEPS: how many acts, each followed by a look at everybody's addresses.
"""

from __future__ import annotations

import io
import os
import random
from datetime import date
from typing import Any
from uuid import UUID

import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from sqlalchemy import select

from cases import access, consents
from cases.models import CONSENTS
from cases.models import Case as CaseRow
from cases.service import inboxes, intake, studies
from cases.service.intake import Changes
from cases.states import ImagesBy
from overread.kit import principals
from overread.kit.errors import NotFound
from overread.kit.principals import Principal, Role
from pacs.index import query
from pacs.index.models import Instance, Study
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, Scope, originals, sender_of
from pacs.serve import retrieve
from pacs.store import ingest
from pacs.store.ingest import AlreadyStored, Prepared, Source, Stored
from tests.cases.visibility import STAFF, Case, Identity, Model, Part, Sent
from tests.cases.world import World

STEPS = int(os.environ.get("OVERREAD_MODEL_STEPS", "120"))
_EPISODE = 24
_PEOPLE = (
    ("Anna One", "One^Anna", "19500101"),
    ("Bert Two", "Two^Bert", "19600202"),
    ("Cora Three", "Three^Cora", "19700303"),
)


def written(one: Sent) -> bytes:
    """An object as a file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID = meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(one.sop)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = one.study, f"{one.study}.{len(one.modality)}{ord(one.modality[0])}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = (
        one.identity.name,
        one.identity.patient_id,
        one.identity.birth_date,
    )
    ds.Modality, ds.ConversionType, ds.ImageComments = one.modality, "WSD", f"content {one.content}"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 4, 4
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = bytes([one.content] * 16)
    ds.BurnedInAnnotation = "NO"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


class Walk:
    """One episode: fresh UIDs and cases, the same people."""

    def __init__(self, world: World, random_: random.Random) -> None:
        self.world, self.random = world, random_
        self.people: dict[str, Principal] = {"h1": world.hospital, STAFF: world.coordinator}
        with world.db.transaction() as tx:
            self.people["h2"] = principals.create(tx, role=Role.HOSPITAL, name="another").as_principal(via="api")
            for name, _, _ in _PEOPLE:
                row = principals.create(tx, role=Role.PATIENT, name=name)
                self.people[name] = row.as_principal(via="api")
            self.case_ids: dict[str, UUID] = {}
            cases: dict[str, Case] = {}
            for key, (name, dicom, born) in (
                ("a", _PEOPLE[0]),
                ("a2", _PEOPLE[0]),
                ("b", _PEOPLE[1]),
                ("c", _PEOPLE[2]),
            ):
                birth_date = date.fromisoformat(f"{born[:4]}-{born[4:6]}-{born[6:]}")
                changes = Changes(subjects=["CT"], images_by=ImagesBy.HOSPITAL, birth_date=birth_date, place="DE")
                who = self.people[name]
                case_id = self.case_ids[key] = intake.create(tx, who, "free", changes)
                intake.set_questions(tx, who, case_id, ["Is it torn?"])
                for kind in CONSENTS:
                    intake.consent(tx, who, case_id, kind, version=consents.CURRENT[kind].version)
                intake.submit(tx, who, case_id)
                cases[key] = Case(name, dicom, born)
            self.references = {key: tx.get_one(CaseRow, one).reference for key, one in self.case_ids.items()}
        self.model = Model(cases)
        self.uids = [f"2.25.{random_.getrandbits(60)}" for _ in range(2)]
        self.sops = {uid: [f"{uid}.{number}" for number in range(4)] for uid in self.uids}
        self.digests: dict[Sent, str] = {}
        self.names = {sender_of(who): key for key, who in self.people.items()}

    # -- acts -----------------------------------------------------------------------------------------------------

    def act(self) -> str:
        acts = [self.send] * 9 + [self.settle] * 5 + [self.match] * 3 + [self.confirm] * 2 + [self.reject]
        return self.random.choice(acts)()

    def send(self) -> str:
        who = self.random.choice([*self.people])
        uid = self.random.choice(self.uids)
        patients = [Identity(dicom, f"ID-{born}", born) for _, dicom, born in _PEOPLE]
        identity = self.random.choice([patients[0], patients[0], patients[1], Identity(), Identity(patients[0].name)])
        one = Sent(
            uid,
            self.random.choice(self.sops[uid]),
            self.random.choice((1, 1, 1, 2)),
            identity,
            self.random.choice(("CT", "MR")),
        )
        case = reference = None
        if who in ("h1", "h2"):
            reference = self.random.choice((None, "a", "a", "b"))
        elif who == STAFF:
            case = self.random.choice([None, *self.case_ids])
        else:
            case = self.random.choice([key for key, value in self.model.cases.items() if value.patient == who])
        expected = self.model.send(who, one, case, reference)
        source = Source(
            self.people[who],
            "stow",
            case_id=self.case_ids[case] if case else None,
            called_ae=self.references[reference] if reference else "",
        )
        with ingest.receive(self.world.archive, source) as incoming:
            incoming.write(written(one))
            prepared = incoming.finish()
        assert isinstance(prepared, Prepared)
        self.digests[one] = prepared.blob.digest
        outcome = ingest.store(self.world.archive, source, [prepared])[0]
        became = {Stored: "stored", AlreadyStored: "again"}.get(type(outcome), "refused")
        assert became == expected, (who, one, outcome)
        return f"{who} sends {one} for {case or reference}: {expected}"

    def settle(self) -> str:
        with self.world.db.transaction() as tx:
            rows = tx.execute(
                select(Study.study_uid, Study.sender_id)
                .where(Study.study_uid.in_(self.uids), Study.view_id == ORIGINAL, Study.receiving)
                .order_by(Study.pk)
            ).all()
        uid = self.random.choice(self.uids)
        for row in rows:
            if row.study_uid == uid:
                self.model.settle((self.names[row.sender_id], uid))
        self.world.settle(uid)
        return f"{uid} settles"

    def match(self) -> str:
        with self.world.db.transaction() as tx:
            waiting = self._waiting(tx)
            if not waiting:
                return "nothing to match"
            item = self.random.choice(waiting)
            part: Part = (self.names[item.sender_id], item.study_uid)
            key = self.random.choice([*self.case_ids])
            self.model.match(part, key)
            studies.match_by_hand(tx, self.world.coordinator, item.id, self.case_ids[key], "because")
        self.world.drain()
        return f"{part} is matched to {key}"

    def confirm(self) -> str:
        return self._decide("mismatch", self.model.confirm, studies.confirm)

    def reject(self) -> str:
        return self._decide("", self.model.reject, studies.reject)

    def _decide(self, state: str, oracle: Any, service: Any) -> str:
        found = [
            (key, uid)
            for key, case in self.model.cases.items()
            for uid, one in case.studies.items()
            if one.state == state or (not state and one.state != "revoked")
        ]
        if not found:
            return "nothing to decide"
        key, uid = self.random.choice(found)
        oracle(key, uid)
        with self.world.db.transaction() as tx:
            service(tx, self.world.coordinator, self.case_ids[key], uid, "because")
        self.world.drain()
        return f"{service.__name__} {uid} in {key}"

    # -- looks ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        with self.world.db.transaction() as tx:
            for who in ("h1", "h2", *(name for name, _, _ in _PEOPLE)):
                for uid in self.uids:
                    self._same(tx, originals(self.people[who]), uid, self.model.of((who, uid)))
            for key, case in self.model.cases.items():
                scope = access.scope(tx, self.people[case.patient], self.case_ids[key])
                for uid in self.uids:
                    self._same(tx, scope, uid, list(self.model.shown(key, uid).values()), first=False)
                self._copies(tx, key)
            for uid in self.uids:
                self._one_for_all(tx, uid)
            waiting = {(self.names[i.sender_id], i.study_uid) for i in self._waiting(tx)}
            assert waiting == self.model.inbox

    def _waiting(self, tx: Any) -> list[inboxes.InboxItem]:
        found = inboxes.listed(tx, self.world.coordinator, limit=1000)
        return [one for one in found if one.study_uid in self.uids]

    def _same(self, tx: Any, scope: Scope, uid: str, expected: list[Sent], *, first: bool = True) -> None:
        """A scope shows a study as made of these objects alone: bytes, counts, modalities and attributes."""
        try:
            located = retrieve.locate(tx, scope, uid)
        except NotFound:
            located = []
        assert {(one.sop_uid, one.blob) for one in located} == {(one.sop, self.digests[one]) for one in expected}
        [*found], _ = query.search(tx, scope, Query(Level.STUDY, study_uid=uid))
        assert len(found) == bool(expected)
        if not expected:
            return
        attributes = found[0].attributes
        assert attributes["00201208"]["Value"] == [len(expected)]
        assert attributes["00201206"]["Value"] == [len({one.modality for one in expected})]
        assert attributes["00080061"]["Value"] == sorted({one.modality for one in expected})
        if first:
            said = [value["Alphabetic"] for value in attributes["00100010"].get("Value", [])]
            assert said == ([expected[0].identity.name] if expected[0].identity.name else [])
        instances, _ = query.search(tx, scope, Query(Level.INSTANCE, study_uid=uid))
        assert {one.sop_uid for one in instances} == {one.sop for one in expected}
        series, _ = query.search(tx, scope, Query(Level.SERIES, study_uid=uid))
        counted = {one.attributes["00080060"]["Value"][0]: one.attributes["00201209"]["Value"][0] for one in series}
        assert counted == {m: sum(one.modality == m for one in expected) for m in {one.modality for one in expected}}

    def _copies(self, tx: Any, key: str) -> None:
        """The de-identified view has copies of what was looked at in the case, and of nothing else."""
        view_id = tx.get_one(CaseRow, self.case_ids[key]).view_id
        if view_id is None:
            return
        sources = select(Instance.source_pk).where(Instance.view_id == view_id)
        rows = tx.execute(
            select(Study.study_uid, Study.sender_id, Instance.sop_uid, Instance.blob)
            .join(Study, Study.pk == Instance.study_pk)
            .where(Instance.pk.in_(sources), Study.study_uid.in_(self.uids))
        ).all()
        for row in rows:
            ever = self.looked.setdefault((key, row.study_uid), set())
            found = self.model.cases[key].studies[row.study_uid].looked
            ever |= {(who, sent.sop) for who, sent in found.values()}
            assert (self.names[row.sender_id], row.sop_uid) in ever

    looked: dict[tuple[str, str], set[tuple[str, str]]] = {}  # noqa: RUF012  of one walk, filled as it goes

    def _one_for_all(self, tx: Any, uid: str) -> None:
        """Who sees all originals finds one study of a UID, with no instance twice, made of what somebody sent."""
        everything = {
            (one.sop, self.digests[one]) for sent in self.model.sent.values() for one in sent if one.study == uid
        }
        scope = Scope(ORIGINAL, unreleased=True)
        found, _ = query.search(tx, scope, Query(Level.STUDY, study_uid=uid))
        assert len(found) == bool(everything)
        if not found:
            return
        located = retrieve.locate(tx, scope, uid)
        assert len({one.sop_uid for one in located}) == len(located) == found[0].attributes["00201208"]["Value"][0]
        assert {(one.sop_uid, one.blob) for one in located} <= everything


@pytest.mark.parametrize("seed", [20261129])
def test_everybody_sees_what_the_oracle_says(world: World, seed: int) -> None:
    dice = random.Random(seed)
    history: list[str] = []
    walk = Walk(world, dice)
    for step in range(STEPS):
        if step % _EPISODE == 0:
            history.clear()
            walk = Walk(world, dice)
            walk.looked = {}
        try:
            history.append(walk.act())
            walk.look()
        except Exception as error:
            lines = "\n".join(history)
            raise AssertionError(f"seed {seed}, step {step}, after:\n{lines}") from error
