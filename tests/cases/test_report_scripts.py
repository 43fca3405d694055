"""Reports in the scripts of the world: set without gaps, as PDF/A-3 and as DICOM objects that a validator takes."""

from __future__ import annotations

import ctypes
import io
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pydicom
import pypdfium2
import pytest
from pydicom.uid import BasicTextSRStorage

from cases import report_dicom, report_pdf, report_plain, report_sr, typesetting
from cases.models import Case, Report
from cases.report_objects import Images, person_name
from cases.report_states import ReportKind
from cases.views import WrittenText
from overread.kit import fonts
from pacs.index.selection import Named
from tests.cases.pdf_objects import streams, unpacked
from tests.cases.scripts_of_the_world import WORDS, report

LANGUAGES = pytest.mark.parametrize("name", WORDS)
READ = Named("1.2.3", "1.2.3.1", "1.2.3.1.1", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.1")


def objects(name: str) -> dict[str, bytes]:
    """Both objects of a correction in a language, of one image that was read."""
    shown = report(name)
    case = Case(patient_name=WORDS[name].patient, birth_date=date(1971, 3, 9), sex="F", reference=shown.reference)
    row = Report(
        id=shown.report_id,
        kind=ReportKind.CORRECTION,
        number=2,
        published_at=shown.published_at,
        signed_at=shown.signed_at,
    )
    before, images = Report(id=UUID(int=99), kind=ReportKind.REPORT, number=1), Images(None, [READ])
    return {
        "pdf": report_dicom.encapsulated(case, row, report_pdf.render(shown), images, before),
        "sr": report_sr.structured(case, row, shown, images, before),
    }


def unknown_glyphs(text: str) -> int:
    """How many characters of a text Pango, which sets the document, finds no glyph for in any font."""
    pango, pangoft2 = ctypes.CDLL("libpango-1.0.so.0"), ctypes.CDLL("libpangoft2-1.0.so.0")
    pangoft2.pango_ft2_font_map_new.restype = ctypes.c_void_p
    pango.pango_font_map_create_context.restype = pango.pango_layout_new.restype = ctypes.c_void_p
    fontmap = ctypes.c_void_p(pangoft2.pango_ft2_font_map_new())
    context = ctypes.c_void_p(pango.pango_font_map_create_context(fontmap))
    layout = ctypes.c_void_p(pango.pango_layout_new(context))
    encoded = text.encode()
    pango.pango_layout_set_text(layout, encoded, len(encoded))
    return int(pango.pango_layout_get_unknown_glyphs_count(layout))


def squeezed(text: str) -> str:
    return "".join(text.split())


@LANGUAGES
def test_every_letter_is_set_and_the_words_can_be_taken_out_again(name: str) -> None:
    shown, words = report(name), WORDS[name]
    plain = report_plain.plain(shown)
    assert all(text in plain for text in (words.question, words.answer, words.impression, words.signer, words.study))
    assert unknown_glyphs(plain) == 0
    assert typesetting.printable(plain) == plain
    with pypdfium2.PdfDocument(report_pdf.render(shown)) as document:
        [attached] = [document.get_attachment(n) for n in range(document.count_attachments())]
        assert attached.get_data()[:] == plain.encode()
        assert attached.get_name() == "second-opinion-OV-2222-2222.txt"
        assert document.get_metadata_value("Author") == words.signer
        assert document.get_metadata_value("Title") == "Second opinion OV-2222-2222"
        text = squeezed("".join(page.get_textpage().get_text_range() for page in document))
    # Letters of Arabic and marks of Devanagari and Thai come out in the order in which they are drawn.
    if name not in ("arabic", "hindi", "thai"):
        assert all(squeezed(part) in text for part in (words.patient, words.question, words.answer, words.impression))


@LANGUAGES
def test_each_paragraph_has_its_own_direction_and_language(name: str) -> None:
    words, page = WORDS[name], report_pdf.html(report(name))
    first = words.impression.splitlines()[0]
    tagged = f' lang="{words.tag}"' if words.tag else ""
    assert f'<p class="text" dir="{"rtl" if words.rtl else "ltr"}"{tagged}>{first}</p>' in page
    assert page.count('dir="rtl"') == (6 if words.rtl else 0)
    # In whatever it stands, a line of Latin letters runs from left to right.
    assert '<p class="text" dir="ltr">ACL and PCL: intact.</p>' in page or name != "arabic"


@pytest.mark.parametrize(
    ("text", "around", "tag"),
    [
        ("直角", "左膝関節の画像", "ja"),
        ("直角", "왼쪽 무릎", "ko"),
        ("关节与骨", "", "zh-Hans"),
        ("關節與骨頭", "", "zh-Hant"),
        ("陈 Wei, born 1971", "", ""),
        ("МРТ коленного сустава", "", "und-Cyrl"),
        ("1971-03-09 (12 %)", "ไทย", ""),
        ("", "", ""),
    ],
)
def test_the_language_of_a_text_is_told_by_its_letters(text: str, around: str, tag: str) -> None:
    assert typesetting.language(text, typesetting.han(text + around)) == tag


def test_the_first_strong_character_gives_the_direction() -> None:
    assert typesetting.right_to_left("12 (؟) عظم then English")
    assert not typesetting.right_to_left("1. Bone عظم")
    assert not typesetting.right_to_left("12 %")
    assert typesetting.paragraphs("a\n\n\nb\n", "ja").count('class="text gap"') == 1


def test_what_no_font_has_is_named_and_what_shows_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "has", lambda one: one < "\u3000" or one == "\U0001f469")
    assert typesetting.printable("fine 🙂\ufe0f") == "fine [slightly smiling face]"
    assert typesetting.printable("医") == "[cjk unified ideograph-533b]"
    assert typesetting.printable("👩🏽 a\x07\ud800\U000e0001\u200db\tc") == "👩 a\u200db\tc"
    assert fonts.lacking() == (
        "No font has Chinese, Japanese, Korean: reports name such letters in words until fonts-noto-cjk is installed."
    )


