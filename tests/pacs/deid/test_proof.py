"""The residual scan finds what cleaning would have missed; the proof pins a result and shows no value."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pytest

from pacs.deid.header import deidentify
from pacs.deid.identifiers import Identifiers, Identities
from pacs.deid.masks import Box
from pacs.deid.profile import SECOND_OPINION
from pacs.deid.proof import Part, Proof, merkle_root, prove
from pacs.deid.residual_identifiers import ResidualIdentifiers
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, SOP, El, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET

KNOWN = Identifiers.of(
    names=["Doe^Marigold^Q", "Müller^Jürgen", "王^小东"], ids=["MRN4471902", "19510704"], phrases=["12 Elder Lane"]
)


@pytest.mark.parametrize(
    "left",
    [
        b"..MARIGOLD..",
        b"marigold^",
        "Marigold".encode("utf-16-le"),
        b"\0" + "Marigold".encode("utf-16-be"),
        "MÜLLER".encode(),
        "Müller".encode("latin-1"),
        "小东".encode(),
        "小东".encode("utf-16-le"),
        b"id MRN4471902 ",
        b"\x0819510704 ",
        b"12 elder lane",
    ],
)
def test_a_rest_is_found_in_every_encoding(left: bytes) -> None:
    assert ResidualIdentifiers(KNOWN).reasons(b"\1\2" + left + b"\3")


@pytest.mark.parametrize("harmless", [b"Marigolden", b"xMRN4471902x", b"119510704", b"Do", b"12 Elder", b"q"])
def test_a_part_of_another_word_is_none(harmless: bytes) -> None:
    assert ResidualIdentifiers(KNOWN).reasons(b"\1" + harmless + b"\2") == []


def test_uids_of_the_source_are_looked_for_as_a_whole() -> None:
    assert ResidualIdentifiers(Identifiers()).reasons(b"x" + SOP.encode() + b"\0", (SOP,))
    assert ResidualIdentifiers(Identifiers()).reasons(b"x" + SOP.encode() + b".7", (SOP,)) == []


def test_ordinary_words_and_our_own_are_no_rest() -> None:
    assert ResidualIdentifiers(Identifiers.of(names=["Head^Case"])).reasons(b"HEAD Case^AB") == []


def test_what_is_known_comes_from_the_file() -> None:
    elements = [
        text(0x00100010, "PN", "Doe^Marigold^Q"),
        text(0x00100020, "LO", "MRN4471902"),
        text(0x00100030, "DA", "19510704"),
        text(0x00080090, "PN", "Stone^Gregory"),
        text(0x00080080, "LO", "Faketown General Hospital"),
        El(0x00101002, "SQ", [[text(0x00100020, "LO", "ALT-7788")]]),
    ]
    known = Identities().of(parse(part10([*skeleton(), *elements], EXPLICIT)))
    assert known.names == {"doe", "marigold", "stone", "gregory"}
    assert {"mrn4471902", "19510704", "04.07.1951", "alt-7788"} <= known.ids
    assert known.phrases == {"faketown general hospital"}


def test_a_rest_withholds_the_instance() -> None:
    """A name in binary data, which no rule of text reads, still does not get out."""
    elements = [text(0x00100010, "PN", "Doe^Marigold"), El(0x00281201, "OW", b"..Marigold..")]
    result = deidentify(parse(part10([*skeleton(), *elements], EXPLICIT)), secret=SECRET)
    assert any("left" in reason for reason in result.refused)
    assert not any("arigold" in reason for reason in result.refused)


def test_a_proof_pins_the_result_and_shows_no_value() -> None:
    source = part10(
        [*skeleton(), text(0x00100010, "PN", "Doe^Marigold"), text(0x00100020, "LO", "MRN4471902")], EXPLICIT
    )
    digest = sha256(source).hexdigest()
    result = deidentify(parse(source), secret=SECRET)
    (pixels,) = result.pixels
    parts: list[Part] = [result.header, (digest, *pixels), result.trailer]

    def made(parts: list[Part], **more: Any) -> Proof:
        return prove(result, digest, SECOND_OPINION, parts, **more)

    proof = made(parts)
    assert proof == made(parts)
    assert proof.actions["(0010,0010)"] == "Z"
    canonical = proof.canonical()
    assert not any(value in canonical for value in (b"Marigold", b"MRN4471902", SOP.encode()))
    for other in (
        made([result.header, ("0" * 64, *pixels), result.trailer]),
        made([result.header + b"\0", (digest, *pixels), result.trailer]),
        made([result.header, (digest, pixels[0], pixels[1] - 2), result.trailer]),
        made([result.header, (digest, *pixels), result.trailer + b"x"]),
    ):
        assert other.result_digest != proof.result_digest
        assert merkle_root([proof, other]) == merkle_root([other, proof]) != merkle_root([proof])
    for other in (
        made(parts, masks=[Box(1, 2, 3, 4)]),
        made(parts, cleared_bits=0x8000),
        made(parts, document="redacted"),
    ):
        assert other.digest() != proof.digest()
    assert merkle_root([]) == sha256().hexdigest()
    assert len({merkle_root([proof] * count) for count in range(5)}) == 5


def test_a_proof_comes_back_from_json_as_it_was() -> None:
    result = deidentify(parse(part10(skeleton(), EXPLICIT)), secret=SECRET)
    proof = prove(result, "0" * 64, SECOND_OPINION, [result.header], masks=[Box(1, 2, 3, 4)])
    assert Proof.of(json.loads(json.dumps(asdict(proof)))).digest() == proof.digest()
    with pytest.raises(ValueError, match="proof"):
        Proof.of({"source_digest": "0" * 64})
