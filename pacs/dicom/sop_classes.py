"""Every storage SOP class of the standard (PS3.6 A, PS3.4 B.5): what its objects are, and what is made of images.

The one table of them. A class that is not in it is younger than the table, private or no storage class.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What an object is to who looks at it."""

    IMAGE = "image"
    #: An image class whose objects are films; in a transfer syntax of pictures they are images.
    VIDEO = "video"
    #: A presentation state: a picture of the images that it names.
    STATE = "state"
    TEXT = "text"
    DOCUMENT = "document"
    #: Nothing that has a picture of its own.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SopClass:
    """A row of the table."""

    uid: str
    keyword: str
    kind: Kind
    #: The type of its directory record (PS3.3 F.4), where that is not told by what an object holds.
    record: str = ""
    #: Whether it is made of images and shows none of its own: what a specialist may send back to a case.
    evidence: bool = False


_STORAGE = "1.2.840.10008.5.1.4.1.1."
#: Below these roots are, of later editions too, encapsulated documents, sound and secondary captures.
DOCUMENTS = f"{_STORAGE}104."
AUDIO = f"{_STORAGE}9.4."
SECONDARY_CAPTURE = f"{_STORAGE}7"
MEDIA_DIRECTORY: Final = "1.2.840.10008.1.3.10"
#: Unified Procedure Steps, which are no storage classes: work items, and what is told of them (PS3.4 CC.3.1).
UPS_PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
UPS_EVENT: Final = "1.2.840.10008.5.1.4.34.6.4"


def _rows(kind: Kind, record: str, table: str) -> list[SopClass]:
    """A row a line: number and keyword; `*` where it is evidence."""
    lines = (line.split() for line in table.strip().splitlines())
    return [
        SopClass(number if number.startswith("1.2.840.") else _STORAGE + number, keyword, kind, record, bool(star))
        for number, keyword, *star in lines
    ]


