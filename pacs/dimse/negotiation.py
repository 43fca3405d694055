"""SOP Class Extended Negotiation of the Query/Retrieve SOP classes (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydicom.uid import UID
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs.dicom.transfer_syntaxes import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, TABLE

FIND = (str(PatientRootQueryRetrieveInformationModelFind), str(StudyRootQueryRetrieveInformationModelFind))
MOVE = (str(PatientRootQueryRetrieveInformationModelMove), str(StudyRootQueryRetrieveInformationModelMove))
GET = (str(PatientRootQueryRetrieveInformationModelGet), str(StudyRootQueryRetrieveInformationModelGet))
PATIENT_ROOT = frozenset((FIND[0], MOVE[0], GET[0]))

#: What objects may be stored in, by the order in which this server chooses where the peer leaves it to it: explicit
#: before implicit, which loses the VR of private elements, deflated and big endian ones last.
SYNTAXES = sorted(
    TABLE, key=lambda uid: (uid != EXPLICIT_LITTLE_ENDIAN, TABLE[uid].deflated or uid == EXPLICIT_BIG_ENDIAN)
)
#: The Storage classes.
STORAGE = frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)

#: Of the bytes of a query's options what is supported: all but the conversion of multi-frame images (Table C.5-1).
_OF_FIND = bytes((1, 1, 1, 1, 0, 1, 1))
#: Of a retrieval's: relational retrieval (Table C.5-2).
_OF_RETRIEVAL = bytes((1,))


def prefer_compressed(proposed: Sequence[PresentationContext]) -> None:
    """Have a compressed transfer syntax taken that a peer names first for objects, as nothing else was proposed.

    It is what they are stored in there: of a choice that it also could decompress to, the peer makes no other use (the
    acceptor may choose any, PS3.8 9.3.3.2).
    """
    for context in proposed:
        first = TABLE.get(str(context.transfer_syntax[0])) if context.transfer_syntax else None
        if first and (first.encapsulated or first.deflated) and str(context.abstract_syntax) in STORAGE:
            context.transfer_syntax = [UID(first.uid)]


class Options(NamedTuple):
    """What was negotiated for a SOP class; nothing where nobody asked."""

    relational: bool = False
    moments: bool = False
    fuzzy: bool = False
    timezone: bool = False
    multi_frame: bool = False
    empty_values: bool = False
    multiple_values: bool = False


def answers(event: Any) -> dict[str, bytes]:
    """Of what the peer asks for that which is supported (EVT_SOP_EXTENDED)."""
    return {uid: _common(uid, asked) for uid, asked in event.app_info.items() if _supported(uid)}


def options(assoc: Association, sop_class: str) -> Options:
    """What was agreed on for a SOP class when the association was negotiated."""
    asked = assoc.requestor.sop_class_extended.get(UID(sop_class), b"")
    return Options(*(bool(one) for one in _common(sop_class, asked)))


def _supported(uid: str) -> bytes:
    if uid in FIND:
        return _OF_FIND
    return _OF_RETRIEVAL if uid in (*MOVE, *GET) else b""


def _common(uid: str, asked: bytes) -> bytes:
    # As many bytes as were asked for: a peer of an older edition knows no more of them.
    return bytes(int(one == 1) & ours for one, ours in zip(asked, _supported(uid), strict=False))
