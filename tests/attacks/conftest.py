"""The cases' world behind both origins on real sockets, with an image that takes long to send."""

from __future__ import annotations

import io
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pydicom
import pytest
import uvicorn
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from cases.repository import studies_of
from cases.service import assignment, intake
from overread.app import application
from overread.protocol import Cuttable
from overread.services import Services
from tests.cases.world import DICOM_BORN, DICOM_NAME, World
from tests.web.conftest import browser, sandbox, services, still, world

__all__ = ["browser", "sandbox", "services", "still", "world"]

#: What a kernel keeps of a connection on either side (it doubles what it is asked for), in bytes.
BUFFER = 32 << 10
SIDE = 2048


def picture(study_uid: str, series_uid: str, number: int) -> bytes:
    """A slice of 8 MiB, of noise: nothing makes it smaller."""
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    ds = pydicom.dcmread(path)
    ds.PatientName, ds.PatientBirthDate = DICOM_NAME, DICOM_BORN
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_uid
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.InstanceNumber = number
    ds.Rows = ds.Columns = SIDE
    ds.PixelData = random.Random(number).randbytes(2 * SIDE * SIDE)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def in_review(world: World) -> tuple[str, str]:
    """A case that the specialist reads, of one study of two large slices: its id, and the study's UID in its view."""
    case_id = world.draft("free")
    study, series = generate_uid(), generate_uid()
    for number in (1, 2):
        world.upload(case_id, dicom=picture(study, series, number))
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(study)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    world.drain()
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    world.drain()
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
        view = studies_of(tx, case_id)[0].view_study_uid
    world.drain()
    assert view is not None
    return str(case_id), view


class Site:
    """Both origins on a port of the portal's, served as `overread.app.server` does."""

    def __init__(self, services: Services) -> None:
        listener = socket.socket()
        # Accepted connections have the same.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        listener.bind(("127.0.0.1", 0))
        self.port = int(listener.getsockname()[1])
        settings = services.settings.model_copy(update={"public_url": None, "http": f"127.0.0.1:{self.port}"})
        app = application(replace(services, settings=settings))
        config = uvicorn.Config(
            app, http=Cuttable, loop="uvloop", ws="wsproto", lifespan="off", log_config=None, access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def connect(self) -> socket.socket:
        """A connection of somebody who keeps little of what they have not read."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        made.settimeout(60)
        made.connect(("127.0.0.1", self.port))
        return made


@pytest.fixture
def site(services: Services) -> Iterator[Site]:
    served = Site(services)
    yield served
    served.stop()
