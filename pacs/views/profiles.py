"""The profiles that owners (programs) chose: data, effective for views that are opened from then on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from overread.kit import audit, clock, permissions
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.deid.profile import SECOND_OPINION, Profile
from pacs.index.models import DeidProfile


def of_owner(tx: Session, owner_id: UUID) -> Profile:
    """The profile of an owner's next view; the one for second opinions where it chose none."""
    chosen = tx.get(DeidProfile, owner_id)
    return Profile.of(chosen.options) if chosen else SECOND_OPINION


def read(tx: Session, who: Principal, owner_id: UUID) -> Profile:
    """The same, for somebody who asks. Raises Forbidden."""
    permissions.require(who, Permission.PROFILES_READ)
    return of_owner(tx, owner_id)


def change(tx: Session, who: Principal, owner_id: UUID, options: Mapping[str, Any]) -> Profile:
    """Choose options; those that are not named have their defaults. Views that are open keep theirs.

    Raises Forbidden, Unprocessable.
    """
    permissions.require(who, Permission.PROFILES_CHANGE)
    profile = Profile.of(options)
    values = {"options": profile.stored(), "changed_at": clock.now()}
    tx.execute(
        insert(DeidProfile)
        .values(owner_id=owner_id, **values)
        .on_conflict_do_update(index_elements=[DeidProfile.owner_id], set_=values)
    )
    audit.record(tx, who, "profile.change", "profile", owner_id, options=profile.identifier())
    return profile
