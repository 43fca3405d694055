"""DICOMDIRs: the type of each record and its keys (PS3.3 F.4, F.5), as dciodvfy, pydicom and DCMTK see them.

dciodvfy is part of the Debian package dicom3tools, dcmmkdir of dcmtk; without them the tests that ask them are skipped
and say so.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import config, uid
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset
from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES, DIRECTORY_RECORDERS, FileSet, _four_level_record_type
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from pacs.deid.header import deidentify
from pacs.dicom import part10
from pacs.dicom.dicomjson import JsonDataset, to_json
from pacs.dicom.elements import Unreadable
from pacs.serve.dicomdir import Directory
from pacs.serve.directory_records import KEYS, kind_of
from tests.pacs.corpus import files, sources
from tests.pacs.deid.test_rows import SECRET, whole

#: What dciodvfy 20220618 itself does not know: types of record, and that the references of spectroscopy are of type 1C
#: (PS3.3 Table F.5-27). And UIDs, which stand as the file has them.
_UNKNOWN_TO_DCIODVFY = re.compile(
    "<(PLAN|SURFACE SCAN|TRACT|ASSESSMENT)>|ReferencedImageEvidenceSequence.*Missing|UID.*(root|Length)"
)

#: Types of record by the keywords of pydicom's dictionary; whatever is not here is an image.
TYPES: dict[str, str] = {
    "RT DOSE": "RTDoseStorage",
    "RT STRUCTURE SET": "RTStructureSetStorage",
    "RT PLAN": "RTPlanStorage RTIonPlanStorage",
    "RT TREAT RECORD": "RTBeamsTreatmentRecordStorage RTBrachyTreatmentRecordStorage RTTreatmentSummaryRecordStorage"
    " RTIonBeamsTreatmentRecordStorage",
    "PRESENTATION": "GrayscaleSoftcopyPresentationStateStorage ColorSoftcopyPresentationStateStorage"
    " PseudoColorSoftcopyPresentationStateStorage BlendingSoftcopyPresentationStateStorage"
    " XAXRFGrayscaleSoftcopyPresentationStateStorage GrayscalePlanarMPRVolumetricPresentationStateStorage"
    " CompositingPlanarMPRVolumetricPresentationStateStorage AdvancedBlendingPresentationStateStorage"
    " VolumeRenderingVolumetricPresentationStateStorage SegmentedVolumeRenderingVolumetricPresentationStateStorage"
    " MultipleVolumeRenderingVolumetricPresentationStateStorage VariableModalityLUTSoftcopyPresentationStateStorage"
    " BasicStructuredDisplayStorage",
    "WAVEFORM": "TwelveLeadECGWaveformStorage GeneralECGWaveformStorage AmbulatoryECGWaveformStorage"
    " General32bitECGWaveformStorage HemodynamicWaveformStorage CardiacElectrophysiologyWaveformStorage"
    " BasicVoiceAudioWaveformStorage GeneralAudioWaveformStorage ArterialPulseWaveformStorage"
    " RespiratoryWaveformStorage MultichannelRespiratoryWaveformStorage"
    " RoutineScalpElectroencephalogramWaveformStorage ElectromyogramWaveformStorage ElectrooculogramWaveformStorage"
    " SleepElectroencephalogramWaveformStorage BodyPositionWaveformStorage",
    "SR DOCUMENT": "SpectaclePrescriptionReportStorage MacularGridThicknessAndVolumeReportStorage BasicTextSRStorage"
    " EnhancedSRStorage ComprehensiveSRStorage Comprehensive3DSRStorage ExtensibleSRStorage ProcedureLogStorage"
    " MammographyCADSRStorage ChestCADSRStorage XRayRadiationDoseSRStorage RadiopharmaceuticalRadiationDoseSRStorage"
    " ColonCADSRStorage ImplantationPlanSRStorage AcquisitionContextSRStorage SimplifiedAdultEchoSRStorage"
    " PatientRadiationDoseSRStorage PlannedImagingAgentAdministrationSRStorage"
    " PerformedImagingAgentAdministrationSRStorage EnhancedXRayRadiationDoseSRStorage WaveformAnnotationSRStorage",
    "KEY OBJECT DOC": "KeyObjectSelectionDocumentStorage",
    "SPECTROSCOPY": "MRSpectroscopyStorage",
    "RAW DATA": "RawDataStorage",
    "REGISTRATION": "SpatialRegistrationStorage DeformableSpatialRegistrationStorage",
    "FIDUCIAL": "SpatialFiducialsStorage",
    "ENCAP DOC": "EncapsulatedPDFStorage EncapsulatedCDAStorage EncapsulatedSTLStorage EncapsulatedOBJStorage"
    " EncapsulatedMTLStorage",
    "VALUE MAP": "RealWorldValueMappingStorage",
    "STEREOMETRIC": "StereometricRelationshipStorage",
    "MEASUREMENT": "LensometryMeasurementsStorage AutorefractionMeasurementsStorage KeratometryMeasurementsStorage"
    " SubjectiveRefractionMeasurementsStorage VisualAcuityMeasurementsStorage OphthalmicAxialMeasurementsStorage"
    " IntraocularLensCalculationsStorage OphthalmicVisualFieldStaticPerimetryMeasurementsStorage",
    "SURFACE": "SurfaceSegmentationStorage",
    "SURFACE SCAN": "SurfaceScanMeshStorage SurfaceScanPointCloudStorage",
    "TRACT": "TractographyResultsStorage",
    "ASSESSMENT": "ContentAssessmentResultsStorage",
    "RADIOTHERAPY": "RTPhysicianIntentStorage RTSegmentAnnotationStorage RTRadiationSetStorage"
    " CArmPhotonElectronRadiationStorage TomotherapeuticRadiationStorage RoboticArmRadiationStorage"
    " RTRadiationRecordSetStorage RTRadiationSalvageRecordStorage TomotherapeuticRadiationRecordStorage"
    " CArmPhotonElectronRadiationRecordStorage RoboticRadiationRecordStorage"
    " RTRadiationSetDeliveryInstructionStorage RTTreatmentPreparationStorage"
    " RTPatientPositionAcquisitionInstructionStorage",
    "PRIVATE": "MicroscopyBulkSimpleAnnotationsStorage",
    "PLAN": "RTBeamsDeliveryInstructionStorage RTBrachyApplicationSetupDeliveryInstructionStorage",
}
EXPECTED = {keyword: kind for kind, keywords in TYPES.items() for keyword in keywords.split()}
STORAGE = {
    keyword: number
    for number, (name, kind, _, _, keyword) in UID_dictionary.items()
    if kind == "SOP Class" and "Storage" in name and re.match(r"1\.2\.840\.10008\.5\.1\.4\.(1\.1|34)\.", number)
}
#: Objects of no patient, or of security screening and of pipes.
_NOT_OURS = re.compile("Inventory|DICOS|EddyCurrent|Protocol|Trial$")


def code(value: str, meaning: str, scheme: str = "DCM") -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, Sequence(value) if isinstance(value, list) and isinstance(value[0], Dataset) else value)
    return made


_REFERENCED = item(
    SeriesInstanceUID="1.2.7",
    RetrieveAETitle="ELSEWHERE",
    ReferencedImageSequence=[item(ReferencedSOPClassUID=uid.CTImageStorage, ReferencedSOPInstanceUID="1.2.7.1")],
)
_MOMENT = {"ContentDate": "20240203", "ContentTime": "040506"}
_IDENTIFIED = {
    **_MOMENT,
    "InstanceNumber": "3",
    "ContentLabel": "LABEL",
    "ContentDescription": "What it is",
    "ContentCreatorName": "Maker^One",
}
_CONTENT = item(
    ValueType="CODE",
    RelationshipType="HAS CONCEPT MOD",
    ConceptNameCodeSequence=[code("121049", "Language of Content Item and Descendants")],
    ConceptCodeSequence=[code("en", "English", "RFC5646")],
)
_TEXT = item(ValueType="TEXT", RelationshipType="CONTAINS", TextValue="Nothing of it stands in a directory.")
#: What an object of each kind says; all of it is a key of its record, but what `NOT_KEYS` names.
WHOLE: dict[str, tuple[str, dict[str, Any]]] = {
    "IMAGE": ("CTImageStorage", {"InstanceNumber": "3", "Rows": 4}),
    "RT DOSE": ("RTDoseStorage", {"InstanceNumber": "3", "DoseSummationType": "PLAN", "DoseComment": "Of all beams"}),
    "RT STRUCTURE SET": (
        "RTStructureSetStorage",
        {"InstanceNumber": "3", "StructureSetLabel": "Organs", "StructureSetDate": "20240203",
         "StructureSetTime": "040506"},
    ),
    "RT PLAN": (
        "RTIonPlanStorage",
        {"InstanceNumber": "3", "RTPlanLabel": "Boost", "RTPlanDate": "20240203", "RTPlanTime": "040506"},
    ),
    "RT TREAT RECORD": (
        "RTBeamsTreatmentRecordStorage",
        {"InstanceNumber": "3", "TreatmentDate": "20240203", "TreatmentTime": "040506"},
    ),
    "PRESENTATION": (
        "GrayscaleSoftcopyPresentationStateStorage",
        {**{k: v for k, v in _IDENTIFIED.items() if k not in _MOMENT}, "PresentationCreationDate": "20240203",
         "PresentationCreationTime": "040506", "ReferencedSeriesSequence": [_REFERENCED]},
    ),
    "WAVEFORM": ("TwelveLeadECGWaveformStorage", {**_MOMENT, "InstanceNumber": "3"}),
    "SR DOCUMENT": (
        "EnhancedSRStorage",
        {**_MOMENT, "InstanceNumber": "3", "CompletionFlag": "COMPLETE", "VerificationFlag": "VERIFIED",
         "VerifyingObserverSequence": [item(VerificationDateTime="20240203040506"),
                                       item(VerificationDateTime="20240303040506")],
         "ConceptNameCodeSequence": [code("18748-4", "Diagnostic Imaging Report", "LN")],
         "ContentSequence": [_CONTENT, _TEXT]},
    ),
    "KEY OBJECT DOC": (
        "KeyObjectSelectionDocumentStorage",
        {**_MOMENT, "InstanceNumber": "3", "ConceptNameCodeSequence": [code("113000", "Of Interest")],
         "ContentSequence": [_CONTENT, _TEXT]},
    ),
    "SPECTROSCOPY": (
        "MRSpectroscopyStorage",
        {**_MOMENT, "InstanceNumber": "3", "ImageType": ["ORIGINAL", "PRIMARY"], "NumberOfFrames": "1", "Rows": 1,
         "Columns": 1, "DataPointRows": 1, "DataPointColumns": 1024},
    ),
    "RAW DATA": ("RawDataStorage", {**_MOMENT, "InstanceNumber": "3"}),
    "REGISTRATION": ("SpatialRegistrationStorage", _IDENTIFIED),
    "FIDUCIAL": ("SpatialFiducialsStorage", _IDENTIFIED),
    "ENCAP DOC": (
        "EncapsulatedCDAStorage",
        {**_MOMENT, "InstanceNumber": "3", "DocumentTitle": "A letter", "HL7InstanceIdentifier": "1.2.3^4",
         "ConceptNameCodeSequence": [code("18748-4", "Diagnostic Imaging Report", "LN")],
         "MIMETypeOfEncapsulatedDocument": "text/XML"},
    ),
    "VALUE MAP": ("RealWorldValueMappingStorage", _IDENTIFIED),
    "STEREOMETRIC": (
        "StereometricRelationshipStorage",
        {k: v for k, v in _IDENTIFIED.items() if k not in _MOMENT},
    ),
    "PLAN": ("RTBeamsDeliveryInstructionStorage", {}),
    "MEASUREMENT": ("IntraocularLensCalculationsStorage", _IDENTIFIED),
    "SURFACE": ("SurfaceSegmentationStorage", _IDENTIFIED),
    "SURFACE SCAN": ("SurfaceScanMeshStorage", _MOMENT),
    "TRACT": ("TractographyResultsStorage", _IDENTIFIED),
    "ASSESSMENT": (
        "ContentAssessmentResultsStorage",
        {"InstanceNumber": "3", "InstanceCreationDate": "20240203", "InstanceCreationTime": "040506"},
    ),
    "RADIOTHERAPY": (
        "CArmPhotonElectronRadiationStorage",
        {"InstanceNumber": "3", "UserContentLabel": "BOOST", "UserContentLongLabel": "The boost",
         "ContentDescription": "What it is", "ContentCreatorName": "Maker^One"},
    ),
    "PRIVATE": ("MicroscopyBulkSimpleAnnotationsStorage", {}),
}  # fmt: skip
NOT_KEYS = {"Rows": "IMAGE", "VerifyingObserverSequence": "SR DOCUMENT"}


def made(sop_class: str, number: int = 1, **values: Any) -> Dataset:
    """An object of a class that says no more of itself than its UIDs, and `values`."""
    ds = item(**values)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, f"1.2.3.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.1", f"1.2.2.{number}"
    return ds


def study(sop_class: str, **values: Any) -> Dataset:
    ds = made(sop_class, **values)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.StudyID, ds.AccessionNumber = "Müller^Anna", "P1", "S1", "A1"
    ds.StudyDate, ds.StudyTime, ds.StudyDescription = "20240101", "101112", "Knee"
    ds.Modality, ds.SeriesNumber = "OT", 7
    return ds


def header(ds: Dataset) -> JsonDataset:
    out = io.BytesIO()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(out, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return read(out.getvalue())


def read(data: bytes) -> JsonDataset:
    parsed = part10.parse(data)
    return to_json(parsed.buf, parsed.elements, bulk_uri=lambda _: "")


def write(folder: Path, headers: list[JsonDataset]) -> Path:
    directory = Directory()
    for number, ds in enumerate(headers, 1):
        directory.add(f"IMAGES/I{number:07d}", str(ExplicitVRLittleEndian), ds)
    (folder / "IMAGES").mkdir(exist_ok=True)
    for number in range(1, len(headers) + 1):
        (folder / f"IMAGES/I{number:07d}").touch()
    path = folder / "DICOMDIR"
    path.write_bytes(directory.written("2.25.1"))
    return path


def listed(path: Path) -> list[Dataset]:
    """The records of the instances, as pydicom's FileSet finds them by the offsets."""
    found = FileSet(path)
    try:
        return [one.node._record for one in found]
    finally:
        found._stage["t"].cleanup()


