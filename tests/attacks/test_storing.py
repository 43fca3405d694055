"""Strangers who store: nothing without a confirmed address, nothing without a case, and never more than the quota."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from starlette.testclient import TestClient

from cases.allowance import Allowance as Counted
from cases.allowance import Full, Limits
from cases.models import Allowance
from cases.service import assignment, intake
from overread.app import portal_app
from overread.kit import principals, tokens
from overread.kit.errors import Conflict, TooLarge
from overread.kit.principals import Role
from overread.services import Services
from pacs.index.models import Instance
from tests.cases.world import World, study

MEGABYTE = 1 << 20
JSON = "application/dicom+json"
BOUNDARY = "parts"
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@pytest.fixture
def send(services: Services, world: World) -> Iterator[Callable[..., tuple[int, dict[str, object]]]]:
    """Sends a body to a path as a patient, over a portal with a quota of a megabyte a draft."""
    small = services.settings.model_copy(
        update={"max_draft_bytes": MEGABYTE, "max_draft_instances": 20, "max_patient_bytes": 3 * MEGABYTE}
    )
    with world.db.transaction() as tx:
        token = tokens.issue(tx, world.patient.id)
    client = TestClient(portal_app(replace(services, settings=small)), base_url="http://portal.example")

    def post(path: str, *instances: bytes) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {token}", "Accept": JSON, "Content-Type": MULTIPART}
        answer = client.post(path, content=multipart(instances), headers=headers)
        return answer.status_code, answer.json() if answer.content else {}

    with client:
        yield post


def multipart(instances: tuple[bytes, ...]) -> bytes:
    parts = (f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + one + b"\r\n" for one in instances)
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def stored(world: World) -> tuple[int, int]:
    """Instances and bytes of the archive."""
    with world.db.transaction() as tx:
        row = tx.execute(
            select(func.count(), func.coalesce(func.sum(Instance.blob_size), 0)).select_from(Instance)
        ).one()
    return int(row[0]), int(row[1])


def reserved(world: World, case_id: UUID) -> tuple[int, int]:
    with world.db.transaction() as tx:
        row = tx.get(Allowance, case_id)
        return (row.bytes, row.instances) if row else (0, 0)


def drafts(world: World, count: int) -> list[UUID]:
    return [world.draft("free") for _ in range(count)]


def test_192_megabytes_without_a_case_are_refused_unread(
    services: Services, world: World, send: Callable[..., tuple[int, dict[str, object]]]
) -> None:
    for _ in range(192):
        status, said = send("/dicomweb/studies", study() + bytes(MEGABYTE))
        assert status == 403
    assert said["detail"] == "Send your images to your request: its page has the address."
    assert stored(world) == (0, 0)
    assert sum(path.stat().st_size for path in (world.folder / "blobs").rglob("*") if path.is_file()) == 0


def test_a_draft_holds_its_quota_and_no_more(world: World, send: Callable[..., tuple[int, dict[str, object]]]) -> None:
    case_id = drafts(world, 1)[0]
    path = f"/cases/{case_id}/dicomweb/studies"
    images = [study() for _ in range(60)]  # of 39 KB each: 27 are a megabyte, 20 the number of instances
    status, said = send(path, *images[:30])
    assert status == 202
    assert stored(world)[0] == reserved(world, case_id)[1] == 20
    assert "00081199" in said
    status, said = send(path, images[40])
    assert (status, said["quota"]) == (413, "instances")
    assert "as many images as you can send" in str(said["detail"])
    # What is here already is no more by being sent again, and needs no room.
    assert reserved(world, case_id) == stored(world)[::-1]


def test_bytes_are_counted_before_they_are_written(
    world: World, send: Callable[..., tuple[int, dict[str, object]]]
) -> None:
    case_id = drafts(world, 1)[0]
    path = f"/cases/{case_id}/dicomweb/studies"
    large = study() + bytes(3 * MEGABYTE)
    assert send(path, large)[0] == 413
    assert stored(world) == (0, 0)
    assert reserved(world, case_id) == (0, 0)
    assert send(path, study())[0] == 200
    one = stored(world)[1]
    assert reserved(world, case_id) == (one, 1)


def test_the_same_again_and_what_is_refused_costs_nothing(
    world: World, send: Callable[..., tuple[int, dict[str, object]]]
) -> None:
    case_id = drafts(world, 1)[0]
    path, image = f"/cases/{case_id}/dicomweb/studies", study()
    for _ in range(30):
        assert send(path, image)[0] == 200
        assert send(path, b"no DICOM at all" * 1000)[0] == 400
    assert reserved(world, case_id) == stored(world)[::-1]


def test_uploads_at_once_never_come_past_the_quota(
    world: World, send: Callable[..., tuple[int, dict[str, object]]]
) -> None:
    case_id = drafts(world, 1)[0]
    path = f"/cases/{case_id}/dicomweb/studies"
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: send(path, study())[0], range(60)))
    instances, size = stored(world)
    assert statuses.count(200) == instances <= 20
    assert size <= MEGABYTE
    assert reserved(world, case_id) == (size, instances)
    assert set(statuses) <= {200, 413}


def test_many_drafts_share_the_account_s_quota_withdrawn_ones_too(
    world: World, send: Callable[..., tuple[int, dict[str, object]]]
) -> None:
    for _ in range(6):
        case_id = drafts(world, 1)[0]
        for _ in range(3):
            send(f"/cases/{case_id}/dicomweb/studies", *(study() for _ in range(8)))
        with world.db.transaction() as tx:
            intake.withdraw(tx, world.patient, case_id)
    assert 2 * MEGABYTE < stored(world)[1] <= 3 * MEGABYTE


def test_five_drafts_are_open_at_once(world: World) -> None:
    refused = []

    def open_one(_number: int) -> None:
        try:
            with world.db.transaction() as tx:
                intake.create(tx, world.patient, "free")
        except Conflict as error:
            refused.append(error.safe)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_one, range(12)))
    assert len(refused) == 7
    assert "withdraw" in refused[0]


def test_whoever_has_not_confirmed_an_address_stores_nothing(services: Services, world: World) -> None:
    with world.db.transaction() as tx:
        row = principals.create(tx, role=Role.PATIENT, name="Jane")
        row.pending_email = "jane@example.org"
        tx.flush()
        token = tokens.issue(tx, row.id)
        case_id = intake.create(tx, row.as_principal(via="api"), "free")
    headers = {"Authorization": f"Bearer {token}", "Accept": JSON, "Content-Type": "application/dicom"}
    with TestClient(portal_app(services), base_url="http://portal.example") as client:
        for path in (f"/cases/{case_id}/dicomweb/studies", "/dicomweb/studies"):
            assert client.post(path, content=study(), headers=headers).status_code == 403
    assert stored(world) == (0, 0)


def test_a_case_that_a_specialist_accepted_has_the_case_s_quota(world: World) -> None:
    case_id = world.offered("free")
    limits = Limits(draft=100, draft_instances=10, case=5 * MEGABYTE, patient=1000)
    with pytest.raises(Full):
        Counted(world.db, case_id, limits).take(2000, 1)
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert Counted(world.db, case_id, limits).take(2000, 1)[0] >= 2000
    with pytest.raises(TooLarge):
        Counted(world.db, case_id, limits).take(5 * MEGABYTE, 1)


def test_reservations_at_once_add_up(world: World) -> None:
    one, other = drafts(world, 2)
    limits = Limits(draft=10 * MEGABYTE, draft_instances=1000, case=10 * MEGABYTE, patient=15 * MEGABYTE)
    granted: list[int] = []
    lock = threading.Lock()

    def take(number: int) -> None:
        try:
            size, _ = Counted(world.db, (one, other)[number % 2], limits).take(300_000, 1)
        except Full:
            return
        with lock:
            granted.append(size)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(80)))
    assert sum(granted) <= 15 * MEGABYTE
    with world.db.transaction() as tx:
        assert tx.scalar(text("SELECT sum(bytes) FROM cases_allowance")) == sum(granted)
