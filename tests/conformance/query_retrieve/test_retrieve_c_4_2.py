"""C-MOVE and C-GET as SCP: PS3.4 C.4.2, C.4.3 and C.5, with pynetdicom's SCUs and SCPs."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import select

from overread.kit.audit import AuditRow
from overread.kit.principals import Principal
from pacs.dicom.part10 import write_meta
from pacs.dimse import peers
from pacs.index.scope import originals
from pacs.serve import retrieve, transcoded
from pacs.store.archive import Archive
from tests.conformance.search.archive import instance
from tests.dicomweb.test_partial import JPEG_LS, encapsulated
from tests.pacs.dimse.conftest import Listen
from tests.pacs.dimse.querying import (
    ALL_SYNTAXES,
    CT,
    PATIENT_GET,
    PATIENT_MOVE,
    PLAIN,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    Receiver,
    ask,
    associated,
    data_set_of,
    find,
    get,
    keep,
    move,
    principal_of,
    retrieved,
    until,
)
from tests.pacs.store.test_damage import DAMAGES, Damage, told

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def sample(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: PTH123  pydicom's path
        return file.read()


@pytest.fixture
def five(archive: Archive, ward: Principal) -> list[str]:
    """Two studies of one patient: three and two instances, all CT."""
    uids = ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1", "1.2.1.2"]
    keep(
        archive,
        ward,
        *(
            instance(PatientID="A1", StudyInstanceUID=uid[:3], SeriesInstanceUID=uid[:5], SOPInstanceUID=uid,
                     InstanceNumber=uid[-1], SeriesNumber=uid[4])
            for uid in uids
        ),
    )  # fmt: skip
    return uids


def register(archive: Archive, title: str, port: int, owner: Principal) -> None:
    with archive.db.transaction() as tx:
        peers.register(tx, title, "127.0.0.1", port, owner.role, owner_id=owner.id)


@contextmanager
def receiving(
    archive: Archive, owner: Principal, receiver: Receiver | None = None, title: str = "SHELF", **accepts: Any
) -> Iterator[Receiver]:
    """A receiver that is registered as a hospital's own."""
    made = receiver or Receiver()
    with made.listening(title, **accepts):
        register(archive, title, made.port, owner)
        yield made


def wado(archive: Archive, who: Principal, study: str, sop_uid: str) -> bytes:
    """The file that WADO-RS would give."""
    with archive.db.transaction() as tx:
        [located] = retrieve.locate(tx, originals(who), study, sop_uid=sop_uid)
    return b"".join(retrieve.stream(archive.blobs, located.parts))


# C.4.2: C-MOVE