_ROWS: list[SopClass] = [
    *_rows(
        Kind.IMAGE,
        "",
        """
        1.2.840.10008.5.1.1.29 HardcopyGrayscaleImageStorage
        1.2.840.10008.5.1.1.30 HardcopyColorImageStorage
        1 ComputedRadiographyImageStorage
        1.1 DigitalXRayImageStorageForPresentation
        1.1.1 DigitalXRayImageStorageForProcessing
        1.2 DigitalMammographyXRayImageStorageForPresentation
        1.2.1 DigitalMammographyXRayImageStorageForProcessing
        1.3 DigitalIntraOralXRayImageStorageForPresentation
        1.3.1 DigitalIntraOralXRayImageStorageForProcessing
        2 CTImageStorage
        2.1 EnhancedCTImageStorage
        2.2 LegacyConvertedEnhancedCTImageStorage
        3 UltrasoundMultiFrameImageStorageRetired
        3.1 UltrasoundMultiFrameImageStorage
        4 MRImageStorage
        4.1 EnhancedMRImageStorage
        4.3 EnhancedMRColorImageStorage
        4.4 LegacyConvertedEnhancedMRImageStorage
        5 NuclearMedicineImageStorageRetired
        6 UltrasoundImageStorageRetired
        6.1 UltrasoundImageStorage
        6.2 EnhancedUSVolumeStorage
        6.3 PhotoacousticImageStorage
        7 SecondaryCaptureImageStorage
        7.1 MultiFrameSingleBitSecondaryCaptureImageStorage
        7.2 MultiFrameGrayscaleByteSecondaryCaptureImageStorage
        7.3 MultiFrameGrayscaleWordSecondaryCaptureImageStorage
        7.4 MultiFrameTrueColorSecondaryCaptureImageStorage
        12.1 XRayAngiographicImageStorage
        12.1.1 EnhancedXAImageStorage
        12.2 XRayRadiofluoroscopicImageStorage
        12.2.1 EnhancedXRFImageStorage
        12.3 XRayAngiographicBiPlaneImageStorage
        13.1.1 XRay3DAngiographicImageStorage
        13.1.2 XRay3DCraniofacialImageStorage
        13.1.3 BreastTomosynthesisImageStorage
        13.1.4 BreastProjectionXRayImageStorageForPresentation
        13.1.5 BreastProjectionXRayImageStorageForProcessing
        14.1 IntravascularOpticalCoherenceTomographyImageStorageForPresentation
        14.2 IntravascularOpticalCoherenceTomographyImageStorageForProcessing
        20 NuclearMedicineImageStorage
        30 ParametricMapStorage *
        66.4 SegmentationStorage *
        77.1 VLImageStorageTrial
        77.2 VLMultiFrameImageStorageTrial
        77.1.1 VLEndoscopicImageStorage
        77.1.2 VLMicroscopicImageStorage
        77.1.3 VLSlideCoordinatesMicroscopicImageStorage
        77.1.4 VLPhotographicImageStorage
        77.1.5.1 OphthalmicPhotography8BitImageStorage
        77.1.5.2 OphthalmicPhotography16BitImageStorage
        77.1.5.4 OphthalmicTomographyImageStorage
        77.1.5.5 WideFieldOphthalmicPhotographyStereographicProjectionImageStorage
        77.1.5.6 WideFieldOphthalmicPhotography3DCoordinatesImageStorage
        77.1.5.7 OphthalmicOpticalCoherenceTomographyEnFaceImageStorage
        77.1.5.8 OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage
        77.1.6 VLWholeSlideMicroscopyImageStorage
        77.1.7 DermoscopicPhotographyImageStorage
        77.1.8 ConfocalMicroscopyImageStorage
        77.1.9 ConfocalMicroscopyTiledPyramidalImageStorage
        81.1 OphthalmicThicknessMapStorage
        82.1 CornealTopographyMapStorage
        128 PositronEmissionTomographyImageStorage
        128.1 LegacyConvertedEnhancedPETImageStorage
        130 EnhancedPETImageStorage
        481.1 RTImageStorage
        481.23 EnhancedRTImageStorage
        481.24 EnhancedContinuousRTImageStorage
        501.1 DICOSCTImageStorage
        501.2.1 DICOSDigitalXRayImageStorageForPresentation
        501.2.2 DICOSDigitalXRayImageStorageForProcessing
        501.4 DICOS2DAITStorage
        501.5 DICOS3DAITStorage
        501.6 DICOSQuadrupoleResonanceStorage
        601.1 EddyCurrentImageStorage
        601.2 EddyCurrentMultiFrameImageStorage
        66.7 LabelMapSegmentationStorage *
        66.8 HeightMapSegmentationStorage *
        """,
    ),
    *_rows(
        Kind.IMAGE,
        "RT DOSE",
        """
        481.2 RTDoseStorage
        """,
    ),
    *_rows(
        Kind.VIDEO,
        "",
        """
        77.1.1.1 VideoEndoscopicImageStorage
        77.1.2.1 VideoMicroscopicImageStorage
        77.1.4.1 VideoPhotographicImageStorage
        """,
    ),
    *_rows(
        Kind.STATE,
        "PRESENTATION",
        """
        11.1 GrayscaleSoftcopyPresentationStateStorage *
        11.2 ColorSoftcopyPresentationStateStorage *
        11.3 PseudoColorSoftcopyPresentationStateStorage *
        11.4 BlendingSoftcopyPresentationStateStorage *
        11.5 XAXRFGrayscaleSoftcopyPresentationStateStorage *
        11.6 GrayscalePlanarMPRVolumetricPresentationStateStorage
        11.7 CompositingPlanarMPRVolumetricPresentationStateStorage
        11.8 AdvancedBlendingPresentationStateStorage *
        11.9 VolumeRenderingVolumetricPresentationStateStorage
        11.10 SegmentedVolumeRenderingVolumetricPresentationStateStorage
        11.11 MultipleVolumeRenderingVolumetricPresentationStateStorage
        11.12 VariableModalityLUTSoftcopyPresentationStateStorage
        """,
    ),
    *_rows(
        Kind.TEXT,
        "",
        """
        88.1 TextSRStorageTrial
        88.2 AudioSRStorageTrial
        88.3 DetailSRStorageTrial
        88.4 ComprehensiveSRStorageTrial
        """,
    ),
    *_rows(
        Kind.TEXT,
        "SR DOCUMENT",
        """
        88.11 BasicTextSRStorage *
        88.22 EnhancedSRStorage *
        88.33 ComprehensiveSRStorage *
        88.34 Comprehensive3DSRStorage *
        88.35 ExtensibleSRStorage *
        88.40 ProcedureLogStorage
        88.50 MammographyCADSRStorage *
        88.65 ChestCADSRStorage *
        88.67 XRayRadiationDoseSRStorage
        88.68 RadiopharmaceuticalRadiationDoseSRStorage
        88.69 ColonCADSRStorage *
        88.70 ImplantationPlanSRStorage
        88.71 AcquisitionContextSRStorage
        88.72 SimplifiedAdultEchoSRStorage
        88.73 PatientRadiationDoseSRStorage
        88.74 PlannedImagingAgentAdministrationSRStorage
        88.75 PerformedImagingAgentAdministrationSRStorage
        88.76 EnhancedXRayRadiationDoseSRStorage
        88.77 WaveformAnnotationSRStorage
        """,
    ),
    *_rows(
        Kind.TEXT,
        "KEY OBJECT DOC",
        """
        88.59 KeyObjectSelectionDocumentStorage *
        """,
    ),
    *_rows(
        Kind.DOCUMENT,
        "ENCAP DOC",
        """
        104.1 EncapsulatedPDFStorage *
        104.2 EncapsulatedCDAStorage
        104.3 EncapsulatedSTLStorage
        104.4 EncapsulatedOBJStorage
        104.5 EncapsulatedMTLStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "",
        """
        1.2.840.10008.5.1.1.27 StoredPrintStorage
        8 StandaloneOverlayStorage
        9 StandaloneCurveStorage
        9.1 WaveformStorageTrial
        10 StandaloneModalityLUTStorage
        11 StandaloneVOILUTStorage
        91.1 MicroscopyBulkSimpleAnnotationsStorage *
        129 StandalonePETCurveStorage
        200.1 CTDefinedProcedureProtocolStorage
        200.2 CTPerformedProcedureProtocolStorage
        200.3 ProtocolApprovalStorage
        200.7 XADefinedProcedureProtocolStorage
        200.8 XAPerformedProcedureProtocolStorage
        201.1 InventoryStorage
        501.3 DICOSThreatDetectionReportStorage
        1.2.840.10008.5.1.4.34.1 RTBeamsDeliveryInstructionStorageTrial
        1.2.840.10008.5.1.4.38.1 HangingProtocolStorage
        1.2.840.10008.5.1.4.39.1 ColorPaletteStorage
        1.2.840.10008.5.1.4.43.1 GenericImplantTemplateStorage
        1.2.840.10008.5.1.4.44.1 ImplantAssemblyTemplateStorage
        1.2.840.10008.5.1.4.45.1 ImplantTemplateGroupStorage
        9.100.1 WaveformPresentationStateStorage *
        9.100.2 WaveformAcquisitionPresentationStateStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "SPECTROSCOPY",
        """
        4.2 MRSpectroscopyStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "WAVEFORM",
        """
        9.1.1 TwelveLeadECGWaveformStorage
        9.1.2 GeneralECGWaveformStorage
        9.1.3 AmbulatoryECGWaveformStorage
        9.1.4 General32bitECGWaveformStorage
        9.2.1 HemodynamicWaveformStorage
        9.3.1 CardiacElectrophysiologyWaveformStorage
        9.4.1 BasicVoiceAudioWaveformStorage
        9.4.2 GeneralAudioWaveformStorage
        9.5.1 ArterialPulseWaveformStorage
        9.6.1 RespiratoryWaveformStorage
        9.6.2 MultichannelRespiratoryWaveformStorage
        9.7.1 RoutineScalpElectroencephalogramWaveformStorage
        9.7.2 ElectromyogramWaveformStorage
        9.7.3 ElectrooculogramWaveformStorage
        9.7.4 SleepElectroencephalogramWaveformStorage
        9.8.1 BodyPositionWaveformStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "RAW DATA",
        """
        66 RawDataStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "REGISTRATION",
        """
        66.1 SpatialRegistrationStorage *
        66.3 DeformableSpatialRegistrationStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "FIDUCIAL",
        """
        66.2 SpatialFiducialsStorage *
        """,
    ),
    *_rows(
        Kind.OTHER,
        "SURFACE",
        """
        66.5 SurfaceSegmentationStorage *
        """,
    ),
    *_rows(
        Kind.OTHER,
        "TRACT",
        """
        66.6 TractographyResultsStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "VALUE MAP",
        """
        67 RealWorldValueMappingStorage *
        """,
    ),
    *_rows(
        Kind.OTHER,
        "SURFACE SCAN",
        """
        68.1 SurfaceScanMeshStorage
        68.2 SurfaceScanPointCloudStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "STEREOMETRIC",
        """
        77.1.5.3 StereometricRelationshipStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "MEASUREMENT",
        """
        78.1 LensometryMeasurementsStorage
        78.2 AutorefractionMeasurementsStorage
        78.3 KeratometryMeasurementsStorage
        78.4 SubjectiveRefractionMeasurementsStorage
        78.5 VisualAcuityMeasurementsStorage
        78.7 OphthalmicAxialMeasurementsStorage
        78.8 IntraocularLensCalculationsStorage
        80.1 OphthalmicVisualFieldStaticPerimetryMeasurementsStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "SR DOCUMENT",
        """
        78.6 SpectaclePrescriptionReportStorage
        79.1 MacularGridThicknessAndVolumeReportStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "ASSESSMENT",
        """
        90.1 ContentAssessmentResultsStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "PRESENTATION",
        """
        131 BasicStructuredDisplayStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "RT STRUCTURE SET",
        """
        481.3 RTStructureSetStorage *
        """,
    ),
    *_rows(
        Kind.OTHER,
        "RT TREAT RECORD",
        """
        481.4 RTBeamsTreatmentRecordStorage
        481.6 RTBrachyTreatmentRecordStorage
        481.7 RTTreatmentSummaryRecordStorage
        481.9 RTIonBeamsTreatmentRecordStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "RT PLAN",
        """
        481.5 RTPlanStorage
        481.8 RTIonPlanStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "RADIOTHERAPY",
        """
        481.10 RTPhysicianIntentStorage
        481.11 RTSegmentAnnotationStorage
        481.12 RTRadiationSetStorage
        481.13 CArmPhotonElectronRadiationStorage
        481.14 TomotherapeuticRadiationStorage
        481.15 RoboticArmRadiationStorage
        481.16 RTRadiationRecordSetStorage
        481.17 RTRadiationSalvageRecordStorage
        481.18 TomotherapeuticRadiationRecordStorage
        481.19 CArmPhotonElectronRadiationRecordStorage
        481.20 RoboticRadiationRecordStorage
        481.21 RTRadiationSetDeliveryInstructionStorage
        481.22 RTTreatmentPreparationStorage
        481.25 RTPatientPositionAcquisitionInstructionStorage
        """,
    ),
    *_rows(
        Kind.OTHER,
        "PLAN",
        """
        1.2.840.10008.5.1.4.34.7 RTBeamsDeliveryInstructionStorage
        1.2.840.10008.5.1.4.34.10 RTBrachyApplicationSetupDeliveryInstructionStorage
        """,
    ),
]

#: By UID.
TABLE: dict[str, SopClass] = {row.uid: row for row in _ROWS}
_BY_KEYWORD = {row.keyword: row.uid for row in _ROWS}


def uid(keyword: str) -> str:
    """The UID of a storage class. Raises KeyError."""
    return _BY_KEYWORD[keyword]


EVIDENCE = frozenset(row.uid for row in _ROWS if row.evidence)
STATES = frozenset(row.uid for row in _ROWS if row.kind is Kind.STATE)
VIDEO = frozenset(row.uid for row in _ROWS if row.kind is Kind.VIDEO)
ULTRASOUND = frozenset(
    row.uid for row in _ROWS if "Ultrasound" in row.keyword or row.keyword == "EnhancedUSVolumeStorage"
)
