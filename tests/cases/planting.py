"""A study full of strings that identify, brought to a specialist; and the search for them in what comes out.

Whatever shows a specialist's view is swept with this: `tests.web.test_surfaces`, `tests.overread.dimse.test_surfaces`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from cases.repository import studies_of
from cases.service import assignment, intake, studies
from cases.states import StudyState
from pacs.deid.profile import SECOND_OPINION
from tests.cases.world import DICOM_BORN, DICOM_NAME, World
from tests.pacs.deid.planted import EXPLICIT, SERIES, SOP, STUDY, El, nest, part10, plant, skeleton, text
from tests.pacs.deid.test_rows import may_stay


def planted() -> tuple[bytes, set[bytes], set[bytes]]:
    """A file with a marker in every row of E.1-1, at root and in a sequence; the markers; and the words of its name."""
    root, inside = plant(0), plant(3)
    own = {0x00100010: text(0x00100010, "PN", DICOM_NAME), 0x00100030: text(0x00100030, "DA", DICOM_BORN)}
    marks = [e for one in root for e in one.elements if e.tag not in own and e.tag != 0x00082218]
    taken = {e.tag for e in marks} | set(own)
    elements = [
        *(e for e in skeleton() if e.tag not in taken),
        *marks,
        *own.values(),
        *nest([e for one in inside for e in one.elements], 1),
        text(0x00090010, "LO", "ACME"),
        El(0x00091001, "LO", b"ZQPRIVATE"),
    ]
    needles = {
        one.needle
        for one in (*root, *inside)
        if not may_stay(one, SECOND_OPINION) and one.vr not in ("AS", "US") and one.tag not in own
    }
    names = {word.encode() for word in DICOM_NAME.replace("^", " ").split()}
    needles |= {b"ZQPRIVATE", STUDY.encode(), SERIES.encode(), SOP.encode()}
    return part10(elements, EXPLICIT), needles, names


def shows(body: bytes, needle: bytes) -> bool:
    """Whether a marker is there; one of digits not as the middle of a longer number, which it may be by chance."""
    return needle in body and (not needle.isdigit() or bool(re.search(rb"(?<!\d)" + needle, body)))


def leaks(swept: Mapping[str, bytes], needles: set[bytes], names: set[bytes]) -> dict[str, list[bytes]]:
    """What was found, by where: the markers, and the words of the patient's name."""
    found: dict[str, list[bytes]] = {}
    for name, body in swept.items():
        low = body.lower()
        found[name] = [needle for needle in needles if shows(low, needle.lower())]
        # A mail to the patient has their account's name, which is none of the file's.
        if not name.startswith("mail"):
            found[name] += [one for one in names if re.search(rb"(?<![a-z])" + one.lower() + rb"(?![a-z])", low)]
    return {name: one for name, one in found.items() if one}


def granted(world: World) -> UUID:
    """The planted study goes through a case until the specialist may see it; the case."""
    case_id = world.draft("free")
    offer(world, case_id, world.upload(case_id, dicom=planted()[0]))
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    world.drain()
    return case_id


def offer(world: World, case_id: UUID, study_uid: str) -> None:
    """A draft with the planted study is submitted, cleared and offered to the specialist."""
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(study_uid)
    with world.db.transaction() as tx:
        if studies_of(tx, case_id)[0].state is StudyState.MISMATCH:
            studies.confirm(tx, world.coordinator, case_id, study_uid, "It is she.")
    world.drain()
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    world.drain()
