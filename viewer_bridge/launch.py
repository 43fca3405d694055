"""Launch codes: how the portal hands a person over to the hosted viewer on its other origin.

The portal makes a code and sends the browser to `{viewer}/open#CODE`. A fragment never goes over the wire, so neither
a log nor a Referer can hold it. The viewer's page redeems it, once, for a token that is narrowed to the case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from overread.kit import audit, clock, tokens
from overread.kit.errors import Forbidden, NotFound, NotSignedIn, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal, Role, TokenRow
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
            f"{len(view_study_uids)} studies to open",
            safe=gettext("Choose between 1 and %(most_studies)s studies to open.", most_studies=MOST_STUDIES),
        )
    if not all(_UID.fullmatch(uid) for uid in view_study_uids):
        raise Unprocessable("not a UID", safe=gettext("A study is named by its Study Instance UID."))
    code = tokens.issue(tx, who.id, tokens.LAUNCH, lasts=CODE_LENGTH_OF_LIFE, case_id=case_id, parent_id=who.via_id)
    tx.add(LaunchCode(token_id=tokens.named(tx, code), study_uids=view_study_uids))
    tx.flush()
    audit.record(tx, who, "viewer.launch", "case", case_id, case_id=case_id, studies=view_study_uids)
    return code


def redeem(tx: Session, code: str) -> Launch:
    """Exchange a code for a viewer's token, exactly once. The token ends with the session that the code was made in.

    Raises NotFound, the same for a code that is unknown, used, too old, whose session has ended since, or the grant.
    """
    try:
        who = tokens.verify(tx, code, tokens.LAUNCH)
    except NotSignedIn as error:
        raise _refused(str(error)) from error
    case_id, now = who.case_id, clock.now()
    assert case_id is not None, "a code is for a case"
    until = now + tokens.VIEWER_LENGTH
    if who.role is Role.SPECIALIST:
        # Held before the code is used up: `grants.revoke` takes its locks in the same order.
        held = grants.find(tx, who.id, case_id, hold=True)
        if held is None:
            raise _refused("without a grant")
        until = min(until, held.until)
    used = tokens.spend(tx, code)
    if used is None:
        raise _refused("used, too old, or ended")
    try:
        token = tokens.issue(tx, who.id, tokens.VIEWER, lasts=until - now, case_id=case_id, parent_id=used.parent_id)
    except NotSignedIn as error:
        raise _refused(str(error)) from error
    actor = replace(who, via="launch")
    studies = list(tx.get_one(LaunchCode, used.id).study_uids)
    audit.record(tx, actor, "viewer.opened", "case", case_id, case_id=case_id, studies=studies)
    return Launch(token=token, case_id=case_id, study_uids=studies, until=until)


def sweep(tx: Session) -> int:
    """Delete the codes that ended more than a day ago; how many."""
    old = select(TokenRow.id).where(TokenRow.kind == tokens.LAUNCH, TokenRow.expires_at < clock.now() - _KEPT)
    gone = list(tx.scalars(old))
    tx.execute(delete(LaunchCode).where(LaunchCode.token_id.in_(gone)))
    tx.execute(delete(TokenRow).where(TokenRow.id.in_(gone)))
    return len(gone)


def _refused(reason: str) -> NotFound:
    return NotFound(
        f"launch code {reason}",
        safe=gettext("This link was used before or is too old. Go back to the case and open the viewer again."),
    )