def faults(path: Path) -> list[str]:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here (Debian: dicom3tools): directories are not checked")
    done = subprocess.run([tool, "-new", path], capture_output=True, check=False, timeout=120)
    told = (done.stderr + done.stdout).decode("latin-1").splitlines()
    return [line for line in told if line.startswith("Error") and not _UNKNOWN_TO_DCIODVFY.search(line)]


def test_every_class_has_its_type_of_record() -> None:
    """No class that is added to the dictionary goes by unnoticed: what is no image has to be named above."""
    for keyword, number in STORAGE.items():
        if _NOT_OURS.search(keyword) or keyword.startswith("Standalone"):
            continue
        ds: JsonDataset = {"00080016": {"vr": "UI", "Value": [number]}}
        if keyword not in EXPECTED:
            assert re.search("Image|Map|Segmentation|Volume", keyword), keyword
            ds["00280010"] = {"vr": "US", "Value": [1]}
        assert kind_of(ds) == EXPECTED.get(keyword, "IMAGE"), keyword


def test_types_are_those_of_pydicom() -> None:
    for number, kind in _FOUR_LEVEL_SOP_CLASSES.items():
        assert kind_of({"00080016": {"vr": "UI", "Value": [str(number)]}}) == kind, number.name


@pytest.mark.parametrize("kind", WHOLE)
def test_a_record_has_the_keys_of_its_type(kind: str, tmp_path: Path) -> None:
    keyword, values = WHOLE[kind]
    path = write(tmp_path, [header(study(getattr(uid, keyword), **values))])
    [record] = listed(path)
    assert record.DirectoryRecordType == kind
    said = {element.keyword for element in record if element.tag.group != 0x0004}
    expected = {key for key in values if NOT_KEYS.get(key) != kind}
    assert said == expected | ({"VerificationDateTime"} if kind == "SR DOCUMENT" else set())
    for key in expected - {"ContentSequence", "ReferencedSeriesSequence"}:
        assert str(record[key].value) == str(item(**values)[key].value)
    assert faults(path) == []


