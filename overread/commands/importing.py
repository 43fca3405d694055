"""`overread import`: files, folders, ZIP archives and DICOMDIRs into the archive, over the one write path.

It may be stopped and run again at any time: what it stored before is recognised by its content and skipped without
being written again.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from sqlalchemy import select

from overread.commands.import_sources import Entry, Rejected, entries, files, printable
from overread.commands.operators import machine
from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings
from overread.services import build
from pacs.dicom import elements, part10
from pacs.dicom.status import FailureReason
from pacs.index.models import Instance
from pacs.index.scope import sender_of
from pacs.store.archive import Archive
from pacs.store.ingest import AlreadyStored, Refused, Source
from pacs.views.batch import Batch

_CHUNK = 1 << 20
#: Entries that are looked up and stored together.
_GROUP = 256
#: Refusals of one kind that are named; the summary counts the others.
_NAMED = 20
_console = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Tally:
    """What became of everything: `refused` counts by reason."""

    stored: int = 0
    present: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def refuse(self, name: str, sentence: str) -> None:
        """Count a refusal, and say it unless it was said often."""
        self.refused[sentence] += 1
        if self.refused[sentence] <= _NAMED:
            _console.print(f"{name}: {sentence}", markup=False)

    def lines(self) -> list[str]:
        """The summary."""
        refused = self.refused.total()
        total = f"{self.stored} stored, {self.present} here already, {refused} refused"
        return [total, *(f"  {count} x {sentence}" for sentence, count in self.refused.most_common(30))]


def import_paths(settings: Settings, paths: Sequence[Path]) -> Tally:
    """Import what the paths stand for. Raises Unavailable or StorageFull; run again, it goes on from there."""
    services = build(settings)
    try:
        with services.db.transaction() as tx:
            who = machine(tx, Role.COORDINATOR, "import").as_principal(via="import")
        tally = _import(services.archive, who, paths)
    finally:
        services.db.close()
    for line in tally.lines():
        _console.print(line, markup=False)
    return tally


def _import(archive: Archive, who: Principal, paths: Sequence[Path]) -> Tally:
    tally = Tally()
    columns = (TextColumn("Importing"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console) as progress:
        total = sum(_size(file) for path in paths for file in files(path) if isinstance(file, Path))
        task = progress.add_task("", total=total)
        for group in _groups(paths, tally):
            _store(archive, who, group, tally)
            progress.advance(task, sum(entry.weight for entry in group))
        progress.update(task, completed=total)
    return tally


def _groups(paths: Sequence[Path], tally: Tally) -> Iterator[list[Entry]]:
    """Everything below the paths, in groups; what is not even read is told to `tally`."""
    group: list[Entry] = []
    for file in (file for path in paths for file in files(path)):
        if isinstance(file, Rejected):
            tally.refuse(file.name, file.sentence)
            continue
        try:
            with entries(file) as found:
                for entry in found:
                    if isinstance(entry, Rejected):
                        tally.refuse(entry.name, entry.sentence)
                    else:
                        group.append(entry)
                    if len(group) >= _GROUP:
                        yield group
                        group = []
                # The entries of a ZIP archive can't be opened any more once it is closed.
                if any(entry.path is None for entry in group):
                    yield group
                    group = []
        except OSError as error:
            tally.refuse(printable(file), f"The file can't be read: {error.strerror}.")
    if group:
        yield group


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _store(archive: Archive, who: Principal, group: Sequence[Entry], tally: Tally) -> None:
    """Store a group of entries but for those that an earlier run stored."""
    here = _stored_before(archive, who, group)
    tally.present += len(here)
    wanted = [entry for number, entry in enumerate(group) if number not in here]
    batch = Batch(archive, Source(who, "import"))
    try:
        for entry in wanted:
            _receive(batch, entry)
        results = batch.end()
    except BaseException:
        batch.abandon()
        raise
    for entry, result in zip(wanted, results, strict=True):
        if isinstance(result.outcome, Refused):
            tally.refuse(entry.name, result.outcome.sentence)
        elif isinstance(result.outcome, AlreadyStored):
            tally.present += 1
        else:
            tally.stored += 1


def _receive(batch: Batch, entry: Entry) -> None:
    batch.begin()
    try:
        with entry.open() as stream:
            while batch.receiving and (chunk := stream.read(_CHUNK)):
                batch.write(chunk)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        kind = "ZIP entry" if entry.path is None else "file"
        batch.refuse(f"The {kind} can't be read: {type(error).__name__}.", FailureReason.PROCESSING_FAILURE)
    else:
        batch.finish()


def _stored_before(archive: Archive, who: Principal, group: Sequence[Entry]) -> set[int]:
    """The numbers of the group's files whose very bytes this principal stored before.

    A file is hashed only where an instance with its UID and size is here; nothing is written.
    """
    uids = {number: uid for number, entry in enumerate(group) if entry.path and (uid := _sop_uid(entry.path))}
    if not uids:
        return set()
    with archive.db.transaction() as tx:
        rows = tx.execute(
            select(Instance.sop_uid, Instance.blob, Instance.blob_size).where(
                Instance.sop_uid.in_(set(uids.values())), Instance.sender_id == sender_of(who)
            )
        )
        known = {row.sop_uid: (row.blob, row.blob_size) for row in rows}
    return {
        number
        for number, uid in uids.items()
        if (path := group[number].path) and (found := known.get(uid)) and _is(path, *found)
    }


def _sop_uid(path: Path) -> str:
    """The SOP Instance UID of a file; empty where it has none or can't be read: that is found out in full later."""
    try:
        with path.open("rb") as f:
            if not os.fstat(f.fileno()).st_size:
                return ""
            data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        # The meta information repeats it (PS3.10 7.1), and no more of the file is read for it.
        return part10.read_meta(data).sop_instance_uid
    except (OSError, elements.Unreadable):
        return ""


def _is(path: Path, digest: str, size: int) -> bool:
    try:
        with path.open("rb") as f:
            return os.fstat(f.fileno()).st_size == size and hashlib.file_digest(f, "sha256").hexdigest() == digest
    except OSError:
        return False
