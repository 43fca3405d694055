"""Every call of the JavaScript client that OHIF and other viewers in the browser use, in a browser, against us."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.sync_api import Page
from pydicom.data import get_testdata_file

from tests.e2e.browser import chromium
from tests.live.server import Server

pytestmark = pytest.mark.browser
LIBRARY = Path(__file__).parents[2] / "frontend/node_modules/dicomweb-client/build/dicomweb-client.js"
# Bytes come back as their size and digest: what was fetched is compared without being carried over as text.
PRELUDE = """
async ({base, token, call, options, data}) => {
  const client = new DICOMwebClient.api.DICOMwebClient({
    url: base, headers: {Authorization: `Bearer ${token}`}, verbose: false});
  const digest = async (bytes) => {
    const hash = await crypto.subtle.digest('SHA-256', bytes);
    const hex = [...new Uint8Array(hash)].map(byte => byte.toString(16).padStart(2, '0')).join('');
    return {size: bytes.byteLength, sha256: hex};
  };
  const told = async (value) => {
    if (value instanceof ArrayBuffer) return digest(value);
    if (ArrayBuffer.isView(value)) return digest(value);
    if (Array.isArray(value) && (value[0] instanceof ArrayBuffer || ArrayBuffer.isView(value[0])))
      return Promise.all(value.map(told));
    return value;
  };
  if (data) options.datasets = data.map(text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  return told(await client[call](options));
}
"""
FETCH = """
async ({url, token}) => {
  const response = await fetch(url, {headers: {Authorization: `Bearer ${token}`}, redirect: 'error'});
  const bytes = await response.arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return {size: bytes.byteLength, sha256: [...hash].map(byte => byte.toString(16).padStart(2, '0')).join('')};
}
"""


class Driver:
    """Calls the client in the page; `files` are what the server holds."""

    def __init__(self, page: Page, server: Server, token: str) -> None:
        self._page, self._token = page, token
        self.base = f"{server.url}/dicomweb"
        self.files = [
            Path(str(get_testdata_file(name, download=False))).read_bytes()
            for name in ("CT_small.dcm", "MR_small_RLE.dcm", "examples_ybr_color.dcm")
        ]

    def call(self, name: str, **options: Any) -> Any:
        data = options.pop("datasets", None)
        texts = [base64.b64encode(one).decode() for one in data] if data else None
        asked = {"base": self.base, "token": self._token, "call": name, "options": options, "data": texts}
        return self._page.evaluate(PRELUDE, asked)

    def fetch(self, url: str) -> Any:
        """What a page gets at an address, by the browser's own means."""
        asked = {"url": url, "token": self._token}
        return self._page.evaluate(FETCH, asked)

    def names(self, number: int, *levels: str) -> dict[str, str]:
        """The UIDs of a file as the client's options call them."""
        ds = self.dataset(number)
        keys = {"study": "studyInstanceUID", "series": "seriesInstanceUID", "sop": "sopInstanceUID"}
        values = {"study": ds.StudyInstanceUID, "series": ds.SeriesInstanceUID, "sop": ds.SOPInstanceUID}
        return {keys[level]: str(values[level]) for level in levels or keys}

    def dataset(self, number: int) -> pydicom.Dataset:
        return pydicom.dcmread(BytesIO(self.files[number]))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    if not LIBRARY.exists():
        pytest.skip("the client is not installed: `make setup` does it")
    with Server(tmp_path_factory.mktemp("client") / "data") as server, chromium() as browser:
        page = browser.new_context(bypass_csp=True).new_page()
        page.goto(f"{server.url}/sign-in")
        page.add_script_tag(path=LIBRARY)
        made = Driver(page, server, server.token("hospital"))
        made.call("storeInstances", datasets=made.files)
        yield made


def digest(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_stored_again_is_quiet(driver: Driver) -> None:
    assert driver.call("storeInstances", datasets=driver.files[:1]) is not None


def test_searches_at_every_level(driver: Driver) -> None:
    ct = driver.dataset(0)
    studies = driver.call("searchForStudies", queryParams={"PatientID": ct.PatientID})
    assert [one["0020000D"]["Value"] for one in studies] == [[ct.StudyInstanceUID]]
    series = driver.call("searchForSeries", **driver.names(0, "study"))
    assert [one["0020000E"]["Value"] for one in series] == [[ct.SeriesInstanceUID]]
    instances = driver.call("searchForInstances", **driver.names(0, "study", "series"))
    assert [one["00080018"]["Value"] for one in instances] == [[ct.SOPInstanceUID]]
    assert len(driver.call("searchForStudies")) == len(driver.files)


@pytest.mark.parametrize(
    ("call", "levels"),
    [
        ("retrieveStudyMetadata", ("study",)),
        ("retrieveSeriesMetadata", ("study", "series")),
        ("retrieveInstanceMetadata", ("study", "series", "sop")),
    ],
)
def test_metadata_at_every_level(driver: Driver, call: str, levels: tuple[str, ...]) -> None:
    for number in range(len(driver.files)):
        metadata = driver.call(call, **driver.names(number, *levels))
        (one,) = metadata if isinstance(metadata, list) else [metadata]
        assert one["00080018"]["Value"] == [driver.dataset(number).SOPInstanceUID]
        assert one["00280010"]["Value"] == [driver.dataset(number).Rows]


def test_instances_come_back_byte_for_byte(driver: Driver) -> None:
    ct = driver.files[0]
    assert driver.call("retrieveInstance", **driver.names(0)) == digest(ct)
    assert driver.call("retrieveSeries", **driver.names(0, "study", "series")) == [digest(ct)]
    assert driver.call("retrieveStudy", **driver.names(0, "study")) == [digest(ct)]


def test_frames_and_bulk_data(driver: Driver) -> None:
    ct = driver.dataset(0)
    frames = driver.call("retrieveInstanceFrames", frameNumbers=[1], **driver.names(0))
    assert frames == [digest(ct.PixelData)]
    (metadata,) = driver.call("retrieveInstanceMetadata", **driver.names(0))
    uri = metadata["7FE00010"]["BulkDataURI"]
    assert driver.call("retrieveBulkData", BulkDataURI=uri) == [digest(ct.PixelData)]


def test_frames_as_they_are_stored(driver: Driver) -> None:
    types = [{"mediaType": "image/jpeg", "transferSyntaxUID": "1.2.840.10008.1.2.4.50"}]
    found = driver.call("retrieveInstanceFrames", frameNumbers=[1, 2], mediaTypes=types, **driver.names(2))
    assert len(found) == 2
    assert all(one["size"] > 1000 for one in found)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_rendered_and_thumbnails(driver: Driver, number: int) -> None:
    names = driver.names(number)
    for media_type in ("image/jpeg", "image/png"):
        types = [{"mediaType": media_type}]
        for call, options in (
            ("retrieveInstanceRendered", {}),
            ("retrieveInstanceThumbnail", {}),
            ("retrieveInstanceFramesRendered", {"frameNumbers": [1]}),
            ("retrieveInstanceFramesThumbnail", {"frameNumbers": [1]}),
        ):
            found = driver.call(call, mediaTypes=types, **options, **names)
            pictures = found if isinstance(found, list) else [found]
            assert len(pictures) == 1, call
            assert pictures[0]["size"] > 200, (call, media_type)


def test_the_address_of_wado_uri_is_answered(driver: Driver) -> None:
    """The client only makes this address (PS3.18 9); whoever was given it opens it."""
    url = driver.call("buildInstanceWadoURIUrl", contentType="application/dicom", **driver.names(0))
    assert url.startswith(f"{driver.base}?requestType=WADO&")
    assert driver.fetch(url) == digest(driver.files[0])