def test_of_a_document_what_modifies_its_title_and_the_last_verification(tmp_path: Path) -> None:
    keyword, values = WHOLE["SR DOCUMENT"]
    [record] = listed(write(tmp_path, [header(study(getattr(uid, keyword), **values))]))
    assert [one.RelationshipType for one in record.ContentSequence] == ["HAS CONCEPT MOD"]
    assert record.VerificationDateTime == "20240303040506"


def test_references_lead_to_instances_and_say_nothing_else(tmp_path: Path) -> None:
    """Blending states say how to show what they refer to: tables of thousands of colours are no keys (F.5.23)."""
    half = item(StudyInstanceUID="1.2.1", ReferencedSeriesSequence=[_REFERENCED], BlendingPosition="SUPERIMPOSED")
    ds = study(uid.BlendingSoftcopyPresentationStateStorage, BlendingSequence=[half, half])
    path = write(tmp_path, [header(ds)])
    [record] = listed(path)
    assert {element.keyword for element in record.BlendingSequence[0]} == {
        "StudyInstanceUID",
        "ReferencedSeriesSequence",
    }
    [series] = record.BlendingSequence[0].ReferencedSeriesSequence
    assert {element.keyword for element in series} == {"SeriesInstanceUID", "ReferencedImageSequence"}
    assert faults(path) == []


