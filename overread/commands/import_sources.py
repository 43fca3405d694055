"""What `overread import` reads: files, folders, ZIP archives, and the file-sets that a DICOMDIR lists.

Nothing is unpacked to a name that an archive gives: an entry is a stream. Links are not followed, and a DICOMDIR's
references (PS3.10 8.5, PS3.3 F.3.2.2) never lead out of its folder.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pacs.dicom import elements, part10, tags
from pacs.dicom.sop_classes import MEDIA_DIRECTORY

#: The SOP class of a DICOMDIR (PS3.4 Table I.4-1, Media Storage Directory Storage).
_RECORDS = tags.DirectoryRecordSequence
_FILE_ID = tags.ReferencedFileID
#: Bytes of a ZIP's directory: it is read into memory as a whole.
_MAXMEDIA_DIRECTORY = 16 << 20
#: An archive that unpacks to more than this, and to more than so many times its size, is a bomb.
_MAX_TOTAL = 1 << 30
_MAX_RATIO = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that may be an instance. `weight` is its part of the work, in bytes on disk."""

    name: str
    weight: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that is not even read, and why."""

    name: str
    sentence: str


def files(path: Path) -> Iterator[Path | Rejected]:
    """The regular files that `path` stands for: itself, those below a folder, or those that a DICOMDIR lists."""
    if path.is_dir():
        for folder, _, names in os.walk(path, followlinks=False):
            yield from (file for file in (Path(folder, name) for name in sorted(names)) if _is_regular(file))
    elif not path.is_file():
        yield Rejected(printable(path), "There is no such file.")
    elif path.name.upper() == "DICOMDIR":
        yield from _listed(path)
    else:
        yield path


@contextmanager
def entries(file: Path) -> Iterator[Sequence[Entry | Rejected]]:
    """What one file holds: itself, or the entries of a ZIP archive, which can be opened within the `with` block.

    A DICOMDIR holds nothing but references. Raises OSError.
    """
    if file.name.upper() == "DICOMDIR":
        yield ()
        return
    with file.open("rb") as f:
        magic = f.read(4)
        if magic not in (b"PK\x03\x04", b"PK\x05\x06"):
            yield (Entry(printable(file), os.fstat(f.fileno()).st_size, partial(_open, file), file),)
            return
    try:
        _check_directory(file)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        yield (_bad_archive(file, error),)
        return
    with archive:
        yield _members(file, archive)


def printable(name: object) -> str:
    """A name as a terminal may show it."""
    return "".join(c if c.isprintable() else "�" for c in str(name))


def _open(file: Path) -> IO[bytes]:
    return file.open("rb")


def _is_regular(file: Path) -> bool:
    return stat.S_ISREG(file.lstat().st_mode)


def _listed(dicomdir: Path) -> Iterator[Path | Rejected]:
    """The files that a DICOMDIR refers to, as far as they are in its folder."""
    try:
        references = _references(dicomdir)
    except elements.Unreadable as error:
        yield Rejected(printable(dicomdir), error.safe)
        return
    for reference in references:
        found = _resolve(dicomdir.parent, reference)
        name = printable(dicomdir) + ": " + printable("/".join(reference))
        yield found or Rejected(name, "The DICOMDIR lists a file that is not in its folder.")


def _references(dicomdir: Path) -> list[list[str]]:
    """The Referenced File IDs of a DICOMDIR's records. Raises Unreadable."""
    with dicomdir.open("rb") as f:
        if not os.fstat(f.fileno()).st_size:
            raise part10.NotDicom("The DICOMDIR is empty.")
        data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    parsed = part10.parse(data)
    if parsed.meta.sop_class_uid != MEDIA_DIRECTORY:
        raise part10.NotDicom("The file is called DICOMDIR and is none.")
    records = elements.find(parsed.elements, _RECORDS)
    items = records.items if records and records.items else ()
    listed = (elements.texts(parsed.buf, elements.find(item.elements, _FILE_ID)) for item in items)
    return [reference for reference in listed if reference]


def _resolve(folder: Path, reference: list[str]) -> Path | None:
    """The file of a File ID below `folder`, whatever the case of its letters; None where there is none.

    A name is looked for among those that the folder has, so it can't lead elsewhere; links are not followed.
    """
    for position, component in enumerate(reference):
        names = {name.casefold(): name for name in os.listdir(folder)}  # noqa: PTH208  names alone are wanted
        name = names.get(component.casefold())
        if name is None:
            return None
        folder = folder / name
        mode = folder.lstat().st_mode
        if not (stat.S_ISREG(mode) if position == len(reference) - 1 else stat.S_ISDIR(mode)):
            return None
    return folder


def _members(file: Path, archive: zipfile.ZipFile) -> list[Entry | Rejected]:
    members = archive.infolist()
    try:
        _check_members(file, members)
    except zipfile.BadZipFile as error:
        return [_bad_archive(file, error)]
    return [
        _member(archive, file, member)
        for member in members
        if not member.is_dir() and not member.filename.upper().endswith("DICOMDIR")
    ]


def _bad_archive(file: Path, error: Exception) -> Rejected:
    return Rejected(printable(file), f"The ZIP archive can't be read: {printable(error)}.")


def _check_directory(file: Path) -> None:
    """Look at the size of the archive's directory before it is read (APPNOTE 4.3.14, 4.3.16)."""
    with file.open("rb") as f:
        size = f.seek(0, os.SEEK_END)
        start = f.seek(max(0, size - 65_557 - 20))
        tail = f.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0:
            raise zipfile.BadZipFile("it has no directory")
        (length,) = struct.unpack_from("<I", tail, end + 12)
        if length == 0xFFFFFFFF and tail[end - 20 : end - 16] == b"PK\x06\x07":
            (where,) = struct.unpack_from("<Q", tail, end - 12)
            f.seek(min(where, start + end))
            (length,) = struct.unpack_from("<Q", f.read(56), 40)
    if length > _MAXMEDIA_DIRECTORY:
        raise zipfile.BadZipFile(f"its directory has more than {_MAXMEDIA_DIRECTORY} bytes")


def _check_members(file: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive that is made to do harm: entries that share their bytes, or unpack beyond measure."""
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < end:
            raise zipfile.BadZipFile("its entries overlap")
        end = member.header_offset + 30 + member.compress_size
    total = sum(member.file_size for member in members)
    if total > _MAX_TOTAL and total > _MAX_RATIO * file.stat().st_size:
        raise zipfile.BadZipFile(f"it would unpack to {total} bytes")


def _member(archive: zipfile.ZipFile, file: Path, member: zipfile.ZipInfo) -> Entry | Rejected:
    name = f"{printable(file)}: {printable(member.filename)}"
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0][1:2] == ":":
        return Rejected(name, "The ZIP entry's name leads out of the archive.")
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return Rejected(name, "The ZIP entry is a link or a device and no file.")
    if member.flag_bits & 0x1:
        return Rejected(name, "The ZIP entry is encrypted. Unpack the archive first.")
    return Entry(name, member.compress_size, partial(archive.open, member))
