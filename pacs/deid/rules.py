"""One decision for every (tag, VR): what the profile, Table E.1-1 and the VR together ask for.

The combined codes of Table E.1-1 (X/Z, X/D, X/Z/D, Z/D) depend on the attribute's type in the IOD. Without an IOD at
hand they resolve to what is valid for every type that the code allows for: X/Z to an empty value, codes with a D to
a dummy value (PS3.15 E.1, "safer").
"""

from __future__ import annotations

import re
from enum import IntEnum

from pydicom.datadict import dictionary_is_retired, dictionary_VM, keyword_for_tag

from pacs.deid.profile import Profile
from pacs.deid.table import Row, Safe, most_values, row_of
from pacs.dicom import tags
from pacs.dicom.dictionary import public_vr


class Rule(IntEnum):
    """What happens to an element."""

    KEEP = 0
    DROP = 1
    EMPTY = 2
    DUMMY = 3
    #: Mapped always, unless it names something of the standard.
    UID = 4
    #: Mapped unless it names something public: a class, a code system.
    PUBLIC_UID = 5
    #: DA, DT and TM: moved by the case's offset.
    SHIFT = 6
    #: IS and DS: kept if they hold numbers.
    NUMBER = 7
    #: CS: kept if it holds a code string.
    CODE = 8
    #: Short text of a technique or a product: kept unless it looks like a person's or is known to be.
    TEXT = 9
    #: A descriptor: cut down to the vocabulary.
    CLEAN = 10
    #: Cleaned at every depth.
    SEQUENCE = 11
    #: The same, with items that go or stay by their concept (E.3.4).
    CONTENT = 12
    AGE = 13
    PATIENT_NAME = 14
    PATIENT_ID = 15
    ACCESSION = 16
    #: Timezone Offset From UTC.
    ZONE = 17
    #: Coding Scheme Designator, which decides how far the code's meaning is trusted.
    SCHEME = 18
    MEANING = 19
    #: A sequence replaced by one item with a code that says nothing.
    DUMMY_CODE = 20
    #: Private elements are decided by their creator, not by their tag.
    PRIVATE = 21
    #: SOP classes and transfer syntaxes, vendors' own too: kept if they are UIDs at all.
    CLASS_UID = 22
    #: The name of one thing among others (a ROI, a beam, a segment): whole, or a number instead.
    NAME = 23
    #: Mapping Resource, which decides whether a version is a published one.
    RESOURCE = 24
    #: The version of a context group or template: kept if it is published, never moved.
    VERSION = 25
    #: Binary numbers of which nobody says what they are: kept unless they can be read as text.
    NUMBERS = 26
    #: Bytes that nobody can read: they stay, and the instance waits for review until a person has looked.
    REVIEW = 27
    #: The identifier of a container or a specimen.
    SPECIMEN = 28
    #: An ICC profile, written anew without its texts.
    COLOURS = 29


#: A rule, the rule that follows when nothing is left of the value, and the proof's letter for what E.1-1 asked.
Decision = tuple[Rule, Rule, str]

_KEEP: Decision = (Rule.KEEP, Rule.KEEP, "K")
_DROP: Decision = (Rule.DROP, Rule.DROP, "X")

_TEXTS = frozenset(("SH", "LO", "ST", "LT", "UC", "UT"))
_DATES = frozenset(("DA", "DT", "TM"))

#: VRs that writers mix up without harm; outside of its family an element is not what its tag says.
_FAMILIES = (
    _TEXTS | {"CS"},
    frozenset(("OB", "OW", "US", "SS")),
    frozenset(("IS", "DS")),
    frozenset(("UL", "SL", "UV", "SV")),
)