def test_what_says_nothing_of_itself_is_listed_all_the_same(tmp_path: Path) -> None:
    """One of every class, with no more than UIDs: whatever is of type 1 has a value."""
    headers = [header(made(number, place)) for place, number in enumerate(STORAGE.values(), 1)]
    path = write(tmp_path, headers)
    records = listed(path)
    assert len(records) == len(headers)
    for record, ds in zip(records, headers, strict=True):
        for tag, type_ in KEYS[kind_of(ds)].items():
            assert type_ == "1C" or tag in record, (record.DirectoryRecordType, tag)
            assert type_ != "1" or record[tag].value not in (None, "", []), (record.DirectoryRecordType, tag)
    whole = pydicom.dcmread(path).DirectoryRecordSequence
    [patient] = [one for one in whole if one.DirectoryRecordType == "PATIENT"]
    [one] = [one for one in whole if one.DirectoryRecordType == "STUDY"]
    assert patient.PatientID
    assert one.StudyID
    assert (one.StudyDate, one.StudyTime) == ("19000101", "000000")
    series = [one for one in whole if one.DirectoryRecordType == "SERIES"]
    assert [one.SeriesNumber for one in series] == list(range(1, len(headers) + 1))
    assert [one for one in faults(path) if "Type 1C" not in one] == []


