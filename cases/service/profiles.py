"""By which options of PS3.15 Annex E a program's cases are de-identified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import imaging
from cases.imaging import Profile
from cases.models import Program
from overread.kit import permissions
from overread.kit.errors import NotFound
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.deid.profile import HIGHEST_AGE_CAP, LOWEST_AGE_CAP, SECOND_OPINION, TABLE_EDITION

__all__ = ["HIGHEST_AGE_CAP", "LOWEST_AGE_CAP", "SECOND_OPINION", "TABLE_EDITION", "change", "listed", "read"]


def listed(tx: Session, who: Principal) -> list[tuple[Program, Profile]]:
    """Every active program with its profile, by name. Raises Forbidden."""
    permissions.require(who, Permission.PROFILES_CHANGE)
    programs = tx.scalars(select(Program).where(Program.active).order_by(Program.name))
    return [(program, imaging.profile(tx, who, program.id)) for program in programs]


def read(tx: Session, who: Principal, program_id: UUID) -> tuple[Program, Profile]:
    """One program with its profile. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.PROFILES_CHANGE)
    program = tx.get(Program, program_id)
    if program is None or not program.active:
        raise NotFound(f"program {program_id}")
    return program, imaging.profile(tx, who, program_id)


def change(tx: Session, who: Principal, program_id: UUID, options: Mapping[str, Any]) -> Profile:
    """Choose the options of the views that are opened from now on. Raises Forbidden, NotFound, Unprocessable."""
    read(tx, who, program_id)
    return imaging.change_profile(tx, who, program_id, options)