#: Attributes without a row in E.1-1 that go nonetheless.
_ALSO_DROPPED = frozenset(
    (
        tags.SpecificCharacterSet,  # the result is in UTF-8 and says so at root
        tags.LengthToEnd,  # would be wrong
        tags.DataSetSubtype,
        tags.PatientIdentityRemoved,  # written anew, as the two behind it
        tags.DeidentificationMethod,
        tags.DeidentificationMethodCodeSequence,
        tags.LongitudinalTemporalInformationModified,  # written anew
        # Who issued the accession number, the patient's ID, the order, and for whom.
        tags.IssuerOfAccessionNumberSequence,
        tags.IssuerOfPatientIDQualifiersSequence,
        tags.OrderPlacerIdentifierSequence,
        tags.OrderFillerIdentifierSequence,
        tags.AssigningFacilitySequence,
        tags.AssigningJurisdictionCodeSequence,
        tags.AssigningAgencyOrDepartmentCodeSequence,
        tags.PrivateDataElementCharacteristicsSequence,  # speaks of elements that are gone
        tags.MACParametersSequence,  # of signatures that are gone
        # In another calendar (LO), which no date shift reaches.
        tags.PatientBirthDateInAlternativeCalendar,
        tags.PatientDeathDateInAlternativeCalendar,
        tags.ResponsiblePersonRole,  # needs the person's name beside it
        tags.RecordKey,  # keys and identifiers in bytes of anybody's own, and a signature: of the original
        tags.PriorRecordKey,
        tags.ObjectBinaryIdentifierTrial,
        tags.ObjectDirectoryBinaryIdentifierTrial,
        tags.Signature,
        tags.HPGLDocument,  # drawings of an implant, which may have words in them
        0x00080202,  # retired, and said nowhere what they hold
        0x00189445,
        0x00280020,
        tags.EncryptedAttributesSequence,  # holds the original values
        tags.EncryptedContentTransferSyntaxUID,
        tags.EncryptedContent,
        # Anywhere but at root, where they are handled before any rule.
        tags.ExtendedOffsetTable,
        tags.ExtendedOffsetTableLengths,
        tags.EncapsulatedPixelDataValueTotalLength,
        tags.FloatPixelData,
        tags.DoubleFloatPixelData,
        tags.PixelData,
    )
)

#: Attributes that may not vanish or be empty where they stand (type 1 or 1C), although E.1-1 has no row for them.
_NEVER_EMPTY = frozenset((tags.TextValue, tags.TrackingID))

#: Groups whose short texts are about people, orders, printing and luggage rather than about technique.
_TYPED_GROUPS = frozenset(
    (0x0010, 0x0014, 0x0038, 0x0040, 0x0044, 0x0072, 0x0074, 0x0088, 0x0100, 0x2000, 0x2100, 0x2110, 0x2200)
).union((0x4008, 0x4010))
#: Short texts elsewhere that name one device or site.
_TYPED = frozenset((tags.DeviceID, tags.GridID, tags.NTPSourceAddress, tags.RadiationMachineName))

#: Keywords of short texts that a person types freely, wherever they stand.
_typed_keyword = re.compile(
    r".*(?:Comments?|Description|Explanation|Labels?|LabelVector|Text|Reasons\w*|Tasks|Reliability\w*|Protocols"
    r"|(?:Beam|Block|Setup|Image|Stage|Timer|Implant|Assembly\w*|Group|DataSet|Element)Names?|AdditionalPosition)"
).fullmatch

#: Of these the keywords of names: one thing is told from its neighbours by them, and half a name is another thing's.
_name_keyword = re.compile(
    r".*(?:Labels?|LabelVector|(?:ROI|Beam|Block|Setup|Stage|Timer|Implant|Assembly\w*|DataSet|Element|Plan"
    r"|StructureSet|RTImage|Entity|Wedge|HangingProtocol|TemplateGroup)Names?|TrackingID)"
).fullmatch

#: Dates of something that the patient has no part in: devices, goods, documents, committees, and what was written on
#: the way to here. Whoever knows one of them (it is printed, published, or about today) would know by its shifted value
#: how far the patient's own were moved. Their times go with them.
_DATES_OF_OTHERS = frozenset(
    (
        tags.InstanceCoercionDateTime,
        tags.ContextGroupLocalVersion,
        tags.ItemInventoryDateTime,
        tags.ExpirationDateTime,
        tags.StudyUpdateDateTime,
        tags.EthicsCommitteeApprovalEffectivenessStartDate,
        tags.EthicsCommitteeApprovalEffectivenessEndDate,
        tags.DateOfLastCalibration,
        tags.TimeOfLastCalibration,
        tags.DateTimeOfLastCalibration,
        tags.CalibrationDateTime,
        tags.DateOfManufacture,
        tags.DateOfInstallation,
        tags.DateOfLastDetectorCalibration,
        tags.TimeOfLastDetectorCalibration,
        tags.ContributionDateTime,
        tags.TemplateLocalVersion,
        tags.ProductExpirationDateTime,
        tags.EffectiveDateTime,  # of an implant's template, as the next
        tags.InformationIssueDateTime,
        tags.HangingProtocolCreationDateTime,
        tags.SOPAuthorizationDateTime,
        tags.DigitalSignatureDateTime,
        tags.AttributeModificationDateTime,
        tags.CreationDate,  # of a print session, as the next
        tags.CreationTime,
    )
)
#: Groups of industrial inspection and of baggage screening, whose dates are all of that kind.
_GROUPS_OF_OTHERS = frozenset((0x0014, 0x4010))
#: Published constants, where the resource that they are of is.
_VERSIONS = frozenset((tags.ContextGroupVersion, tags.TemplateVersion))