@pytest.mark.parametrize(
    ("said", "listed_as"),
    [
        ({"StudyDate": "2024.01.02"}, ("20240102", "101112")),
        ({"StudyTime": "10:11:12"}, ("20240101", "101112")),
        ({"StudyTime": "101112.500000"}, ("20240101", "101112.500000")),
        ({"StudyDate": "", "StudyTime": "", "AcquisitionDateTime": "20230102030405.5"}, ("20230102", "030405")),
        ({"StudyDate": "", "StudyTime": "", "ContentDate": "20230304", "ContentTime": "0506"}, ("20230304", "0506")),
        ({"StudyDate": "20241340", "StudyTime": "noon"}, ("19000101", "000000")),
    ],
)
def test_a_studys_moment_is_written_as_one_or_is_the_nearest(
    said: dict[str, str], listed_as: tuple[str, str], tmp_path: Path
) -> None:
    with config.disable_value_validation():
        ds = study(uid.CTImageStorage)
        for keyword, value in said.items():
            setattr(ds, keyword, value)
        path = write(tmp_path, [header(ds)])
    [record] = [one for one in pydicom.dcmread(path).DirectoryRecordSequence if one.DirectoryRecordType == "STUDY"]
    assert (record.StudyDate, record.StudyTime) == listed_as
    assert faults(path) == []


