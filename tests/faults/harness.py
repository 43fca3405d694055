"""A server that is harmed, and the invariant that must hold afterwards."""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import httpx
import psutil
import psycopg

from benchmarks import part10
from overread.kit import postgres
from overread.kit.db import libpq_url
from overread.kit.settings import Settings
from tests.faults.senders import Ledger, Sender, StoreSender, StowSender, study_uid
from tests.live.server import Server

CALLING = "FAULTS"
JSON = {"Accept": "application/dicom+json"}
_WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
_PAGE = 500


class Harmed(Server):
    """A server whose processes die in no order."""

    def __init__(self, folder: Path, *, workers: int = 1) -> None:
        super().__init__(folder, workers=workers)
        self.random = random.Random(folder.parent.name)

    def heads(self) -> tuple[psutil.Process, psutil.Process]:
        """The supervisor, and PostgreSQL's postmaster."""
        assert self.process
        postmaster = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        return psutil.Process(self.process.pid), psutil.Process(postmaster)

    def behead(self) -> None:
        """kill -9 of the supervisor alone."""
        assert self.process
        self.process.kill()
        self.process.wait(10)
        self._close()

    def refused(self) -> str:
        """Start it where it must not start: all that it says on standard error."""
        try:
            self.start()
        except AssertionError:
            assert self.code == 1
            return self.read_log()
        self.kill()
        raise AssertionError("it started")

    def kill(self, victims: list[psutil.Process] | None = None) -> None:
        """kill -9 of these processes, or of all, and then of whatever these left."""
        assert self.process
        victims = victims or self.processes()
        self.random.shuffle(victims)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        for left in _inside(self.folder):
            with suppress(psutil.NoSuchProcess):
                left.kill()
            victims.append(left)
        self.process.wait(10)
        psutil.wait_procs(victims, timeout=10)
        self._close()


class Site:
    """A running server with one hospital that sends, one coordinator who looks, and the ledger between them."""

    def __init__(self, folder: Path, *, workers: int = 1) -> None:
        self.server = Harmed(folder, workers=workers)
        self.ledger = Ledger()
        self._checked: set[int] = set()

    def __enter__(self) -> Site:
        """Start it and register who sends and who looks."""
        self.server.start()
        try:
            peer = ["--host", "127.0.0.1", "--port", "11199", "--role", "hospital"]
            self.server.run("ae", "add", CALLING, *peer)
            self.hospital = self.server.token("hospital")
            self.coordinator = self.server.token("coordinator")
        except BaseException:
            self.server.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, trace)

    def ready(self) -> bool:
        """Whether it says that it can work."""
        try:
            return httpx.get(f"{self.server.url}/readyz", timeout=30).status_code == 200
        except httpx.HTTPError:
            return False

    def senders(self) -> list[Sender]:
        """Two of each kind, sending."""
        found: list[Sender] = []
        for _ in range(2):
            found.append(StowSender(self.ledger, self.server.url, self.hospital))
            found.append(StoreSender(self.ledger, self.server.dicom_port, CALLING))
        for sender in found:
            sender.start()
        return found

    def get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """A request of the coordinator's."""
        headers = {"Authorization": f"Bearer {self.coordinator}", **headers}
        try:
            return httpx.get(f"{self.server.url}/dicomweb/{path}", headers=headers, timeout=60)
        except httpx.HTTPError as error:
            raise AssertionError(f"{path} can't be read: {error}") from error

    def check(self) -> None:
        """Whatever was acknowledged is found and byte-identical; whatever was not is whole or absent.

        Looks at the studies that were sent since the last check.
        """
        for study in range(1, self.ledger.studies + 1):
            if study not in self._checked:
                self._check_study(study)
                self._checked.add(study)

    def recheck(self) -> None:
        """The same for everything that was ever sent."""
        self._checked.clear()
        self.check()

    def _check_study(self, study: int) -> None:
        sent = {uid: one for uid, one in self.ledger.sent.items() if one[0] == study}
        acknowledged = self.ledger.acknowledged & sent.keys()
        found = self.found(study)
        lost = acknowledged - found
        assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged instances are not found"
        assert found <= sent.keys()
        if not found:
            assert self.get(f"studies/{study_uid(study)}", _WHOLE).status_code == 404
            return
        kept = self.retrieved(study)
        assert kept.keys() == found, "QIDO and WADO disagree"
        for uid, data in kept.items():
            _, number, via = sent[uid]
            original = self.ledger.pictures.make(study, number)
            assert data[part10.parse(data).start :] == original.data[original.start :], uid
            if via == "stow":
                assert data == original.data, uid

    def found(self, study: int) -> set[str]:
        """The SOP Instance UIDs of a study as QIDO-RS tells them."""
        found: set[str] = set()
        while True:
            path = f"studies/{study_uid(study)}/instances?limit={_PAGE}&offset={len(found)}"
            answer = self.get(path, JSON)
            assert answer.status_code in (200, 204, 404), answer.text
            page = answer.json() if answer.status_code == 200 else []
            found |= {one["00080018"]["Value"][0] for one in page}
            if len(page) < _PAGE:
                return found

    def retrieved(self, study: int) -> dict[str, bytes]:
        """Every instance of a study as WADO-RS gives it."""
        answer = self.get(f"studies/{study_uid(study)}", _WHOLE)
        assert answer.status_code == 200, answer.text
        boundary = answer.headers["content-type"].split("boundary=")[1].split(";")[0].strip('"').encode()
        kept = {}
        for part in (b"\r\n" + answer.content).split(b"\r\n--" + boundary)[1:-1]:
            data = part.split(b"\r\n\r\n", 1)[1]
            kept[part10.parse(data).sop_uid] = data
        return kept

    def disk_and_rows(self) -> tuple[set[str], set[str]]:
        """The digests of the blobs on disk, each proven by its content, and those that rows name."""
        blobs = self.server.folder / "blobs"
        on_disk = {path.name: path for path in blobs.glob("[0-9a-f][0-9a-f]/*")}
        for name, path in on_disk.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name
        uri, embedded = postgres.start(Settings(data_dir=self.server.folder, database_url=None))
        assert embedded is not None
        try:
            with psycopg.connect(libpq_url(uri)) as connection:
                rows = connection.execute("SELECT blob FROM pacs_instance").fetchall()
        finally:
            embedded.cleanup()
        return set(on_disk), {row[0] for row in rows}

    def left_aside(self) -> list[Path]:
        """Files of instances that never became blobs."""
        return list((self.server.folder / "blobs" / "incoming").iterdir())


def _inside(folder: Path) -> list[psutil.Process]:
    """Processes that work inside a folder: PostgreSQL's, whose parent is gone."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.cwd().startswith(str(folder)):
                found.append(process)
    return found


def stop(senders: list[Sender]) -> None:
    """End senders and wait for them."""
    for sender in senders:
        sender.stop()
    for sender in senders:
        sender.join(30)
        assert not sender.is_alive()


def wait_for(what: str, ready: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a callable says something true."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A folder that the embedded database's own user may pass through, as pytest's are not."""
    with tempfile.TemporaryDirectory(prefix=f"overread-{prefix}-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