#: SOP Class UIDs and transfer syntaxes wherever they stand.
_CLASSES = frozenset(
    (
        tags.SOPClassUID,
        tags.RelatedGeneralSOPClassUID,
        tags.OriginalSpecializedSOPClassUID,
        0x0008005A,
        tags.SOPClassesInStudy,
        tags.ReferencedSOPClassUID,
        tags.SOPClassesSupported,
        tags.AvailableTransferSyntaxUID,
    )
)

_SPECIAL: dict[int, Decision] = {
    tags.AccessionNumber: (Rule.ACCESSION, Rule.EMPTY, "Z"),
    tags.PatientName: (Rule.PATIENT_NAME, Rule.EMPTY, "Z"),
    tags.PatientID: (Rule.PATIENT_ID, Rule.EMPTY, "D"),
    tags.CodingSchemeDesignator: (Rule.SCHEME, Rule.DUMMY, "C"),
    tags.CodeMeaning: (Rule.MEANING, Rule.DUMMY, "C"),
    tags.MappingResource: (Rule.RESOURCE, Rule.EMPTY, "Z"),
    tags.ContainerIdentifier: (Rule.SPECIMEN, Rule.DUMMY, "D"),
    tags.SpecimenIdentifier: (Rule.SPECIMEN, Rule.DUMMY, "D"),
    # Sequences whose basic action is a dummy or empty value, and for which "empty" breaks more than it protects:
    # what they hold has rows of its own.
    tags.VerifyingObserverSequence: (Rule.SEQUENCE, Rule.EMPTY, "D"),
    tags.ReferencedPerformedProcedureStepSequence: (
        Rule.SEQUENCE,
        Rule.EMPTY,
        "U",
    ),  # Referenced Performed Procedure Step Sequence
    tags.PersonIdentificationCodeSequence: (
        Rule.DUMMY_CODE,
        Rule.DUMMY_CODE,
        "D",
    ),  # Person Identification Code Sequence
    # Removed by the table, and of type 1 or 2 in their IODs: a value that says nothing keeps the object valid.
    tags.ResponsiblePerson: (Rule.EMPTY, Rule.EMPTY, "Z"),  # Responsible Person, of an animal
    tags.ResponsibleOrganization: (Rule.EMPTY, Rule.EMPTY, "Z"),
    tags.ICCProfile: (Rule.COLOURS, Rule.DROP, "C"),
    tags.SpecimenPreparationStepContentItemSequence: (
        Rule.CONTENT,
        Rule.EMPTY,
        "C",
    ),  # Specimen Preparation Step Content Item Sequence
    tags.ContentSequence: (Rule.CONTENT, Rule.EMPTY, "C"),  # Content Sequence: without the option, still by concept
}
#: The VRs that a special rule is for; the others are for texts.
_VRS = {
    **dict.fromkeys((Rule.SEQUENCE, Rule.CONTENT, Rule.DUMMY_CODE), frozenset(("SQ",))),
    Rule.COLOURS: frozenset(("OB", "OW")),
}


def decide(tag: int, vr: str, profile: Profile) -> Decision:
    """Decide by tag, the VR that the element really has, and the profile. The result can be kept for ever."""
    group, number = tag >> 16, tag & 0xFFFF
    if group & 1:
        return (Rule.PRIVATE, Rule.DROP, "X")
    if group < 0x0008 or group >= 0xFF00 or number == 0:
        return _DROP  # commands, file meta, directory records, item tags; group lengths are retired
    if 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF or tag in _ALSO_DROPPED:
        return _DROP  # curves and overlays go as a whole, their labels and positions too
    special = _SPECIAL.get(tag)
    if special is not None:
        return special if vr in _VRS.get(special[0], _TEXTS | {"PN", "CS"}) else _DROP
    row = row_of(tag)
    known = public_vr(tag)
    if row is None and (known is None or not _compatible(vr, known)):
        return _DROP
    if vr in _DATES and profile.modified_dates:
        own = _of_others(tag, vr, row)
        if own is not None:
            return own
    rule, fallback, letter = _unlisted(tag, vr, profile) if row is None else _listed(tag, vr, row, profile)
    if rule is Rule.CLEAN and vr in ("SH", "LO", "UC", "UT") and _name_keyword(keyword_for_tag(tag)):
        rule = Rule.NAME
    return (rule, fallback, letter)


