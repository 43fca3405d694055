"""Ending again: what an older database brings back is erased, removed and locked again, before anybody is served.

A database is an older one after `overread restore`, and wherever else it went back (a snapshot, a recovery to a point
in time). The files beside the keys tell (`overread.kit.ended`). What gave access then may have been ended since, too,
and nothing tells which: all tokens, sessions and launch codes end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from overread.kit import ended, log
from overread.kit.db import Session, libpq_url
from overread.kit.ended import Ended
from overread.kit.settings import Settings

_logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """What was ended again: cases, original images, accounts, and tokens of any kind."""

    cases: int = 0
    images: int = 0
    accounts: int = 0
    tokens: int = 0

    def __str__(self) -> str:
        return (
            f"{self.cases} cases and {self.images} further original images erased again, "
            f"{self.accounts} accounts locked again, {self.tokens} tokens and sessions ended"
        )


def see_to(settings: Settings) -> Again | None:
    """End again what the files tell of and the database does not know; None where there is nothing of the kind.

    Called wherever a database is opened. Rows that have no file get one.
    """
    if _agree(settings):
        return None
    return end_again(settings, went_back=False)


def end_again(settings: Settings, *, went_back: bool) -> Again | None:
    """The same, without the quick look. `went_back`: the database is known to be older; nobody else uses it then."""
    # Loads every room, which few commands need.
    from overread.services import build
    from pacs.store import sweep

    services = build(settings, pool_size=2)
    db, folder = services.db, settings.keys_dir
    try:
        ended.write_down(db, folder)
        names = ended.unknown(db, folder)
        if not names and not went_back:
            return None
        with db.transaction() as tx:
            done = _apply(tx, [(name, *ended.read(folder, name)) for name in names])
        # Keys of cases, which a job destroys too: nobody may be served before.
        ended.write_down(db, folder, names)
        # Somebody may send the same bytes just now, unless the folder is ours alone.
        sweep.sweep(services.archive, young=-1 if went_back else sweep.YOUNG)
        if services.archive.thumbnails is not None:
            services.archive.thumbnails.clear()
    finally:
        db.close()
    _logger.warning("ended_again", cases=done.cases, images=done.images, accounts=done.accounts)
    return done


def _apply(tx: Session, files: Sequence[tuple[UUID, datetime, Ended]]) -> Again:
    from cases import erasure
    from overread.kit import audit, jobs, tokens
    from overread.kit.principals import PrincipalRow
    from pacs.store import deletion

    cases = images = 0
    locked: dict[str, bool] = {}
    for _, at, what in files:
        cases += sum(erasure.again(tx, UUID(case), at) for case in what.cases)
    for name, at, what in files:
        # What the older database does not know to have been the case's.
        erased, gone = deletion.again(tx, what.erased)
        if gone:
            audit.forget(tx, _NO_CASE, gone)
            jobs.forget(tx, sorted(gone))
        images += erased + deletion.again(tx, what.removed)[0]
        locked |= dict.fromkeys(what.locked, True) | dict.fromkeys(what.unlocked, False)
        ended.accept(tx, name, at, what)
    accounts = 0
    for account, shut in locked.items():
        person = tx.get(PrincipalRow, UUID(account))
        if person is not None and person.active == shut:
            person.active = not shut
            accounts += shut
    done = Again(cases, images, accounts, tokens.revoke_everything(tx))
    audit.record(tx, None, "server.went_back", "server", "", cases=cases, images=images, tokens=done.tokens)
    return done


#: No case has it: lines that name a case of their own stay that case's.
_NO_CASE = UUID(int=0)


def _agree(settings: Settings) -> bool:
    """Whether every file has its row, and every row its file."""
    assert settings.database_url is not None
    with psycopg.connect(libpq_url(settings.database_url)) as connection:
        rows = {row[0] for row in connection.execute("SELECT id FROM kit_ended")}
    return rows == set(ended.written(settings.keys_dir))
