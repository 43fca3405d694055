"""dicomweb-client, as others use it, drives every retrieval and search of a running server."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from tests.live.server import Server

pytestmark = pytest.mark.live

NAMES = ("CT_small.dcm", "MR_small_jp2klossless.dcm", "SC_rgb_rle_2frame.dcm", "JPEG2000.dcm", "waveform_ecg.dcm")


def sample(name: str) -> pydicom.Dataset:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return pydicom.dcmread(path)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DICOMwebClient]:
    with Server(tmp_path_factory.mktemp("client") / "data") as server:
        session = create_session()
        session.headers["Authorization"] = f"Bearer {server.token('coordinator')}"
        made = DICOMwebClient(f"{server.url}/dicomweb", session=session)
        made.store_instances([sample(name) for name in NAMES])
        yield made
        session.close()


def uids(ds: pydicom.Dataset) -> tuple[str, str, str]:
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)


def test_searches(client: DICOMwebClient) -> None:
    stored = [sample(name) for name in NAMES]
    assert {ds["0020000D"]["Value"][0] for ds in client.search_for_studies()} == {ds.StudyInstanceUID for ds in stored}
    assert len(client.search_for_series()) == len({ds.SeriesInstanceUID for ds in stored})
    study, series, sop = uids(stored[0])
    assert [one["0020000E"]["Value"] for one in client.search_for_series(study)] == [[series]]
    assert [one["00080018"]["Value"] for one in client.search_for_instances(study, series)] == [[sop]]
    assert len(client.search_for_instances()) == len(stored)
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []


@pytest.mark.parametrize("name", NAMES)
def test_instances_come_back_as_they_were(client: DICOMwebClient, name: str) -> None:
    before = sample(name)
    study, series, sop = uids(before)
    kinds = (("application/dicom", "*"),)
    one = client.retrieve_instance(study, series, sop, media_types=kinds)
    assert one.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    [of_series] = client.retrieve_series(study, series, media_types=kinds)
    [of_study] = client.retrieve_study(study, media_types=kinds)
    for after in (one, of_series, of_study, *client.iter_series(study, series, media_types=kinds)):
        assert after.SOPInstanceUID == before.SOPInstanceUID
        assert after.get("PixelData") == before.get("PixelData")
    plain = client.retrieve_instance(study, series, sop)
    assert plain.SOPInstanceUID == before.SOPInstanceUID


@pytest.mark.parametrize("name", NAMES)
def test_metadata_at_every_level(client: DICOMwebClient, name: str) -> None:
    before = sample(name)
    study, series, sop = uids(before)
    one = client.retrieve_instance_metadata(study, series, sop)
    assert one["00080018"]["Value"] == [sop]
    assert one["00083002"]["Value"] == [before.file_meta.TransferSyntaxUID]
    assert client.retrieve_series_metadata(study, series) == [one]
    assert client.retrieve_study_metadata(study) == [one]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "waveform_ecg.dcm"])
def test_frames_as_they_are_stored_and_decoded(client: DICOMwebClient, name: str) -> None:
    before = sample(name)
    numbers = list(range(1, int(before.get("NumberOfFrames", 1) or 1) + 1))
    given = client.retrieve_instance_frames(
        *uids(before), numbers, media_types=(("application/octet-stream", "1.2.840.10008.1.2.1"),)
    )
    assert b"".join(given) == before.pixel_array.astype(before.pixel_array.dtype.newbyteorder("<")).tobytes()
    stored = client.retrieve_instance_frames(*uids(before), numbers, media_types=(("application/octet-stream", "*"),))
    assert len(stored) == len(numbers)
    assert list(client.iter_instance_frames(*uids(before), numbers)) == client.retrieve_instance_frames(
        *uids(before), numbers
    )
    image = {"1.2.840.10008.1.2.4.90": "image/jp2", "1.2.840.10008.1.2.5": "image/dicom-rle"}
    if kind := image.get(before.file_meta.TransferSyntaxUID):
        assert client.retrieve_instance_frames(*uids(before), numbers, media_types=(kind,)) == stored


def test_bulk_data_whole_and_in_ranges(client: DICOMwebClient) -> None:
    before = sample("CT_small.dcm")
    uri = client.retrieve_instance_metadata(*uids(before))["7FE00010"]["BulkDataURI"]
    assert client.retrieve_bulkdata(uri) == [before.PixelData]
    assert list(client.iter_bulkdata(uri)) == [before.PixelData]
    kinds = ("application/octet-stream",)
    assert client.retrieve_bulkdata(uri, media_types=kinds) == [before.PixelData]
    # The client's end is the byte behind the last or the last itself, as one reads it: what matters is the start.
    [part] = client.retrieve_bulkdata(uri, media_types=kinds, byte_range=(100, 199))
    assert part == before.PixelData[100:200]


def test_nested_bulk_data_of_a_waveform(client: DICOMwebClient) -> None:
    before = sample("waveform_ecg.dcm")
    found = client.retrieve_instance_metadata(*uids(before))
    for item, group in zip(found["54000100"]["Value"], before.WaveformSequence, strict=True):
        assert client.retrieve_bulkdata(item["54001010"]["BulkDataURI"]) == [group.WaveformData]


def test_renderings(client: DICOMwebClient) -> None:
    before = sample("CT_small.dcm")
    study, series, sop = uids(before)
    for kind, begin in (("image/jpeg", b"\xff\xd8"), ("image/png", b"\x89PNG")):
        assert client.retrieve_instance_rendered(study, series, sop, media_types=(kind,)).startswith(begin)
    assert client.retrieve_instance_frames_rendered(study, series, sop, [1], media_types=("image/png",))


def test_what_is_not_there_is_an_error(client: DICOMwebClient) -> None:
    with pytest.raises(Exception, match="404"):
        client.retrieve_instance(generate_uid(), generate_uid(), generate_uid())


def test_a_larger_series_is_streamed(client: DICOMwebClient) -> None:
    first = sample("CT_small.dcm")
    first.StudyInstanceUID, first.SeriesInstanceUID = generate_uid(), generate_uid()
    sent = []
    for number in range(40):
        out = io.BytesIO()
        first.SOPInstanceUID = first.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        first.InstanceNumber = number
        first.save_as(out)
        sent.append(pydicom.dcmread(io.BytesIO(out.getvalue())))
    client.store_instances(sent)
    study, series, _ = uids(first)
    got = list(client.iter_series(study, series, media_types=(("application/dicom", "*"),)))
    assert [ds.SOPInstanceUID for ds in got] == [ds.SOPInstanceUID for ds in sent]
    assert all(np.array_equal(a.pixel_array, b.pixel_array) for a, b in zip(got, sent, strict=True))
    metadata = client.retrieve_series_metadata(study, series)
    assert [one["00080018"]["Value"][0] for one in metadata] == [ds.SOPInstanceUID for ds in sent]
