"""Launch codes: how the portal hands a person over to the hosted viewer on its other origin.

The portal makes a code and sends the browser to `{viewer}/open#CODE`. A fragment never goes over the wire, so neither
a log nor a Referer can hold it. The viewer's page redeems it, once, for a token that is narrowed to the case.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from overread.kit import audit, clock, principals, tokens
from overread.kit.errors import Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal, Role
from viewer_bridge import grants
from viewer_bridge.models import LaunchCode

CODE_LENGTH_OF_LIFE = timedelta(minutes=2)
MOST_STUDIES = 50
_UID = re.compile(r"[0-9.]{1,64}")  # PS3.5 9.1
_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Launch:
    """What a redeemed code gives: a viewer's token for one case, its end, and the studies to open."""

    token: str
    case_id: UUID
    study_uids: list[str]
    until: datetime


def create(tx: Session, who: Principal, case_id: UUID, view_study_uids: list[str]) -> str:
    """A code that opens these studies of a case for `who`, once, within two minutes.

    Whether `who` may see the case is for the caller to know; a specialist's grant is looked at again when the code is
    redeemed. Raises Forbidden for a viewer's own token, Unprocessable for no study, too many, or what is no UID.
    """
    if who.case_id is not None:
        raise Forbidden("a viewer's token asked for a launch code")
    if not 0 < len(view_study_uids) <= MOST_STUDIES:
        raise Unprocessable(
            f"{len(view_study_uids)} studies to open", safe=f"Choose between 1 and {MOST_STUDIES} studies to open."
        )
    if not all(_UID.fullmatch(uid) for uid in view_study_uids):
        raise Unprocessable("not a UID", safe="A study is named by its Study Instance UID.")
    code = secrets.token_urlsafe(32)
    tx.add(
        LaunchCode(
            digest=_digest(code),
            principal_id=who.id,
            case_id=case_id,
            study_uids=view_study_uids,
            expires_at=clock.now() + CODE_LENGTH_OF_LIFE,
        )
    )
    tx.flush()
    audit.record(tx, who, "viewer.launch", "case", case_id, case_id=case_id, studies=view_study_uids)
    return code


def redeem(tx: Session, code: str) -> Launch:
    """Exchange a code for a viewer's token, exactly once.

    Raises NotFound, the same for a code that is unknown, used, too old, or whose grant was ended since.
    """
    digest = _digest(code)
    row = tx.scalars(select(LaunchCode).where(LaunchCode.digest == digest)).one_or_none()
    if row is None:
        raise _refused("unknown")
    person = principals.get(tx, row.principal_id)
    now = clock.now()
    until = now + tokens.VIEWER_LENGTH
    if person.role == Role.SPECIALIST:
        # Held before the code is used up: `grants.revoke` takes its locks in the same order.
        held = grants.find(tx, row.principal_id, row.case_id, hold=True)
        if held is None:
            raise _refused("without a grant")
        until = min(until, held.until)
    # The condition is looked at again under the row's lock: of two that redeem at once, one finds nothing.
    used = tx.execute(
        update(LaunchCode)
        .where(LaunchCode.digest == digest, LaunchCode.used_at.is_(None), LaunchCode.expires_at > now)
        .values(used_at=now)
        .returning(LaunchCode.digest)
    ).one_or_none()
    if used is None or not person.active:
        raise _refused("used, too old, or of a closed account")
    token = tokens.issue(tx, row.principal_id, tokens.VIEWER, lasts=until - now, case_id=row.case_id)
    audit.record(
        tx,
        person.as_principal(via="launch", case_id=row.case_id),
        "viewer.opened",
        "case",
        row.case_id,
        case_id=row.case_id,
        studies=row.study_uids,
    )
    return Launch(token=token, case_id=row.case_id, study_uids=list(row.study_uids), until=until)


def sweep(tx: Session) -> int:
    """Delete the codes that ended more than a day ago; how many."""
    query = delete(LaunchCode).where(LaunchCode.expires_at < clock.now() - _KEPT).returning(LaunchCode.digest)
    return len(tx.execute(query).all())


def end_all(tx: Session) -> None:
    """End every code of everybody."""
    tx.execute(delete(LaunchCode))


def _refused(reason: str) -> NotFound:
    return NotFound(
        f"launch code {reason}",
        safe="This link was used before or is too old. Go back to the case and open the viewer again.",
    )


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
