"""Accept negotiation: a table of what is asked for, and what is given (PS3.18 8.7, RFC 9110 12.5.1)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb.media import DICOM, DICOM_JSON, OCTETS, MediaRange, accepted, choose, parse
from overread.kit.errors import BadInput, NotAcceptable

JLS = "1.2.840.10008.1.2.4.80"
FRAME = [
    MediaRange(OCTETS, multipart=True, parameters={"transfer-syntax": JLS}),
    MediaRange("image/jls", multipart=True, parameters={"transfer-syntax": JLS}),
    MediaRange(OCTETS, parameters={"transfer-syntax": JLS}),
]


@pytest.mark.parametrize(
    ("header", "offers", "given"),
    [
        (None, [MediaRange(DICOM_JSON)], DICOM_JSON),
        ("*/*", [MediaRange(DICOM_JSON)], DICOM_JSON),
        ("application/json", [MediaRange(DICOM_JSON), MediaRange("application/json")], "application/json"),
        ("application/*", [MediaRange(DICOM_JSON)], DICOM_JSON),
        ("text/html, application/dicom+json;q=0.5", [MediaRange(DICOM_JSON)], DICOM_JSON),
        ('multipart/related; type="application/dicom"', [MediaRange(DICOM, multipart=True)], DICOM),
        ("multipart/related; type=application/dicom", [MediaRange(DICOM, multipart=True)], DICOM),
        ("multipart/related", [MediaRange(DICOM, multipart=True)], DICOM),
        ('multipart/related; type="image/jls"', FRAME, "image/jls"),
        (f'multipart/related; type="application/octet-stream"; transfer-syntax={JLS}', FRAME, OCTETS),
        ('multipart/related; type="image/jp2", multipart/related; type="image/jls"', FRAME, "image/jls"),
    ],
)
def test_the_best_accepted_offer_is_chosen(header: str | None, offers: list[MediaRange], given: str) -> None:
    assert choose(accepted(header, None), offers, "It")[1].type == given


@pytest.mark.parametrize(
    ("header", "offers"),
    [
        ("text/html", [MediaRange(DICOM_JSON)]),
        ("application/dicom+json;q=0", [MediaRange(DICOM_JSON)]),
        ("application/dicom", [MediaRange(DICOM, multipart=True)]),
        ('multipart/related; type="application/dicom"', [MediaRange(DICOM)]),
        ('multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.5', FRAME),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(header: str, offers: list[MediaRange]) -> None:
    with pytest.raises(NotAcceptable) as refused:
        choose(accepted(header, None), offers, "It")
    assert offers[0].type in refused.value.safe


def test_the_query_parameter_goes_before_the_header() -> None:
    assert accepted("text/html", "application/dicom+json")[0].type == DICOM_JSON


def test_quality_orders_and_quoted_commas_do_not_split() -> None:
    ranges = accepted('image/png;q=0.3, image/jpeg;x="a,b", */*;q=0.1', None)
    assert [r.type for r in ranges] == ["image/jpeg", "image/png", "*/*"]
    assert ranges[0].parameters == {"x": "a,b"}


@pytest.mark.parametrize("text", ["", "nonsense", "a/b/c", "/", "text/"])
def test_what_is_no_media_type_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse(text)


@given(st.text(max_size=200))
def test_no_header_breaks_the_parser(text: str) -> None:
    with suppress(BadInput):
        assert all(0 < r.quality <= 1 for r in accepted(text, None))
