"""The published report as a Basic Text SR (PS3.3 A.35.1) by TID 2000: what was asked and answered, as coded items."""

from __future__ import annotations

from collections.abc import Sequence

import pydicom
from pydicom.uid import BasicTextSRStorage

from cases.models import Case, Report
from cases.report_objects import Images, code, hierarchy, long_string, person_name, predecessor, started, written
from cases.report_plain import CHANGED, plain
from cases.typesetting import han, language
from cases.views import Answer, ReportView

#: Codes of our own, where no context group of the standard has one (PS3.16 8.2); the scheme is told in each object.
_OURS = "99OVERREAD"
_QUESTION = code("question", _OURS, "Question of the patient")
_ANSWER = code("answer", _OURS, "Answer to the question")
_CHANGE = code("change", _OURS, CHANGED)

#: The heading and the element for each text of a report, by its key: of PS3.16 CID 7001 and 7002 where they have one.
_COMPARISON = code("comparison", _OURS, "Comparison with the first report")
TEXTS = {
    "summary": (code("121111", "DCM", "Summary"), code("summary", _OURS, "Summary for the patient")),
    "impression": (code("121072", "DCM", "Impressions"), code("121073", "DCM", "Impression")),
    "agreement": (_COMPARISON, code("agreement", _OURS, "Agreement with the first report")),
    "difference": (_COMPARISON, code("difference", _OURS, "Difference from the first report")),
    "addition": (code("121078", "DCM", "Addendum"), code("121106", "DCM", "Comment")),
}
_REQUEST = code("121062", "DCM", "Request")
_PROCEDURES = code("121064", "DCM", "Current Procedure Descriptions")
_PROCEDURE = code("121065", "DCM", "Procedure Description")
_LANGUAGES = {
    "el": "Greek",
    "ja": "Japanese",
    "ko": "Korean",
    "ta": "Tamil",
    "th": "Thai",
    "zh-Hans": "Chinese, simplified",
    "zh-Hant": "Chinese, traditional",
}


def structured(case: Case, report: Report, shown: ReportView, images: Images, before: Report | None) -> bytes:
    """The Part 10 file. `shown`: the version as its patient reads it; `before`: as of `report_dicom.encapsulated`."""
    assert report.signed_at is not None
    ds = started(case, report, images.study, BasicTextSRStorage)
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.CodingSchemeIdentificationSequence = [_scheme()]
    # PS3.3 C.17.2: complete, final, and signed by whoever is named.
    ds.CompletionFlag, ds.PreliminaryFlag, ds.VerificationFlag = "COMPLETE", "FINAL", "VERIFIED"
    practice = shown.signature.practice if shown.signature else ""
    observer = pydicom.Dataset()
    observer.VerifyingObserverName = person_name(shown.signed_by)
    observer.VerifyingObserverIdentificationCodeSequence = []
    observer.VerifyingOrganization = long_string(practice) or long_string(shown.program)
    observer.VerificationDateTime = f"{report.signed_at:%Y%m%d%H%M%S}+0000"
    ds.VerifyingObserverSequence = [observer]
    ds.PerformedProcedureCodeSequence = []
    # PS3.3 C.17.2.3: the images that were read; 1C, absent where there were none.
    if images.instances:
        ds.CurrentRequestedProcedureEvidenceSequence = hierarchy(images.instances)
    if before is not None:
        ds.PredecessorDocumentsSequence = [predecessor(before, BasicTextSRStorage)]
    # The root of the tree (PS3.3 C.17.3) stands in the data set itself.
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [code("11528-7", "LN", "Radiology Report")]
    ds.ContentTemplateSequence = [_template()]
    ds.ContentSequence = [*_context(shown, practice), *_content(shown)]
    return written(ds)


def _context(shown: ReportView, practice: str) -> list[pydicom.Dataset]:
    """Who says it: a person (PS3.16 TID 1002, 1003)."""
    kind = _item("HAS OBS CONTEXT", "CODE", code("121005", "DCM", "Observer Type"))
    kind.ConceptCodeSequence = [code("121006", "DCM", "Person")]
    name = _item("HAS OBS CONTEXT", "PNAME", code("121008", "DCM", "Person Observer Name"))
    name.PersonName = person_name(shown.signed_by)
    organization = code("121009", "DCM", "Person Observer's Organization Name")
    return [kind, name, *([_text(organization, practice, "", "HAS OBS CONTEXT")] if practice else [])]


def _content(shown: ReportView) -> list[pydicom.Dataset]:
    chinese = han(plain(shown))

    def asked(one: Answer) -> pydicom.Dataset:
        return _container(_REQUEST, [_text(_QUESTION, one.question, chinese), *_texts(_ANSWER, [one.answer], chinese)])

    made = [*_texts(_CHANGE, [shown.change], chinese), *(asked(one) for one in shown.answers)]
    for text in shown.texts:
        heading, element = TEXTS[text.key]
        made += [_container(heading, [_text(element, text.text, chinese)])] if text.text else []
    if shown.studies:
        made.append(_container(_PROCEDURES, _texts(_PROCEDURE, shown.studies, chinese)))
    return made


def _item(relation: str, kind: str, name: pydicom.Dataset) -> pydicom.Dataset:
    made = pydicom.Dataset()
    made.RelationshipType, made.ValueType, made.ConceptNameCodeSequence = relation, kind, [name]
    return made


def _container(heading: pydicom.Dataset, items: Sequence[pydicom.Dataset]) -> pydicom.Dataset:
    made = _item("CONTAINS", "CONTAINER", heading)
    made.ContinuityOfContent, made.ContentSequence = "SEPARATE", list(items)
    return made


def _texts(name: pydicom.Dataset, texts: Sequence[str], chinese: str) -> list[pydicom.Dataset]:
    return [_text(name, text, chinese) for text in texts if text]


def _text(name: pydicom.Dataset, text: str, chinese: str, relation: str = "CONTAINS") -> pydicom.Dataset:
    made = _item(relation, "TEXT", name)
    # PS3.5 6.1.3: lines end with CR LF.
    made.TextValue = "\r\n".join(text.splitlines())
    if chinese and (tag := language(text, chinese)):
        # PS3.16 TID 1204, as far as the letters tell it.
        spoken = _item("HAS CONCEPT MOD", "CODE", code("121049", "DCM", "Language of Content Item and Descendants"))
        meaning = _LANGUAGES.get(tag, f"A language in {tag.removeprefix('und-')} letters")
        spoken.ConceptCodeSequence = [code(tag, "RFC5646", meaning)]
        made.ContentSequence = [spoken]
    return made


def _template() -> pydicom.Dataset:
    made = pydicom.Dataset()
    made.MappingResource, made.TemplateIdentifier = "DCMR", "2000"
    return made


def _scheme() -> pydicom.Dataset:
    made = pydicom.Dataset()
    made.CodingSchemeDesignator, made.CodingSchemeName = _OURS, "Overread: questions and answers of second opinions"
    made.CodingSchemeResponsibleOrganization = "Overread"
    return made
