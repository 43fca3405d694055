"""`overread import`: folders, ZIP archives and DICOMDIRs, what it refuses, and that it goes on where it was stopped."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet
from pydicom.uid import UID, generate_uid
from sqlalchemy import func, select
from typer.testing import CliRunner

from overread import cli
from overread.commands import importing
from overread.commands.importing import Tally, import_paths
from overread.kit.db import Database
from overread.kit.settings import Settings
from pacs.index.models import Instance
from pacs.views.batch import Batch


def sample() -> bytes:
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def varied(number: int = 0) -> bytes:
    """Another instance of the same series."""
    ds = pydicom.dcmread(io.BytesIO(sample()))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["import", str(number)])
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=database_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return path


def file_set(folder: Path, *members: bytes) -> None:
    """A folder with a DICOMDIR, as on a CD."""
    made = FileSet()
    for data in members:
        made.add(pydicom.dcmread(io.BytesIO(data)))
    made.write(folder)
    # pydicom would leave that to the collector, with a warning.
    made._stage["t"].cleanup()


def counts(tally: Tally) -> tuple[int, int, int]:
    return tally.stored, tally.present, tally.refused.total()


def kept(settings: Settings, database: Database) -> int:
    """The number of instances; nothing half-written may be left beside them."""
    assert list((settings.blob_dir / "incoming").iterdir()) == []
    with database.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(Instance)) or 0


def test_a_folder_is_imported_and_the_rest_is_named_by_reason(
    settings: Settings, database: Database, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "noextension").write_bytes(varied(1))
    (folder / "one.dcm").write_bytes(varied(2))
    (folder / "empty").write_bytes(b"")
    (folder / "readme.pdf").write_bytes(b"%PDF-1.4" + bytes(500))
    (folder / "cut.dcm").write_bytes(varied(3)[:-500])
    (folder / "outside").symlink_to(folder.parent, target_is_directory=True)
    (folder / "link.dcm").symlink_to(folder / "one.dcm")
    tally = import_paths(settings, [folder])
    assert counts(tally) == (2, 0, 3)
    assert any("PDF" in sentence for sentence in tally.refused)
    assert kept(settings, database) == 2
    shown = capsys.readouterr().err
    assert "2 stored, 0 here already, 3 refused" in shown
    assert f"{folder / 'readme.pdf'}: " in shown


def test_a_second_run_writes_nothing(
    settings: Settings, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (folder / f"{number}.dcm").write_bytes(varied(number))
    assert counts(import_paths(settings, [folder])) == (5, 0, 0)
    (folder / "new.dcm").write_bytes(varied(5))
    written: list[int] = []
    write = Batch.write

    def counted(self: Batch, data: bytes | memoryview) -> None:
        written.append(len(data))
        write(self, data)

    monkeypatch.setattr(Batch, "write", counted)
    assert counts(import_paths(settings, [folder])) == (1, 5, 0)
    assert len(written) == 1, "only the new file is copied"
    assert kept(settings, database) == 6


def test_it_goes_on_where_it_was_stopped(
    settings: Settings, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (folder / f"{number}.dcm").write_bytes(varied(number))
    finish = Batch.finish
    calls: list[int] = []

    def stopped(self: Batch) -> None:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        finish(self)

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "finish", stopped)
        with pytest.raises(KeyboardInterrupt):
            import_paths(settings, [folder])
    assert kept(settings, database) == 3
    assert counts(import_paths(settings, [folder])) == (3, 3, 0)
    assert kept(settings, database) == 6


def test_the_same_object_in_another_container_is_here_already(
    settings: Settings, database: Database, folder: Path
) -> None:
    data = varied(1)
    (folder / "a.dcm").write_bytes(data)
    import_paths(settings, [folder])
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.file_meta.ImplementationVersionName = "CD_WRITER_2"
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")  # as tools leave it that give objects other UIDs
    ds.save_as(folder / "a.dcm", enforce_file_format=False)
    assert counts(import_paths(settings, [folder])) == (0, 1, 0)
    assert kept(settings, database) == 1


def test_changed_content_under_a_known_uid_is_refused_not_skipped(
    settings: Settings, database: Database, folder: Path
) -> None:
    data = varied(1)
    (folder / "a.dcm").write_bytes(data)
    import_paths(settings, [folder])
    at = len(data) - 1000  # a pixel
    (folder / "a.dcm").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    tally = import_paths(settings, [folder])
    assert counts(tally) == (0, 0, 1)
    assert any("first one was kept" in sentence for sentence in tally.refused)


def test_a_zip_archive_is_streamed_entry_by_entry(
    settings: Settings, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_GROUP", 2)
    archive = zipped(
        folder / "study.zip", *((f"DICOM/S1/IM{number}", varied(number)) for number in range(5)), ("notes.txt", b"hi")
    )
    (folder / "plain.dcm").write_bytes(varied(9))
    assert counts(import_paths(settings, [folder])) == (6, 0, 1)
    assert counts(import_paths(settings, [archive])) == (0, 5, 1)
    assert kept(settings, database) == 6
    assert sorted(path.name for path in folder.iterdir()) == ["plain.dcm", "study.zip"]


@pytest.mark.parametrize("name", ["../escape.dcm", "/etc/escape.dcm", "a/../../escape.dcm", "C:\\escape.dcm"])
def test_a_zip_entry_that_names_a_place_outside_is_refused(
    settings: Settings, database: Database, folder: Path, name: str
) -> None:
    tally = import_paths(settings, [zipped(folder / "slip.zip", (name, varied(1)), ("good.dcm", varied(2)))])
    assert counts(tally) == (1, 0, 1)
    assert "leads out" in next(iter(tally.refused))
    assert not list(folder.parent.rglob("escape.dcm"))


def test_links_and_encrypted_entries_are_refused(settings: Settings, database: Database, folder: Path) -> None:
    link = zipfile.ZipInfo("link.dcm")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    archive = zipped(folder / "a.zip", (link, b"/etc/passwd"), ("secret.dcm", varied(1)), ("good.dcm", varied(2)))
    raw = bytearray(archive.read_bytes())
    for position in (raw.index(b"secret.dcm") - 30 + 6, raw.rindex(b"secret.dcm") - 46 + 8):
        raw[position] |= 1
    archive.write_bytes(raw)
    tally = import_paths(settings, [archive])
    assert counts(tally) == (1, 0, 2)
    assert {word for sentence in tally.refused for word in ("link", "encrypted") if word in sentence} == {
        "link",
        "encrypted",
    }


def test_entries_that_overlap_are_refused_as_a_whole(settings: Settings, database: Database, folder: Path) -> None:
    archive = zipped(folder / "overlap.zip", ("a.dcm", varied(1)), ("b.dcm", varied(2)))
    raw = bytearray(archive.read_bytes())
    second = raw.rindex(b"b.dcm") - 46
    assert raw[second : second + 4] == b"PK\x01\x02"
    # The directory's second entry is made to share the first one's bytes.
    raw[second + 42 : second + 46] = struct.pack("<I", 0)
    archive.write_bytes(raw)
    tally = import_paths(settings, [archive])
    assert counts(tally) == (0, 0, 1)
    assert "overlap" in next(iter(tally.refused))
    assert kept(settings, database) == 0


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    settings: Settings, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overread.commands.import_sources._MAX_TOTAL", 1 << 20)
    tally = import_paths(settings, [zipped(folder / "bomb.zip", ("zeros.dcm", bytes(8 << 20)))])
    assert counts(tally) == (0, 0, 1)
    assert "unpack to 8388608 bytes" in next(iter(tally.refused))


def test_an_entry_that_lies_about_its_size_or_is_damaged_is_refused(
    settings: Settings, database: Database, folder: Path
) -> None:
    archive = zipped(folder / "a.zip", ("bad.dcm", varied(1)), ("good.dcm", varied(2)))
    raw = bytearray(archive.read_bytes())
    raw[2000] ^= 0xFF
    archive.write_bytes(raw)
    tally = import_paths(settings, [archive])
    assert counts(tally) == (1, 0, 1)
    assert "ZIP entry can't be read" in next(iter(tally.refused))
    assert kept(settings, database) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04" + bytes(100), "no directory"),
        (b"PK\x05\x06" + bytes(8) + b"\xff\xff\xff\x7f" + bytes(6), "directory has more than"),
        (b"PK\x05\x06" + bytes(8) + struct.pack("<II", 5000, 0) + bytes(2), "can't be read"),
    ],
)
def test_a_broken_archive_is_one_refusal(settings: Settings, folder: Path, data: bytes, words: str) -> None:
    (folder / "broken.zip").write_bytes(data)
    tally = import_paths(settings, [folder])
    assert counts(tally) == (0, 0, 1)
    assert words in next(iter(tally.refused))


def test_a_zip64_directory_is_measured_too(settings: Settings, folder: Path) -> None:
    record = b"PK\x06\x06" + struct.pack("<Q", 44) + bytes(28) + struct.pack("<QQ", 1 << 40, 0)
    locator = b"PK\x06\x07" + bytes(4) + struct.pack("<Q", 4) + bytes(4)
    end = b"PK\x05\x06" + bytes(8) + b"\xff" * 8 + bytes(2)
    (folder / "big.zip").write_bytes(b"PK\x03\x04" + record + locator + end)
    tally = import_paths(settings, [folder])
    assert "directory has more than" in next(iter(tally.refused))


def test_a_dicomdir_is_followed_within_its_folder(settings: Settings, database: Database, folder: Path) -> None:
    file_set(folder / "cd", *(varied(number) for number in range(3)))
    (folder / "cd" / "unlisted.dcm").write_bytes(varied(7))
    assert counts(import_paths(settings, [folder / "cd" / "DICOMDIR"])) == (3, 0, 0)
    assert counts(import_paths(settings, [folder / "cd"])) == (1, 3, 0)


@pytest.mark.parametrize("reference", [["..", "OUT.DCM"], ["/OUT.DCM"], ["LINK", "OUT.DCM"], ["LINKED.DCM"], ["NONE"]])
def test_a_dicomdir_that_points_elsewhere_is_not_followed(
    settings: Settings, database: Database, folder: Path, reference: list[str]
) -> None:
    file_set(folder / "cd", varied(1))
    (folder / "OUT.DCM").write_bytes(varied(2))
    (folder / "cd" / "LINK").symlink_to(folder, target_is_directory=True)
    (folder / "cd" / "LINKED.DCM").symlink_to(folder / "OUT.DCM")
    dicomdir = pydicom.dcmread(folder / "cd" / "DICOMDIR")
    for record in dicomdir.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            with pydicom.config.disable_value_validation():
                record.ReferencedFileID = reference
    dicomdir.save_as(folder / "cd" / "DICOMDIR")
    tally = import_paths(settings, [folder / "cd" / "DICOMDIR"])
    assert counts(tally) == (0, 0, 1)
    assert "not in its folder" in next(iter(tally.refused))
    assert kept(settings, database) == 0


@pytest.mark.parametrize("data", [b"", b"no DICOM at all", sample()])
def test_a_dicomdir_that_is_none_is_refused(settings: Settings, folder: Path, data: bytes) -> None:
    (folder / "DICOMDIR").write_bytes(data)
    assert counts(import_paths(settings, [folder / "DICOMDIR"])) == (0, 0, 1)


def test_what_is_not_there_is_refused_in_words(settings: Settings, folder: Path) -> None:
    tally = import_paths(settings, [folder / "nothing\n\x1b[2J"])
    assert list(tally.refused) == ["There is no such file."]


@pytest.mark.parametrize(("refused", "code"), [(0, 0), (2, 1)])
def test_the_command_exits_with_1_where_something_was_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, refused: int, code: int
) -> None:
    asked: list[object] = []

    def fake(chosen: Settings, paths: object) -> Tally:
        asked.append(paths)
        return Tally(stored=1, refused=Counter({"why": refused} if refused else {}))

    monkeypatch.setattr(importing, "import_paths", fake)
    monkeypatch.setattr(cli, "database", lambda _: nullcontext(settings))
    assert CliRunner().invoke(cli.app, ["import", "a", "b"]).exit_code == code
    assert asked == [[Path("a"), Path("b")]]


def test_the_corpus_is_imported(settings: Settings, database: Database, corpus: Path) -> None:
    part = corpus / "pydicom"
    first = import_paths(settings, [part])
    assert first.stored > 50
    second = import_paths(settings, [part])
    assert second.stored == 0
    assert second.present == first.stored + first.present
    assert second.refused.total() == first.refused.total()
    assert kept(settings, database) == first.stored