def decide_private(row: Safe) -> Decision:
    """Decide for a private attribute that is listed as safe (PS3.15 E.3.10): nobody says what else may be in it."""
    if row.decision:
        return {"clean": (Rule.CLEAN, Rule.DROP, "C"), "review": (Rule.REVIEW, Rule.DROP, "C")}[row.decision]
    if row.vr in _WIDTHS:
        return (Rule.NUMBERS, Rule.DROP, "C")
    return _PRIVATE_BY_VR[row.vr]


_PRIVATE_BY_VR: dict[str, Decision] = {
    "CS": (Rule.CODE, Rule.DROP, "C"),
    "DS": (Rule.NUMBER, Rule.DROP, "C"),
    "IS": (Rule.NUMBER, Rule.DROP, "C"),
    "LO": (Rule.TEXT, Rule.DROP, "C"),
    "LT": (Rule.CLEAN, Rule.DROP, "C"),
    "SH": (Rule.TEXT, Rule.DROP, "C"),
    "SQ": (Rule.SEQUENCE, Rule.DROP, "C"),
    "ST": (Rule.CLEAN, Rule.DROP, "C"),
    "UI": (Rule.PUBLIC_UID, Rule.DROP, "U"),
}


def fits(vr: str, row: Safe) -> bool:
    """Tell whether the VR that a private element has is one that its row speaks of."""
    if vr == "UN" or not row.vr:
        return vr in _BINARY
    return any(vr == listed or _compatible(vr, listed) for listed in row.vr.split("/"))


def _of_others(tag: int, vr: str, row: Row | None) -> Decision | None:
    """Decide for a date that is not the patient's, which may not be moved by the patient's offset; None for theirs."""
    without = Rule.DROP if row is None else _VALID.get(tag) or _basic(vr, row.basic)
    if tag in _VERSIONS:
        return (Rule.VERSION, without, "C")
    if tag in _DATES_OF_OTHERS or tag >> 16 in _GROUPS_OF_OTHERS:
        return (without, without, _LETTERS[without])
    return None


def _compatible(vr: str, known: str) -> bool:
    if vr == known or vr in known.split(" or "):
        return True
    return any(vr in family and any(one in family for one in known.split(" or ")) for family in _FAMILIES)


def _listed(tag: int, vr: str, row: Row, profile: Profile) -> Decision:
    fallback = _VALID.get(tag) or _basic(vr, row.basic)
    active = {option: action for option, action in row.options.items() if option in profile.options()}
    if "retain_longitudinal_modified_dates" in active or "retain_longitudinal_full_dates" in active:
        if vr in _DATES:
            return (Rule.SHIFT, fallback, "C")
        if tag == tags.TimezoneOffsetFromUTC and vr == "SH":
            return (Rule.ZONE, fallback, "C")
    if "retain_patient_characteristics" in active:
        if vr in _TEXTS:
            return (Rule.CLEAN, fallback, "C")
        # What the standard retains is of a kind that the VR's own rule judges: AS, CS, DS, SQ, US.
        return _unlisted(tag, vr, profile)
    if "K" in (active.get("retain_device_identity"), active.get("retain_institution_identity")):
        if vr in _TEXTS:
            return (Rule.TEXT, fallback, "C")
        if vr == "UI":
            return (Rule.CLASS_UID, fallback, "K")
        return _unlisted(tag, vr, profile)
    if "clean_descriptors" in active:
        if vr in _TEXTS or vr == "CS":
            return (Rule.CLEAN, fallback, "C")
        if vr == "SQ":
            return (Rule.SEQUENCE, fallback, "C")
    if "clean_structured_content" in active and vr == "SQ":
        return (Rule.CONTENT, fallback, "C")
    if "clean_graphics" in active and vr == "SQ":
        return (Rule.SEQUENCE, fallback, "C")
    if row.basic == "U" or (vr == "UI" and "D" in row.basic):  # no dummy fits a UID but another UID
        return (Rule.UID, Rule.DROP, "U") if vr == "UI" else _DROP
    if row.basic == "X/Z/U*" and vr == "SQ":
        return (Rule.SEQUENCE, Rule.EMPTY, "U")
    return (fallback, fallback, _LETTERS[fallback])


#: Where the type in the IOD is known, what is valid instead of a removal.
_VALID: dict[int, Rule] = {
    tags.AcquisitionContextSequence: Rule.EMPTY,  # Acquisition Context Sequence, type 2 (PS3.3 C.7.6.14)
    tags.PresentationCreationDate: Rule.DUMMY,  # Presentation Creation Date and Time, type 1 (PS3.3 C.11.10)
    tags.PresentationCreationTime: Rule.DUMMY,
}
_LETTERS = {Rule.DROP: "X", Rule.EMPTY: "Z", Rule.DUMMY: "D"}


