"""The senders of the fault tests and benchmarks send DICOM: pydicom is the oracle."""

from __future__ import annotations

from io import BytesIO

import pydicom

from benchmarks import part10, series, stow
from tests.faults.senders import Pictures, study_uid


def test_pictures_differ_in_their_uids_alone() -> None:
    pictures = Pictures()
    first, second, other = pictures.make(1, 0), pictures.make(1, 1), pictures.make(2, 0)
    assert len({first.sop_uid, second.sop_uid, other.sop_uid}) == 3
    read = [pydicom.dcmread(BytesIO(one.data)) for one in (first, second, other)]
    assert [str(ds.StudyInstanceUID) for ds in read] == [study_uid(1), study_uid(1), study_uid(2)]
    for ds, one in zip(read, (first, second, other), strict=True):
        assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == one.sop_uid
        ds.SOPInstanceUID = ds.StudyInstanceUID = ds.SeriesInstanceUID = "1.2"
    assert read[0] == read[1] == read[2]
    assert pictures.make(1, 0) == first


def test_a_slice_is_a_whole_ct_image_of_about_260_elements() -> None:
    (_, (uid, data)) = series.slices(2, 32, "test")
    ds = pydicom.dcmread(BytesIO(data))
    assert ds.SOPInstanceUID == uid
    assert 240 <= sum(1 for _ in ds.iterall()) <= 280
    assert ds.pixel_array.shape == (32, 32)
    parsed = part10.parse(data)
    assert (parsed.sop_class, parsed.syntax) == (ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assert pydicom.dcmread(BytesIO(data[: parsed.start])).keys() == set()


def test_the_enhanced_image_has_a_functional_group_a_frame() -> None:
    ds = pydicom.dcmread(BytesIO(series.enhanced(7)))
    assert len(ds.PerFrameFunctionalGroupsSequence) == ds.NumberOfFrames == 7
    assert ds.pixel_array.shape == (7, 4, 4)


def test_only_what_an_answer_references_counts_as_stored() -> None:
    answer = b'{"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]}}'
    assert stow.stored(answer) == {"1.2.3"}
    assert stow.stored(b'{"00081198": {"vr": "SQ", "Value": []}}') == set()
    assert stow.stored(b"Bad Gateway") == set()