def test_c_4_2_a_study_is_moved_with_counts_of_its_sub_operations(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with receiving(archive, ward) as shelf:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert [int(one.Status) for one in done.responses] == [0xFF00, 0xFF00, 0x0000]
    assert [done.counts(place) for place in range(3)] == [(2, 1, 0, 0), (1, 2, 0, 0), (None, 3, 0, 0)]
    assert list(shelf.received) == five[:3]
    for uid in five[:3]:
        assert shelf.received[uid] == data_set_of(wado(archive, ward, "1.1", uid))


@pytest.mark.parametrize(
    ("model", "level", "keys", "count"),
    [
        (PATIENT_MOVE, "PATIENT", {"PatientID": "A1"}, 5),
        (PATIENT_MOVE, "STUDY", {"PatientID": "A1", "StudyInstanceUID": "1.1\\1.2"}, 5),
        (PATIENT_MOVE, "SERIES", {"PatientID": "A1", "StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.2"}, 1),
        (STUDY_MOVE, "SERIES", {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1\\1.1.2"}, 3),
        (
            STUDY_MOVE,
            "IMAGE",
            {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": "1.1.1.2\\1.1.1.1"},
            2,
        ),
        (STUDY_MOVE, "STUDY", {"StudyInstanceUID": "9.9"}, 0),
        (PATIENT_MOVE, "STUDY", {"PatientID": "B2", "StudyInstanceUID": "1.1"}, 0),
    ],
)
def test_c_4_2_1_4_1_every_level_by_its_unique_keys(
    port: int, archive: Archive, ward: Principal, five: list[str], model: Any, level: str, keys: Any, count: int
) -> None:
    with receiving(archive, ward) as shelf:
        done = move(port, model, ask(level, **keys), "SHELF")
    assert done.status == 0
    assert done.counts() == (None, count, 0, 0)
    assert len(shelf.received) == count


@pytest.mark.parametrize(
    ("level", "keys", "offending"),
    [
        ("STUDY", {}, 0x0020000D),
        ("STUDY", {"StudyInstanceUID": "1.*"}, 0x0020000D),
        ("STUDY", {"StudyInstanceUID": "1.1; DROP"}, None),
        ("SERIES", {}, 0x0020000E),
        ("SERIES", {"StudyInstanceUID": "1.1"}, 0x0020000E),
        ("SERIES", {"SeriesInstanceUID": "1.1.*"}, 0x0020000E),
        ("SERIES", {"StudyInstanceUID": "1.1\\1.2", "SeriesInstanceUID": "1.1.1"}, 0x0020000D),
        ("SERIES", {"StudyInstanceUID": "*", "SeriesInstanceUID": "1.1.1"}, 0x0020000D),
        ("PATIENT", {}, 0x00100020),
        ("PATIENT", {"PatientID": "A*"}, 0x00100020),
        ("PATIENT", {"PatientID": "A1\\B2"}, 0x00100020),
        ("", {"StudyInstanceUID": "1.1"}, 0x00080052),
    ],
)
def test_c_4_2_1_5_an_identifier_that_does_not_match_the_model_is_refused(
    port: int, archive: Archive, ward: Principal, five: list[str], level: str, keys: Any, offending: int | None
) -> None:
    with receiving(archive, ward) as shelf, associated(port, contexts=[STUDY_MOVE, STUDY_GET]) as assoc:
        for done in (
            retrieved(assoc.send_c_move(ask(level, **keys), "SHELF", STUDY_MOVE)),
            retrieved(assoc.send_c_get(ask(level, **keys), STUDY_GET)),
        ):
            assert (done.status, done.responses[-1].get("OffendingElement")) == (0xA900, offending)
        assert retrieved(assoc.send_c_move(ask("STUDY", StudyInstanceUID="1.2"), "SHELF", STUDY_MOVE)).status == 0
    assert len(shelf.received) == 2


@pytest.mark.parametrize(
    ("level", "keys", "given"),
    [
        ("PATIENT", {"PatientID": "A1"}, ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1", "1.2.1.2"]),
        ("SERIES", {"SeriesInstanceUID": "1.1.1"}, ["1.1.1.1", "1.1.1.2"]),
        ("SERIES", {"SeriesInstanceUID": "1.1.2\\1.2.1", "StudyInstanceUID": ""}, ["1.1.2.1", "1.2.1.1", "1.2.1.2"]),
        ("IMAGE", {"SOPInstanceUID": "1.1.2.1"}, ["1.1.2.1"]),
        ("IMAGE", {"SOPInstanceUID": "1.1.2.1", "StudyInstanceUID": "1.1"}, ["1.1.2.1"]),
        ("IMAGE", {"SOPInstanceUID": "1.1.2.1", "SeriesInstanceUID": "1.1.1"}, []),
        ("IMAGE", {"SOPInstanceUID": "1.1.1.2\\1.2.1.1"}, ["1.1.1.2", "1.2.1.1"]),
    ],
)
def test_c_4_2_1_4_1_unique_keys_above_may_be_left_out_and_patients_asked_for_in_the_study_root(
    port: int, archive: Archive, ward: Principal, five: list[str], level: str, keys: Any, given: list[str]
) -> None:
    """As Orthanc asks. Another hospital is given nothing of it."""
    other = principal_of(archive, "OTHER")
    with receiving(archive, ward) as shelf, receiving(archive, other, title="THEIRS") as theirs:
        assert move(port, STUDY_MOVE, ask(level, **keys), "SHELF").status == 0
        assert move(port, STUDY_MOVE, ask(level, **keys), "THEIRS", calling="OTHER").status == 0
    assert (sorted(shelf.received), theirs.received) == (given, {})
    mine = Receiver()
    assert get(port, STUDY_GET, ask(level, **keys), mine).status == 0
    assert sorted(mine.received) == given


def test_c_4_2_1_4_1_a_series_uid_of_two_studies_needs_its_study(port: int, archive: Archive, ward: Principal) -> None:
    for study in ("1.1", "1.2"):
        keep(archive, ward, instance(StudyInstanceUID=study, SeriesInstanceUID="7.7", SOPInstanceUID=f"{study}.1"))
    mine = Receiver()
    done = get(port, STUDY_GET, ask("SERIES", SeriesInstanceUID="7.7"), mine)
    assert (done.status, done.responses[-1].OffendingElement, mine.received) == (0xA900, 0x0020000D, {})
    assert get(port, STUDY_GET, ask("SERIES", StudyInstanceUID="1.2", SeriesInstanceUID="7.7"), mine).status == 0
    assert list(mine.received) == ["1.2.1"]


def test_c_5_2_1_relational_retrieval_needs_no_keys_above(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with receiving(archive, ward) as shelf:
        done = move(port, STUDY_MOVE, ask("IMAGE", SOPInstanceUID="1.1.2.1"), "SHELF", options=b"\1")
    assert (done.status, list(shelf.received)) == (0, ["1.1.2.1"])


def test_c_4_2_1_5_a_destination_that_is_not_registered_for_the_caller_is_unknown(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    other = principal_of(archive, "OTHER")
    with receiving(archive, other, title="THEIRS") as theirs:
        refusals = [move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), to) for to in ("NOBODY", "THEIRS")]
    assert [one.status for one in refusals] == [0xA801, 0xA801]
    assert len({one.responses[-1].ErrorComment for one in refusals}) == 1  # which of the two it is, is not told
    assert theirs.received == {}
    with archive.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow).where(AuditRow.outcome == "refused").order_by(AuditRow.at)).all()
        assert [(row.object_id, row.actor_id) for row in rows] == [("NOBODY", ward.id), ("THEIRS", ward.id)]


def test_c_4_2_a_hospital_moves_only_what_it_sent(port: int, archive: Archive, five: list[str]) -> None:
    other = principal_of(archive, "OTHER")
    with receiving(archive, other, title="THEIRS") as theirs:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "THEIRS", calling="OTHER")
    assert (done.status, done.counts(), theirs.received) == (0, (None, 0, 0, 0), {})


def test_c_4_2_1_the_store_requests_name_who_asked(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with receiving(archive, ward) as shelf, associated(port, contexts=[STUDY_MOVE]) as assoc:
        list(assoc.send_c_move(ask("STUDY", StudyInstanceUID="1.2"), "SHELF", STUDY_MOVE, msg_id=77))
    for number, request in enumerate(shelf.requests, 1):
        assert (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID) == ("WARD", 77)
        assert request.MessageID == number


@pytest.mark.parametrize(
    ("status", "final", "counts"),
    [
        (0xA700, 0xA702, (None, 0, 3, 0)),
        (0xC123, 0xA702, (None, 0, 3, 0)),
        (0xB000, 0xB000, (None, 0, 0, 3)),
        (0xB007, 0xB000, (None, 0, 0, 3)),
    ],
)
def test_c_4_2_1_5_failures_and_warnings_of_the_destination(
    port: int, archive: Archive, ward: Principal, five: list[str], status: int, final: int, counts: Any
) -> None:
    with receiving(archive, ward, Receiver(status=status)):
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert (done.status, done.counts()) == (final, counts)
    assert sorted(done.failed()) == (five[:3] if counts[2] else [])


def test_c_4_2_1_4_2_what_failed_is_listed(port: int, archive: Archive, ward: Principal, five: list[str]) -> None:
    shelf = Receiver()

    def before(number: int) -> None:
        shelf.status = 0xA900 if number == 2 else 0

    shelf.before = before
    with receiving(archive, ward, shelf):
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert (done.status, done.counts(), done.failed()) == (0xB000, (None, 2, 1, 0), ["1.1.1.2"])


def test_c_4_2_a_destination_that_is_not_there_fails_all(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with receiving(archive, ward):
        pass
    done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert (done.status, done.counts(), sorted(done.failed())) == (0xA702, (None, 0, 3, 0), five[:3])


def test_c_4_2_a_destination_that_refuses_the_sop_class_fails_that(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    mr = instance(StudyInstanceUID="1.1", SeriesInstanceUID="1.1.9", SOPInstanceUID="1.1.9.1",
                  SOPClassUID="1.2.840.10008.5.1.4.1.1.4", PatientID="A1", SeriesNumber="9")  # fmt: skip
    keep(archive, ward, mr)
    with receiving(archive, ward, sop_classes=[CT]) as shelf:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert (done.status, done.counts(), done.failed()) == (0xB000, (None, 3, 1, 0), ["1.1.9.1"])
    assert list(shelf.received) == five[:3]


def test_c_4_2_a_destination_that_dies_in_the_middle_is_called_again(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    shelf = Receiver(dies_at=2)
    with receiving(archive, ward, shelf):
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert done.status == 0xB000
    assert (done.counts(), done.failed()) == ((None, 2, 1, 0), ["1.1.1.2"])


# C.4.2.1.1: C-CANCEL


def test_c_4_2_1_a_cancelled_move_tells_what_was_done(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    go_on = threading.Event()
    shelf = Receiver(before=lambda number: None if number == 1 else _wait(go_on))
    with receiving(archive, ward, shelf), associated(port, contexts=[STUDY_MOVE]) as assoc:
        responses = assoc.send_c_move(ask("STUDY", StudyInstanceUID="1.1"), "SHELF", STUDY_MOVE, msg_id=5)
        assert next(responses)[0].Status == 0xFF00
        assoc.send_c_cancel(5, query_model=STUDY_MOVE)
        go_on.set()
        done = retrieved(responses)
        assert done.status == 0xFE00
        remaining, completed, failed, _ = done.counts()
        assert remaining is not None
        assert completed >= 1
        assert remaining + completed + failed == 3
        assert remaining >= 1


def _wait(event: threading.Event) -> None:
    assert event.wait(60)


# C.4.3: C-GET


def test_c_4_3_instances_come_over_the_same_association(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    mine = Receiver()
    done = get(port, STUDY_GET, ask("STUDY", StudyInstanceUID="1.1"), mine)
    assert [done.counts(place) for place in range(3)] == [(2, 1, 0, 0), (1, 2, 0, 0), (None, 3, 0, 0)]
    assert done.status == 0
    for uid in five[:3]:
        assert mine.received[uid] == data_set_of(wado(archive, ward, "1.1", uid))
    everything = Receiver()
    assert get(port, PATIENT_GET, ask("PATIENT", PatientID="A1"), everything).counts() == (None, 5, 0, 0)
    relational = get(port, STUDY_GET, ask("SERIES", SeriesInstanceUID="1.2.1"), Receiver(), options=b"\1")
    assert relational.counts() == (None, 2, 0, 0)


def test_c_4_3_without_the_role_of_an_scp_nothing_is_given(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with associated(port, contexts=[STUDY_GET, CT]) as assoc:
        done = retrieved(assoc.send_c_get(ask("STUDY", StudyInstanceUID="1.1"), STUDY_GET))
    assert (done.status, done.counts()) == (0xA702, (None, 0, 3, 0))
    assert sorted(done.failed()) == five[:3]


def test_c_4_3_failures_and_a_cancel(port: int, archive: Archive, ward: Principal, five: list[str]) -> None:
    mine = Receiver(status=0xA900)
    done = get(port, STUDY_GET, ask("STUDY", StudyInstanceUID="1.2"), mine)
    assert (done.status, done.counts(), sorted(done.failed())) == (0xA702, (None, 0, 2, 0), five[3:])


def test_c_5_3_a_peer_may_be_scu_and_scp_of_the_same_class(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    mine = Receiver()
    done = get(port, STUDY_GET, ask("STUDY", StudyInstanceUID="1.2"), mine, storage=[(CT, PLAIN)])
    assert done.status == 0
    with associated(port, contexts=[STUDY_FIND], storage=[(CT, PLAIN)]) as assoc:
        [context] = [cx for cx in assoc.accepted_contexts if cx.abstract_syntax == CT]
        assert (context.as_scu, context.as_scp) == (False, True)
        assert find(assoc, STUDY_FIND, ask("STUDY", StudyInstanceUID="1.2")).status == 0


# Tables C.4-2, C.4-3: what can't be read fails, and nothing else


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_instance_whose_file_is_gone_is_one_failed_sub_operation(
    port: int, archive: Archive, ward: Principal, five: list[str], damage: Damage
) -> None:
    damage(archive, five[1])
    mine = Receiver()
    done = get(port, STUDY_GET, ask("STUDY", StudyInstanceUID="1.1"), mine)
    assert (done.status, done.counts(), done.failed()) == (0xB000, (None, 2, 1, 0), [five[1]])
    assert sorted(mine.received) == [five[0], five[2]]
    with receiving(archive, ward) as shelf:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert (done.status, done.counts(), done.failed()) == (0xB000, (None, 2, 1, 0), [five[1]])
    assert sorted(shelf.received) == [five[0], five[2]]
    assert told(archive) == 1


def test_an_instance_that_can_t_be_decoded_is_one_failed_sub_operation(
    port: int, archive: Archive, ward: Principal
) -> None:
    """Where its own transfer syntax is not taken."""
    whole = sample("CT_small.dcm")
    like = pydicom.dcmread(io.BytesIO(whole))
    keep(archive, ward, whole, encapsulated(JPEG_LS, b"\xff\xd8 no JPEG at all", like))
    mine = Receiver()
    done = get(port, STUDY_GET, ask("STUDY", StudyInstanceUID=str(like.StudyInstanceUID)), mine)
    assert (done.status, done.counts()) == (0xB000, (None, 1, 1, 0))
    assert list(mine.received) == [like.SOPInstanceUID]
    with receiving(archive, ward) as shelf:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID=str(like.StudyInstanceUID)), "SHELF")
    assert (done.status, len(shelf.received)) == (0, 2)


# PS3.5 10, PS3.4 B.3.1: transfer syntaxes


FILES = {
    "CT_small.dcm": EXPLICIT,
    "MR_small_implicit.dcm": IMPLICIT,
    "MR_small_bigendian.dcm": "1.2.840.10008.1.2.2",
    "image_dfl.dcm": "1.2.840.10008.1.2.1.99",
    "examples_jpeg2k.dcm": "1.2.840.10008.1.2.4.90",
    "SC_rgb_rle_2frame.dcm": "1.2.840.10008.1.2.5",
    "SC_rgb_jpeg_dcmtk.dcm": "1.2.840.10008.1.2.4.50",
    "test-SR.dcm": EXPLICIT,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("accepted", [ALL_SYNTAXES, [EXPLICIT], [IMPLICIT]], ids=["all", "explicit", "implicit"])
def test_each_instance_is_sent_as_it_is_stored_where_that_is_taken_else_plain(
    port: int, archive: Archive, ward: Principal, name: str, accepted: Sequence[str]
) -> None:
    data = sample(name)
    keep(archive, ward, data)
    sent = pydicom.dcmread(io.BytesIO(data))
    uid, stored = str(sent.SOPInstanceUID), str(sent.file_meta.TransferSyntaxUID)
    with receiving(archive, ward, syntaxes=accepted) as shelf:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID=str(sent.StudyInstanceUID)), "SHELF")
    assert (done.status, done.counts()) == (0, (None, 1, 0, 0))
    taken = shelf.syntaxes[uid]
    assert taken == (stored if stored in accepted else EXPLICIT if EXPLICIT in accepted else IMPLICIT)
    if taken == stored:
        received, original = shelf.received[uid], data_set_of(data)
        assert received[: len(original)] == original
        assert len(received) - len(original) == len(original) % 2
        return
    with archive.db.transaction() as tx:
        [located] = retrieve.locate(tx, originals(ward), str(sent.StudyInstanceUID), sop_uid=uid)
    assert shelf.received[uid] == data_set_of(b"".join(transcoded.stream(archive, located, taken)))
    kept = pydicom.dcmread(io.BytesIO(_file(shelf.received[uid], taken)))
    assert kept.SOPInstanceUID == uid
    if "PixelData" in sent and taken == IMPLICIT:
        plain = pydicom.dcmread(io.BytesIO(b"".join(transcoded.stream(archive, located, EXPLICIT))))
        assert plain.PixelData == kept.PixelData
        assert plain.pixel_array.shape == kept.pixel_array.shape


def _file(data_set: bytes, syntax: str) -> bytes:
    return write_meta(CT, "1.2.3", syntax) + data_set


# caps


def test_more_moves_at_once_than_allowed_are_told_to_come_again(
    listen: Listen, archive: Archive, ward: Principal, five: list[str]
) -> None:
    port = listen(dimse_max_moves_per_peer=1)
    go_on = threading.Event()
    shelf = Receiver(before=lambda _number: _wait(go_on))
    with receiving(archive, ward, shelf), associated(port, contexts=[STUDY_MOVE]) as assoc:
        slow = threading.Thread(
            target=lambda: list(assoc.send_c_move(ask("STUDY", StudyInstanceUID="1.2"), "SHELF", STUDY_MOVE))
        )
        slow.start()
        until(lambda: len(shelf.requests) == 1)
        # A slow destination keeps nobody else from anything.
        refused = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
        assert refused.status == 0xA702
        assert "again" in refused.responses[-1].ErrorComment
        assert get(port, STUDY_GET, ask("STUDY", StudyInstanceUID="1.1"), Receiver()).counts() == (None, 3, 0, 0)
        go_on.set()
        slow.join()
    assert len(shelf.received) == 2


def test_more_instances_than_can_be_counted_are_refused(
    port: int, archive: Archive, ward: Principal, five: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs.dimse.retrieval.MOST", 2)
    with receiving(archive, ward) as shelf:
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID="1.1"), "SHELF")
    assert (done.status, shelf.received) == (0xA701, {})


def test_every_study_that_is_read_has_a_line_in_the_audit_log(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with receiving(archive, ward):
        move(port, PATIENT_MOVE, ask("PATIENT", PatientID="A1"), "SHELF")
    get(port, STUDY_GET, ask("STUDY", StudyInstanceUID="1.2"), Receiver())
    with archive.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow).where(AuditRow.action == "instances.read").order_by(AuditRow.at)).all()
    assert [(row.object_id, row.actor_id, row.instances, row.detail) for row in rows] == [
        ("1.1", ward.id, 3, {"destination": "SHELF"}),
        ("1.2", ward.id, 2, {"destination": "SHELF"}),
        ("1.2", ward.id, 2, {"destination": "WARD"}),
    ]


def test_instances_that_are_moved_one_by_one_are_one_look(
    port: int, archive: Archive, ward: Principal, five: list[str]
) -> None:
    with archive.db.transaction() as tx:
        located = retrieve.locate(tx, originals(ward), "1.1")
    with receiving(archive, ward):
        for one in located:
            keys = ask("IMAGE", StudyInstanceUID="1.1", SeriesInstanceUID=one.series_uid, SOPInstanceUID=one.sop_uid)
            assert move(port, STUDY_MOVE, keys, "SHELF").status == 0
            assert move(port, STUDY_MOVE, keys, "NOWHERE").status == 0xA801
    with archive.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow).where(AuditRow.action == "instances.read").order_by(AuditRow.at)).all()
    refused = [row for row in rows if row.outcome == "refused"]
    [look] = [row for row in rows if row.outcome == "success"]
    assert (look.object_id, look.instances, len(refused)) == ("1.1", 3, 3)
    assert look.until is not None
    assert look.until > look.at