def test_a_machine_without_fontconfig_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fonts.lacking() == ""

    def missing(_character: str) -> bool:
        raise OSError

    monkeypatch.setattr(fonts, "has", missing)
    assert "install libpangoft2-1.0-0" in fonts.lacking()


def test_the_document_is_a_pdf_a_3_and_the_same_each_time() -> None:
    shown = replace(report("arabic"), program="Bone & joint", texts=(WrittenText("impression", "", "", "骨 🙂 عظم"),))
    pdf = report_pdf.render(shown)
    assert pdf == report_pdf.render(shown)
    [metadata] = [one.decode() for one in streams(pdf) if b"pdfaid" in one]
    assert 'pdfaid:part="3"' in metadata or "<pdfaid:part>3<" in metadata
    assert 'pdfaid:conformance="B"' in metadata or "<pdfaid:conformance>B<" in metadata
    whole = unpacked(pdf)
    assert all(key in whole for key in (b"/OutputIntents", b"/AFRelationship", b"/Alternative", b"/MarkInfo", b"/Lang"))
    # Every font is embedded (ISO 19005-3, 6.2.11.4), and none has to show what it has no glyph for.
    described = len(re.findall(rb"/Type ?/FontDescriptor", whole))
    assert described == len(re.findall(rb"/FontFile[23]? \d+ 0 R", whole)) > 2
    assert b"/WP-Encod-0" not in whole


@LANGUAGES
def test_questions_and_answers_are_coded_items(name: str) -> None:
    ds, words = pydicom.dcmread(io.BytesIO(objects(name)["sr"])), WORDS[name]
    assert (ds.SOPClassUID, ds.Modality, ds.SpecificCharacterSet) == (BasicTextSRStorage, "SR", "ISO_IR 192")
    assert (str(ds.PatientName), ds.StudyID) == (words.patient, "OV-2222-2222")
    [verifier] = ds.VerifyingObserverSequence
    assert (verifier.VerifyingObserverName, verifier.VerifyingOrganization) == (words.signer, words.practice)
    headings = {item.ConceptNameCodeSequence[0].CodeMeaning: item for item in ds.ContentSequence}
    question, answer = headings["Request"].ContentSequence
    assert (question.TextValue, answer.TextValue) == (words.question, words.answer)
    assert [one.ConceptNameCodeSequence[0].CodeValue for one in (question, answer)] == ["question", "answer"]
    [impression] = headings["Impressions"].ContentSequence
    assert impression.TextValue.splitlines() == words.impression.splitlines()
    spoken = [one.ConceptCodeSequence[0].CodeValue for one in impression.get("ContentSequence", [])]
    assert spoken == ([words.tag] if words.tag else [])
    [[series]] = [one.ReferencedSeriesSequence for one in ds.CurrentRequestedProcedureEvidenceSequence]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == READ.sop_uid
    assert ds.PredecessorDocumentsSequence[0].StudyInstanceUID == "2.25.99"


@LANGUAGES
def test_a_validator_finds_no_error_in_either_object(name: str, tmp_path: Path) -> None:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here (Debian: dicom3tools)")
    for kind, data in objects(name).items():
        path = tmp_path / f"{kind}.dcm"
        path.write_bytes(data)
        done = subprocess.run([tool, "-new", path], capture_output=True, check=False, timeout=120)
        errors = [line for line in done.stderr.decode().splitlines() if line.startswith("Error")]
        assert [line for line in errors if not _counts_bytes(line)] == []


def _counts_bytes(line: str) -> bool:
    """Whether an error is that a value of at most 64 characters has more bytes (findings/dciodvfy-counts-bytes.sh).

    PS3.5 6.2 counts characters.
    """
    found = re.search(r"Value invalid for this VR \[(?:PN|LO)\] = <(.*)> - Length invalid .* expected <= 64", line)
    return found is not None and len(found[1]) <= 64


def test_names_that_people_type_are_person_names_of_one_component() -> None:
    assert person_name("A^B=C\\D  E") == "A B C D E"
    assert len(person_name("ก" * 200)) == 64
