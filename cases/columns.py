"""Kinds of columns that the case layer's tables share."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Enum


def enum_of(kind: type[StrEnum]) -> Enum:
    """One of a few words, as text: a native enum type would need a migration of its own for every new member."""
    return Enum(kind, native_enum=False, length=24, create_constraint=False, values_callable=list)
