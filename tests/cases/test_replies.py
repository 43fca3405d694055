"""Saved replies: a program's texts, written and inserted by coordinators."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from cases.desk_models import SavedReply
from cases.repository import active_program
from cases.service import replies
from overread.kit import clock
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.world import World


def test_replies_are_a_program_s_own_and_written_by_coordinators(world: World) -> None:
    who, case_id = world.coordinator, world.submitted("free")
    with world.db.transaction() as tx:
        made = replies.add(tx, who, "free", " Thank  you ", "Thank you for your message.\x00")
        assert replies.add(tx, who, "free", "Thank you", "Thank you for your message.") == made
        replies.add(tx, who, "msk", "Thank you", "Thanks.")
        replies.add(tx, who, "free", "a word", "A word.")
    with world.db.transaction() as tx:
        assert [one.name for one in replies.for_case(tx, who, case_id)] == ["a word", "Thank you"]
        assert [one.text for one in replies.listed(tx, who, "msk")] == ["Thanks."]
        [before] = [one for one in replies.listed(tx, who, "free") if one.reply_id == made]
        assert before.changed_by == who.name
        replies.change(tx, who, made, "Thanks", "Thank you very much.", instead_of=before.changed_at)
    with pytest.raises(Conflict, match="meanwhile"), world.db.transaction() as tx:
        replies.change(tx, who, made, "Thanks", "Other words", instead_of=before.changed_at)
    for act in (
        lambda tx: replies.add(tx, who, "free", "Thanks", "Others"),
        lambda tx: replies.change(tx, who, made, "a word", "Thank you very much."),
    ):
        with pytest.raises(Conflict, match="name"), world.db.transaction() as tx:
            act(tx)
    with world.db.transaction() as tx:
        replies.delete(tx, who, made)
        assert [one.name for one in replies.listed(tx, who, "free")] == ["a word"]
    with pytest.raises(NotFound), world.db.transaction() as tx:
        replies.delete(tx, who, made)


def test_replies_have_an_end_and_no_other_readers(world: World) -> None:
    case_id = world.submitted("free")
    for name, text in (("", "x"), ("x", " "), ("x" * 81, "x"), ("x", "x" * 4_001)):
        with pytest.raises(Unprocessable), world.db.transaction() as tx:
            replies.add(tx, world.coordinator, "free", name, text)
    for key in ("patient", "specialist", "hospital", "admin", "auditor"):
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            replies.listed(tx, world.who[key], "free")
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            replies.add(tx, world.who[key], "free", "x", "x")
    with pytest.raises(Forbidden), world.db.transaction() as tx:
        replies.for_case(tx, world.patient, case_id)
    with world.db.transaction() as tx:
        program = active_program(tx, "free").id
        rows = [
            {
                "id": clock.uuid7(),
                "program_id": program,
                "name": f"n{n}",
                "text": "x",
                "changed_by": world.coordinator.id,
                "changed_at": clock.now(),
            }
            for n in range(replies.MOST)
        ]
        tx.execute(insert(SavedReply), rows)
        with pytest.raises(Conflict, match="replies"):
            replies.add(tx, world.coordinator, "free", "one more", "x")
