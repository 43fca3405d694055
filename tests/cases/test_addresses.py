"""E-mail addresses that are typed: one mailbox each, which a stranger can't fill."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from cases import notify
from cases.models import Message
from overread.kit.addresses import is_address
from tests.cases.test_routes import Api
from tests.cases.test_undelivered import Server, send, server
from tests.cases.world import World

__all__ = ["server"]  # a fixture

REFERRAL = {
    "program": "msk",
    "patient_name": "Eve Stone",
    "birth_date": "1990-01-01",
    "place": "US-CA",
    "subjects": ["MRI"],
    "questions": ["Is it benign?"],
}


@pytest.mark.parametrize(
    "good", ["jane@example.org", "j.o'hara+x@mail.example.org", "jörg@example.org", "root@localhost"]
)
def test_what_is_an_address(good: str) -> None:
    assert is_address(good)


@pytest.mark.parametrize(
    "bad",
    [
        "1,jane@example.org",
        "1;jane@example.org",
        "a\\b@example.org",
        "<jane@example.org>",
        "Jane <jane@example.org",
        "jane@exa\u202emple.org",
        "jane@example.org\n",
        "jane@example,org",
        "jane@@example.org",
        "jane..doe@example.org",
        "jane@",
        "j" * 250 + "@example.org",
    ],
)
def test_what_is_none(world: World, bad: str) -> None:
    assert not is_address(bad)
    api = Api(world)
    status, said = api.call("coordinator", "POST", "/referrals", {**REFERRAL, "email": bad})
    assert status == 400, said
    status, said = api.call("patient", "POST", "/delegates", {"email": bad, "relation": "spouse", "scope": "help"})
    assert (status, "email: " in json.loads(said)["detail"]) == (400, True), said


def test_invitations_by_the_api_fill_no_mailbox(world: World) -> None:
    api = Api(world)
    asked = {"email": "often@example.org", "relation": "spouse", "scope": "help"}
    answers = []
    for _ in range(5):
        status, said = api.call("patient", "POST", "/delegates", asked)
        answers.append(status)
        if status == 201:
            assert api.call("patient", "DELETE", f"/delegates/{json.loads(said)['delegation_id']}")[0] == 204
    assert answers == [201, 201, 201, 429, 429]


def test_a_mail_has_one_recipient_whatever_its_address(world: World, server: Server) -> None:
    # As it was kept before addresses were looked at so closely.
    with world.db.transaction() as tx:
        notify.queue_address(tx, "one,two@example.org", "place_served")
        message_id = tx.scalars(select(Message.id).order_by(Message.id.desc()).limit(1)).one()
    send(world, server.url, message_id)
    assert server.told in ([], ["one,two@example.org"])
