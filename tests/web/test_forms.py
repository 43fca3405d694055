"""Forms and values as people type and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.kit.errors import Conflict
from overread.kit.money import formatted
from overread.kit.settings import Settings
from overread.web import labels, places, render
from overread.web.errors import local_path
from overread.web.forms import Check, FieldErrors, Form, errors_of, typed


def _form(**fields: str) -> Check:
    return Check(Form(list(fields.items())))


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("390", "USD", 39000), ("390.5", "USD", 39050), ("0.01", "EUR", 1), ("390", "JPY", 390), ("1.234", "KWD", 1234),
        ("390.505", "USD", None), ("1.5", "JPY", None), ("-1", "USD", None), ("1e3", "USD", None), ("", "USD", None),
        (".", "USD", None), ("1.", "USD", None), ("1,000", "USD", None), ("٣", "USD", None), ("9" * 13, "USD", None),
    ],
)  # fmt: skip
def test_an_amount_is_read_exactly_or_refused(typed: str, currency: str, minor: int | None) -> None:
    check = _form(amount=typed)
    amount = check.amount("amount", currency, "Wrong.")
    assert (check.errors, amount) == (({}, minor) if minor is not None else ({"amount": "Wrong."}, 0))


@given(st.integers(0, 10**9), st.sampled_from(["USD", "JPY", "KWD", "CHF"]))
def test_an_amount_that_we_show_is_one_that_we_read(minor: int, currency: str) -> None:
    read = formatted(minor, currency).lstrip("$¥ CHFKWD").replace(",", "")
    assert _form(amount=read).amount("amount", currency, "") == minor
    assert _form(amount=typed(minor, currency)).amount("amount", currency, "") == minor


@given(st.text(max_size=60))
def test_no_text_leads_away_from_this_site(text: str) -> None:
    target = local_path(text)
    assert target.startswith("/")
    assert not target.startswith(("//", "/\\"))
    assert "\\" not in target
    assert target.isascii()
    assert target.isprintable()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    check = _form(name="", day="2026-02-30", port="70000", email="a b@c", choice="z", long="x" * 9)
    check.text("name", "Name.")
    check.text("long", "Long.", 8)
    check.day("day", "Day.")
    check.number("port", 1, 65535, "Port.")
    check.email("email")
    check.one_of("choice", ("a", "b"), "Choice.")
    with pytest.raises(FieldErrors) as caught:
        check.done()
    assert set(caught.value.fields) == {"name", "long", "day", "port", "email", "choice"}
    assert errors_of(caught.value) == caught.value.fields
    assert errors_of(Conflict("x", safe="No.")) == {"form": "No."}


def test_a_form_keeps_passwords_whole_and_shows_none_again() -> None:
    form = Form([("password", " a b "), ("name", " Ada\x00 "), ("q", "1\r\n2"), ("q", "")])
    assert form.text("password") == " a b "
    assert form.values("q") == {"name": "Ada", "q": ["1\n2", ""]}


def test_names_days_and_moments_are_for_people() -> None:
    assert render.person("DOE^JANE^^DR^PHD") == "DR JANE DOE PHD"
    assert render.person("=山田^太郎") == "太郎 山田"
    assert render.person("") == ""
    assert str(render.day("20261121")) == "2026-11-21"
    assert render.day("2026") is None
    there = datetime(2026, 11, 21, 1, 0, tzinfo=timezone(timedelta(hours=9)))
    assert render.moment(there) == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    assert labels.title(["CT"], "CT HEAD") == "CT HEAD"
    assert labels.title(["CT", "SR"], "Head") == "CT/SR Head"
    assert labels.title([], "") == "Study"
    assert labels.modality(["MR", "MR", "XX"]) == "MRI, XX"


def test_places_are_written_as_the_case_layer_keeps_them() -> None:
    assert places.name("US-CA") == "California (USA)"
    assert places.name("DE") == "Germany"
    assert places.name("XX") == "XX"
    assert "US" not in places.NAMES
    assert len(places.NAMES) > 280
    assert all(len(code) <= 6 and code == code.upper() for code in places.NAMES)


def test_hospitals_are_told_the_address_that_they_can_reach() -> None:
    plain = Settings.model_validate({"dicom": "127.0.0.1:11112"})
    public = Settings.model_validate({"dicom": "0.0.0.0:104", "public_url": "https://overread.example:8443"})
    assert render.dicom_address(plain) == "127.0.0.1:11112"
    assert render.dicom_address(public) == "overread.example:104"
