"""What this server sends to DICOM peers of its own accord, from the command line."""

from __future__ import annotations

from collections.abc import Sequence

from overread import dimse, services
from overread.kit.settings import Settings
from pacs.dimse import push as pushing
from pacs.dimse.push import Pushed


def push(settings: Settings, ae_title: str, study_uids: Sequence[str]) -> Pushed:
    """Send a peer what it may see: these studies, or all. Raises NotFound, Unprocessable, Unavailable."""
    built = services.build(settings, pool_size=2)
    try:
        return pushing.push(built.archive, settings, dimse.accesses, ae_title, study_uids)
    finally:
        built.db.close()


def echo(settings: Settings, ae_title: str) -> int:
    """Ask a peer whether it answers; the DIMSE status. Raises NotFound, Unavailable."""
    built = services.build(settings, pool_size=2)
    try:
        return pushing.echo(built.archive, settings, ae_title)
    finally:
        built.db.close()