def _basic(vr: str, code: str) -> Rule:
    """Resolve a basic action to one that is valid whatever the attribute's type."""
    if code == "X" or code.startswith("U"):
        return Rule.DROP
    if "D" in code:
        # No dummy item fits every sequence, and a dummy of unknown bytes says nothing: both go.
        return Rule.DROP if vr in ("SQ", "UN") else Rule.DUMMY
    # X/Z: an empty value is valid, an empty sequence is not where the attribute is optional.
    return Rule.DROP if vr == "SQ" and code == "X/Z" else Rule.EMPTY


_BY_VR: dict[str, Decision] = {
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"), _KEEP),
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "OV"), _KEEP),
    "IS": (Rule.NUMBER, Rule.EMPTY, "Z"),
    "DS": (Rule.NUMBER, Rule.EMPTY, "Z"),
    "CS": (Rule.CODE, Rule.EMPTY, "Z"),
    "AS": (Rule.AGE, Rule.DROP, "C"),
    "UI": (Rule.PUBLIC_UID, Rule.DROP, "U"),
    "SQ": (Rule.SEQUENCE, Rule.EMPTY, "K"),
    **dict.fromkeys(("SH", "LO", "UC"), (Rule.TEXT, Rule.DUMMY, "C")),
    **dict.fromkeys(("ST", "LT", "UT"), (Rule.CLEAN, Rule.DROP, "C")),
    **dict.fromkeys(("DA", "DT", "TM"), (Rule.SHIFT, Rule.DROP, "C")),
    # A VR that names people or places, on an attribute that the table does not know: type 2 at most.
    "PN": (Rule.EMPTY, Rule.EMPTY, "Z"),
}


def _unlisted(tag: int, vr: str, profile: Profile) -> Decision:
    if vr in _DATES and not profile.keeps_dates:
        return _DROP
    if tag in _CLASSES and vr == "UI":
        return (Rule.CLASS_UID, Rule.DROP, "U")
    if tag in _NEVER_EMPTY and vr in _TEXTS:
        return (Rule.CLEAN, Rule.DUMMY, "C")
    if vr in ("SH", "LO", "UC") and _is_typed(tag):
        return (Rule.CLEAN, Rule.DUMMY, "C")
    return _BY_VR.get(vr, _DROP)  # AE, UR, UN


def _is_typed(tag: int) -> bool:
    if tag >> 16 in _TYPED_GROUPS or tag in _TYPED or dictionary_is_retired(tag):
        return True
    return _typed_keyword(keyword_for_tag(tag)) is not None


#: Values that fit a VR and say nothing (PS3.15 E.1, action D).
DUMMIES: dict[str, bytes] = {
    "AE": b"REMOVED",
    "AS": b"000D",
    "CS": b"REMOVED",
    "DA": b"19000101",
    "DS": b"0",
    "DT": b"19000101000000",
    "IS": b"0",
    "LO": b"REMOVED",
    "LT": b"REMOVED",
    "OB": b"\0\0",
    "OW": b"\0\0",
    "PN": b"Removed",
    "SH": b"REMOVED",
    "ST": b"REMOVED",
    "TM": b"000000",
    "UC": b"REMOVED",
    "UR": b"urn:removed",
    "US": b"\0\0",
    "UT": b"REMOVED",
}

_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "UV": 8, "SV": 8}


#: VRs that a row without one may have in a file: none of text, none with data sets inside.
_BINARY = frozenset(_WIDTHS) | {"UN", "OB", "OW", "OF", "OD", "OL", "OV"}
#: The most characters of one number in text: twice what PS3.5 6.2 allows, as writers do.
_TEXT_WIDTHS = {"DS": 33, "IS": 25}


def largest_length(tag: int, vr: str) -> int:
    """Give the bytes that a binary number of the dictionary's multiplicity may have at most, 0 for any number."""
    width = _WIDTHS.get(vr)
    if width is None or tag >> 16 & 1:
        return 0
    try:
        return most_values(dictionary_VM(tag)) * width
    except KeyError:
        return 0


def largest_private(row: Safe) -> int:
    """Give the bytes that the numbers of a private attribute may have at most, 0 for any number and what is none."""
    return row.most * (_WIDTHS.get(row.vr) or _TEXT_WIDTHS.get(row.vr, 0))
