"""The contracts that outside tools rely on: flags, the ready line, tokens, peers, both ways in and out."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import httpx
import psutil
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification  # type: ignore[attr-defined]

from overread import processes
from tests.live.server import PROGRAM, Server, clean_environment

pytestmark = pytest.mark.live
ROLES = ("admin", "coordinator", "specialist", "hospital", "patient", "auditor")
JSON = {"Accept": "application/dicom+json"}


def sample(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("contracts") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def tokens(server: Server) -> dict[str, str]:
    return {role: server.token(role) for role in ROLES}


def stow(
    server: Server, data: bytes, *, headers: dict[str, str] | None = None, auth: tuple[str, str] | None = None
) -> httpx.Response:
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--B--\r\n"
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B', **JSON, **(headers or {})}
    return httpx.post(f"{server.url}/dicomweb/studies", content=body, headers=headers, auth=auth, timeout=60)


def read_back(server: Server, data: bytes, token: str) -> bytes:
    ds = pydicom.dcmread(BytesIO(data))
    path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    url = f"{server.url}/dicomweb/{path}"
    response = httpx.get(url, headers={"Authorization": f"Bearer {token}", "Accept": "application/dicom"}, timeout=60)
    assert response.status_code == 200, response.text
    return response.content


def test_it_says_ready_on_one_line_and_answers(server: Server) -> None:
    assert [line for line in server.output.splitlines() if line.startswith("ready")] == [server.output.splitlines()[0]]
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    metrics = httpx.get(f"{server.url}/metrics").text
    assert "overread_instances" in metrics
    assert "overread_damaged_blobs 0.0" in metrics
    assert httpx.get(f"{server.url}/", headers={"Accept": "text/html"}).status_code == 200
    assert httpx.get(f"http://{server.viewer}/").status_code == 200
    openapi = httpx.get(f"{server.url}/api/v1/openapi.json").json()
    assert openapi["openapi"].startswith("3.1")
    health = subprocess.run([*PROGRAM, "healthcheck", "--http", server.http], env=clean_environment(), check=False)
    assert health.returncode == 0


def test_stow_with_bearer_and_with_basic_and_reading_back(server: Server, tokens: dict[str, str]) -> None:
    ct, mr = sample("CT_small.dcm"), sample("examples_ybr_color.dcm")
    bearer = stow(server, ct, headers={"Authorization": f"Bearer {tokens['hospital']}"})
    assert bearer.status_code == 200, bearer.text
    basic = stow(server, mr, auth=("viewer", tokens["hospital"]))
    assert basic.status_code == 200, basic.text
    for role in ("coordinator", "hospital", "admin"):
        assert read_back(server, ct, tokens[role]) == ct
        assert read_back(server, mr, tokens[role]) == mr


def test_roles_see_what_they_may(server: Server, tokens: dict[str, str]) -> None:
    stow(server, sample("CT_small.dcm"), headers={"Authorization": f"Bearer {tokens['hospital']}"})
    found = {
        role: httpx.get(f"{server.url}/dicomweb/studies", headers={"Authorization": f"Bearer {token}", **JSON})
        for role, token in tokens.items()
    }
    assert found["coordinator"].json()
    assert found["hospital"].json()
    assert found["patient"].json() == []
    assert found["specialist"].status_code == 403
    assert found["auditor"].status_code == 403
    assert httpx.get(f"{server.url}/dicomweb/studies").status_code == 401


def test_a_registered_peer_stores_by_c_store_and_a_stranger_is_refused(server: Server, tokens: dict[str, str]) -> None:
    server.run("ae", "add", "WARD7", "--host", "127.0.0.1", "--port", "11199", "--role", "hospital")
    data = sample("MR_small.dcm")
    assert associate(server, "STRANGER", data) is None
    assert associate(server, "WARD7", data) == 0x0000
    stored = read_back(server, data, tokens["coordinator"])
    sent, kept = pydicom.dcmread(BytesIO(data)), pydicom.dcmread(BytesIO(stored))
    assert sent == kept
    assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert associate(server, "WARD7", data) == 0x0000, "sent again it succeeds quietly"


def associate(server: Server, calling: str, data: bytes) -> int | None:
    """C-ECHO and C-STORE; the C-STORE's status, None where the association was refused."""
    ds = pydicom.dcmread(BytesIO(data))
    ae = AE(ae_title=calling)
    ae.add_requested_context(Verification)
    for kind in (CTImageStorage, MRImageStorage):
        ae.add_requested_context(kind, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", server.dicom_port, ae_title="OVERREAD")
    if not assoc.is_established:
        return None
    assert assoc.send_c_echo().Status == 0x0000
    status = assoc.send_c_store(ds).Status
    assoc.release()
    return int(status)


def test_bad_input_is_refused_and_the_next_request_served(server: Server, tokens: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {tokens['hospital']}"}
    not_dicom = stow(server, b"GIF89a" + bytes(300), headers=bearer)
    assert not_dicom.status_code == 400
    assert "not a DICOM file" in not_dicom.json()["detail"]
    cut = stow(server, sample("CT_small.dcm")[:-5000], headers=bearer)
    assert cut.status_code == 400
    assert stow(server, sample("CT_small.dcm"), headers=bearer).status_code == 200


def test_config_masks_secrets(server: Server) -> None:
    environment = {
        **clean_environment(),
        "OVERREAD_STRIPE_SECRET_KEY": "sk_live_x",
        "OVERREAD_DATABASE_URL": "postgresql://u:pw@h/d",
    }
    shown = subprocess.run(
        [*PROGRAM, "config", "--workers", "3"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "OVERREAD_WORKERS=3" in shown
    assert "sk_live_x" not in shown
    assert ":pw@" not in shown


def test_sigterm_stops_everything_in_ten_seconds(tmp_path: Path) -> None:
    """A machine with nothing else to do takes one or two; who stops for a minute here has forgotten somebody."""
    assert processes._STOP_SECONDS < 10
    server = Server(tmp_path / "data")
    server.start()
    everything = server.processes()
    assert server.stop() == 0
    _, left = psutil.wait_procs(everything, timeout=10)
    # What has ended and waits for init to take note of it runs no more.
    assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []


def test_an_instance_acknowledged_just_before_kill_9_is_there_after_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    token = server.token("hospital")
    server.run("ae", "add", "WARD7", "--host", "127.0.0.1", "--port", "11199", "--role", "hospital")
    by_web, by_dimse = sample("CT_small.dcm"), sample("MR_small.dcm")
    assert associate(server, "WARD7", by_dimse) == 0x0000
    assert stow(server, by_web, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    server.kill()
    server.start()
    try:
        coordinator = server.token("coordinator")
        assert read_back(server, by_web, coordinator) == by_web
        kept = pydicom.dcmread(BytesIO(read_back(server, by_dimse, coordinator)))
        assert kept == pydicom.dcmread(BytesIO(by_dimse))
        assert kept.PixelData == pydicom.dcmread(BytesIO(by_dimse)).PixelData
        studies = httpx.get(
            f"{server.url}/dicomweb/studies", headers={"Authorization": f"Bearer {coordinator}", **JSON}
        )
        assert len(studies.json()) == 2
    finally:
        server.stop()


def test_a_backup_comes_back_whole(tmp_path: Path) -> None:
    first = Server(tmp_path / "first")
    first.start()
    try:
        token = first.token("coordinator")
        assert stow(first, sample("CT_small.dcm"), headers={"Authorization": f"Bearer {token}"}).status_code == 200
        first.run("backup", str(tmp_path / "copy"))
    finally:
        first.stop()
    second = Server(tmp_path / "second")
    second.run("restore", str(tmp_path / "copy"))
    with second:
        old = httpx.get(f"{second.url}/dicomweb/studies", headers={"Authorization": f"Bearer {token}", **JSON})
        assert old.status_code == 401, "it may have been ended since the backup"
        anew = second.token("coordinator")
        assert read_back(second, sample("CT_small.dcm"), anew) == sample("CT_small.dcm")


def test_every_part_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with Server(tmp_path / "data", workers=2) as server:
        assert server.process
        supervisor = psutil.Process(server.process.pid)
        for victim in supervisor.children():
            victim.kill()
            deadline = time.monotonic() + 30
            # What was started again stays: it has the same identity a while later.
            while not (len(alive := parts(supervisor)) == 4 and victim.pid not in alive and settled(supervisor, alive)):
                assert time.monotonic() < deadline, f"{victim} is not replaced: {server.read_log()}"
        assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200


def parts(supervisor: psutil.Process) -> set[int]:
    """The supervisor's children that live."""
    found: set[int] = set()
    for child in supervisor.children():
        # It may be gone since it was listed.
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def settled(supervisor: psutil.Process, alive: set[int]) -> bool:
    time.sleep(2)
    return parts(supervisor) == alive
