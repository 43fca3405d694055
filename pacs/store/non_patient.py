"""Instances that belong to no patient: palettes, protocols, templates (PS3.18 12; PS3.4 GG). Small, kept in a row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import audit, clock, permissions
from overread.kit.db import Base
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.dicom import dicomjson, file_meta, part10, sop_classes
from pacs.dicom.elements import Unreadable
from pacs.dicom.part10 import valid_uid
from pacs.dicom.status import FailureReason
from pacs.index import columns, datasets
from pacs.index.datasets import Keys
from pacs.store.same_object import same_content


def _uids(*keywords: str) -> frozenset[str]:
    return frozenset(map(sop_classes.uid, keywords))


#: Each category's resource and its SOP classes (PS3.18 Table 12.1.1-1, PS3.4 Table GG.3-1). Inventories are left out:
#: they list patients.
CATEGORIES: Mapping[str, frozenset[str]] = {
    "color-palettes": _uids("ColorPaletteStorage"),
    "defined-procedure-protocols": _uids("CTDefinedProcedureProtocolStorage", "XADefinedProcedureProtocolStorage"),
    "hanging-protocols": _uids("HangingProtocolStorage"),
    "implant-templates": _uids(
        "GenericImplantTemplateStorage", "ImplantAssemblyTemplateStorage", "ImplantTemplateGroupStorage"
    ),
}
MOST, MOST_BYTES = 1000, 16 << 20


class NonPatient(Base):
    """An instance of a category: its bytes, and its DICOM JSON for queries."""

    __tablename__ = "pacs_non_patient"

    sop_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    category: Mapped[str] = mapped_column(String(32), index=True)
    sop_class: Mapped[str] = mapped_column(String(64))
    transfer_syntax: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column()
    attributes: Mapped[dict[str, Any]] = mapped_column()
    stored_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    received_at: Mapped[datetime] = mapped_column(default=clock.now)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an instance: `reason` is None where it is stored (now, or the same before)."""

    sop_class: str
    sop_uid: str
    reason: FailureReason | None = None
    sentence: str = ""


def may_read(who: Principal) -> None:
    """Raises Forbidden for roles that work with no viewer of their own."""
    permissions.require(who, Permission.NON_PATIENT_READ)


def may_store(who: Principal) -> None:
    """Raises Forbidden for all but coordinators and admins."""
    permissions.require(who, Permission.NON_PATIENT_STORE)


def store(tx: Session, who: Principal, category: str, content: bytes, uid: str | None = None) -> Outcome:
    """Keep an instance of a category, only that of `uid` where one is given.

    The first bytes of a UID are kept; another object is refused.
    """
    may_store(who)
    try:
        parsed = part10.parse(content)
        metadata = dicomjson.to_json(parsed.buf, parsed.elements)
    except Unreadable as error:
        return Outcome("", "", FailureReason.CANNOT_UNDERSTAND, error.safe)
    keys = columns.of(metadata)
    if keys.sop_class not in CATEGORIES[category]:
        return Outcome(keys.sop_class, keys.sop_uid, FailureReason.MISMATCH, f"Its SOP class is none of {category}.")
    if not valid_uid(keys.sop_uid):
        return Outcome("", "", FailureReason.CANNOT_UNDERSTAND, "Its SOP Instance UID is missing or not a valid UID.")
    if uid is not None and keys.sop_uid != uid:
        return Outcome(keys.sop_class, keys.sop_uid, FailureReason.MISMATCH, "Its UID is not that of the address.")
    right = file_meta.put_right(parsed.meta, keys.sop_class, keys.sop_uid)
    if right is not None:
        content = right + content[parsed.meta.dataset_start :]
    digest = hashlib.sha256(content).hexdigest()
    added = tx.execute(
        insert(NonPatient)
        .values(
            sop_uid=keys.sop_uid,
            category=category,
            sop_class=keys.sop_class,
            transfer_syntax=parsed.meta.transfer_syntax,
            digest=digest,
            content=content,
            attributes=_without_nul(metadata),
            stored_by=who.id,
        )
        .on_conflict_do_nothing()
        .returning(NonPatient.sop_uid)
    ).one_or_none()
    if added is not None:
        audit.record(tx, who, "non_patient.store", category, keys.sop_uid)
    elif not _same(tx, keys.sop_uid, digest, content):
        return Outcome(keys.sop_class, keys.sop_uid, FailureReason.DUPLICATE, "Its UID is taken by another instance.")
    return Outcome(keys.sop_class, keys.sop_uid)


def _same(tx: Session, sop_uid: str, digest: str, content: bytes) -> bool:
    """Whether what is kept under the UID is the same object. None of these has pixels that had to be decoded."""
    kept = tx.execute(select(NonPatient.digest, NonPatient.content).where(NonPatient.sop_uid == sop_uid)).one_or_none()
    return kept is not None and (kept.digest == digest or same_content(kept.content, content, decode=False))


def get(tx: Session, who: Principal, category: str, uid: str) -> NonPatient:
    """One instance. Raises Forbidden, NotFound."""
    may_read(who)
    found = tx.scalars(
        select(NonPatient).where(NonPatient.category == category, NonPatient.sop_uid == uid)
    ).one_or_none()
    if found is None:
        raise NotFound(f"no {category} {uid}", safe=gettext("There is no such instance here."))
    return found


def find(
    tx: Session, who: Principal, category: str, keys: Keys, limit: int, offset: int
) -> tuple[list[dict[str, Any]], bool]:
    """The attributes of the instances that match, oldest first, and whether there are more. Raises Forbidden."""
    may_read(who)
    limit = max(0, min(limit, MOST))
    conditions = datasets.matches(keys, type_coerce(NonPatient.attributes, JSONB), {})
    statement = select(NonPatient.attributes).where(NonPatient.category == category, *conditions)
    rows = tx.scalars(
        statement.order_by(NonPatient.received_at, NonPatient.sop_uid).offset(offset).limit(limit + 1)
    ).all()
    # Bytes (the palettes themselves) are for whoever retrieves.
    found = [{tag: one for tag, one in row.items() if "InlineBinary" not in one} for row in rows[:limit]]
    return found, len(rows) > limit


def _without_nul(value: Any) -> Any:
    """PostgreSQL keeps no NUL, and DICOM's texts have none."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {key: _without_nul(inner) for key, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value