def test_values_that_are_none_of_their_vr_do_not_get_into_a_directory(tmp_path: Path) -> None:
    with config.disable_value_validation():
        ds = study(uid.RTPlanStorage)
        ds.PatientID, ds.PatientName = "P\r\n" * 40, "^".join("abcdef") + "x" * 90
        ds.StudyID, ds.Modality, ds.RTPlanLabel = "a study ID of more than 16", "rtplan", "L" * 40
        ds.StudyDescription = "first\\second"
        path = write(tmp_path, [header(ds)])
    [record] = listed(path)
    assert record.RTPlanLabel == "L" * 16
    whole = pydicom.dcmread(path).DirectoryRecordSequence
    assert whole[1].StudyDescription == "first"
    assert whole[2].Modality == "RTPLAN"
    assert faults(path) == []


@pytest.mark.parametrize(
    "people",
    [
        [{"PatientID": "P1", "IssuerOfPatientID": "A"}, {"PatientID": "P1", "IssuerOfPatientID": "B"}],
        [{"PatientID": "", "PatientName": "One"}, {"PatientID": "", "PatientName": "Another"}],
    ],
)
def test_two_people_are_two_records_with_ids_of_their_own(people: list[dict[str, str]], tmp_path: Path) -> None:
    """A Patient ID may not be in two records (F.5.1), and two people may not be in one."""
    headers = []
    for number, person in enumerate(people, 1):
        ds = made(uid.CTImageStorage, number, **person)
        ds.StudyInstanceUID = f"1.2.1.{number}"
        headers.append(header(ds))
    path = write(tmp_path, headers)
    records = [one for one in pydicom.dcmread(path).DirectoryRecordSequence if one.DirectoryRecordType == "PATIENT"]
    assert len({one.PatientID for one in records}) == 2
    assert len(listed(path)) == 2
    assert faults(path) == []


def _leaves(path: Path) -> Iterator[Mapping[str, Dataset]]:
    """The records of each file with those above it, by their types."""
    above: dict[str, Dataset] = {}
    for record in pydicom.dcmread(path, force=True).DirectoryRecordSequence:
        kind = record.DirectoryRecordType
        above[kind if kind in ("PATIENT", "STUDY", "SERIES") else "leaf"] = record
        if "ReferencedFileID" in record:
            yield dict(above)


def _lacking(theirs: Dataset, ours: Dataset, ds: Dataset, kind: str) -> list[str]:
    """The keys that another's record of a file has, and ours has not or differs in where the file says them."""
    wrong = []
    for element in theirs:
        if f"{element.tag:08X}" not in KEYS[kind] or element.value in (None, "", []) or _of_content(element):
            continue
        if element.tag not in ours:
            wrong.append(f"{kind} {element.keyword} missing")
        elif element.VR not in ("SQ", "PN") and element.tag in ds and ds[element.tag].value == element.value:
            said, own = _plain(element.value), _plain(ours[element.tag].value)
            # Ours is a value of its VR whatever the file says.
            if int(said) != int(own) if element.VR == "IS" else said[:16] != own[:16]:
                wrong.append(f"{kind} {element.keyword} {element.value} {own}")
    return wrong


