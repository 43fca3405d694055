"""What the command line does to the archive: verification, the index anew, and the sweep."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import func, select

from overread.kit.settings import Settings
from overread.services import Services, build
from pacs.index.models import Instance, Study
from pacs.store import damage
from pacs.store import reindex as store_reindex
from pacs.store import sweep as pacs_sweep
from pacs.store.sweep import Swept
from pacs.views import view_proofs

#: Names of blobs that are held at once.
_CHUNK = 1000
_console = Console(stderr=True, highlight=False, soft_wrap=True)


def verify(settings: Settings) -> int:
    """Read every blob that a row names, and check every view's proofs; returns how many things are wrong."""
    services = build(settings)
    with services.db.transaction() as tx:
        total = tx.scalar(select(func.count(Instance.blob.distinct())))
    read = bad = 0
    with Progress(console=_console) as progress:
        for digest in progress.track(_named(services), total=total, description="Verifying"):
            read += 1
            if not services.archive.blobs.is_whole(digest):
                bad += 1
                damage.report(services.archive, {digest: ""})
                _console.print(f"blob {digest} is missing or altered", markup=False)
    damage.look_again(services.archive)
    _console.print(f"{read} blobs read, {bad} bad", markup=False)
    return bad + _verify_views(services)


def _named(services: Services) -> Iterator[str]:
    """Every blob that a row names, in the order of their names, a few at once: reading them all may take days."""
    last = ""
    while True:
        following = select(Instance.blob).where(Instance.blob > last).distinct().order_by(Instance.blob).limit(_CHUNK)
        with services.db.transaction() as tx:
            chunk = tx.scalars(following).all()
        if not chunk:
            return
        yield from chunk
        last = chunk[-1]


def _verify_views(services: Services) -> int:
    bad = 0
    for view in view_proofs.check(services.archive):
        bad += len(view.problems)
        for problem in view.problems:
            _console.print(f"view {view.view_id}: {problem}", markup=False)
        _console.print(f"view {view.view_id}: {view.instances} proofs, root {view.root}", markup=False)
    return bad


def reindex(settings: Settings) -> tuple[int, int]:
    """Read every study's columns again from the headers that are kept; gives how many were read, how many changed."""
    services = build(settings)
    with services.db.transaction() as tx:
        total = tx.scalar(select(func.count()).select_from(Study))
    read = changed = 0
    with Progress(console=_console) as progress:
        for rows in progress.track(store_reindex.reindex(services.db), total=total, description="Reading"):
            read += 1
            changed += rows > 0
    return read, changed


def sweep(settings: Settings, older_than: float) -> Swept:
    """Remove what no instance names and is older than this many seconds."""
    return pacs_sweep.sweep(build(settings).archive, young=older_than)