def _of_content(element: pydicom.DataElement) -> bool:
    """pydicom copies the whole content of a document."""
    return element.keyword == "ContentSequence" and not any(
        one.get("RelationshipType") == "HAS CONCEPT MOD" for one in element.value
    )


def _plain(value: Any) -> str:
    return re.sub("[:.]", "", str(value)).upper()


def of_each_class(source: str) -> Iterator[tuple[str, bytes, JsonDataset]]:
    """One file of each class that has the UIDs of its study, series and instance, and its header."""
    seen: set[str] = set()
    for name, data in files(source):
        try:
            ds = read(data)
        except Unreadable:
            continue
        sop_class = str(ds.get("00080016", {}).get("Value", [""])[0])
        if sop_class not in seen and all(ds.get(tag, {}).get("Value") for tag in ("0020000D", "0020000E", "00080018")):
            seen.add(sop_class)
            yield name, data, ds


@pytest.mark.parametrize("source", sources())
def test_real_files_are_listed_as_others_list_them(source: str, tmp_path: Path) -> None:
    """One file of each class: valid to dciodvfy, loaded by FileSet, with the keys that pydicom and dcmmkdir give."""
    tool = shutil.which("dcmmkdir")
    for number, (name, data, ds) in enumerate(of_each_class(source)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = write(folder, [ds])
            [record] = listed(path)
            assert faults(path) == [], name
            [ours] = _leaves(path)
            kind = record.DirectoryRecordType
            file = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)
            wrong = []
            try:
                theirs = {one: DIRECTORY_RECORDERS[one](file) for one in ("PATIENT", "STUDY", "SERIES", kind)}
            except (ValueError, KeyError):
                theirs = {}  # a file that pydicom refuses to list: a value of type 1 is missing
            for one, keys in theirs.items():
                wrong += _lacking(keys, ours.get(one, ours["leaf"]), file, one)
            if tool is not None:
                (folder / "FILE").write_bytes(data)
                asked = [tool, "-q", "+I", "+Nrs", "-Nxc", "-Nec", "-Nrc", "+D", "OTHER", "FILE"]
                subprocess.run(asked, cwd=folder, check=False, capture_output=True, timeout=120)
                for other in _leaves(folder / "OTHER") if (folder / "OTHER").exists() else ():
                    assert other["leaf"].DirectoryRecordType in (kind, "ANNOTATION"), name
                    for one in ("PATIENT", "STUDY", "SERIES", kind):
                        wrong += _lacking(other.get(one, other["leaf"]), ours.get(one, ours["leaf"]), file, one)
        assert wrong == [], name


@pytest.mark.parametrize("source", sources())
def test_copies_fit_on_the_directories_that_others_make(source: str) -> None:
    """What pydicom lists of an original it lists of the copy: no key of type 1 is emptied, and a Study ID is given."""
    for name, data, _ in of_each_class(source):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)
            ds.StudyID = ds.get("StudyID") or "1"
            result = deidentify(part10.parse(data), secret=SECRET)
            copy = pydicom.dcmread(io.BytesIO(whole(result, data)), force=True, stop_before_pixels=True)
            for kind in ("PATIENT", "STUDY", "SERIES", _four_level_record_type(ds)):
                try:
                    DIRECTORY_RECORDERS[kind](ds)
                except ValueError:
                    continue
                if kind == "SERIES" and len(str(ds.SeriesNumber)) >= 6:
                    continue  # such a number may be a person's, and goes then
                # Raises ValueError for what has no value.
                assert DIRECTORY_RECORDERS[kind](copy), name
