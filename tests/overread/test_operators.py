"""Programs' tokens from the command line: given out, and ended all at once."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from cases.models import Message
from overread import cli
from overread.commands import operators
from overread.kit import clock, principals, tokens
from overread.kit.db import Database
from overread.kit.errors import NotFound, NotSignedIn
from overread.kit.principals import Role
from overread.kit.settings import Settings
from tests.cases.test_bounces import report


def test_what_an_operator_may_not_is_said_in_words_for_whoever_asks(
    database: Database, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.transaction() as tx:
        for name, role in (("one", Role.HOSPITAL), ("other", Role.HOSPITAL), ("reader", Role.SPECIALIST)):
            principals.create(tx, role=role, name=name, email=f"{name}@example.org")

    def add(title: str, owner: str, role: str = "hospital") -> tuple[int, str]:
        where = ["--data-dir", str(tmp_path), "--host", "127.0.0.1", "--port", "104"]
        asked = ["ae", "add", title, "--role", role, "--owner", f"{owner}@example.org", *where]
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("OVERREAD_DATABASE_URL", database_url)
            patched.setattr(sys, "argv", ["overread", *asked])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    assert add("WARD", "one")[0] == 0
    assert add("WARD", "other") == (1, "overread: WARD is registered for somebody else. Choose another title.\n")
    assert add("WARD", "reader", "specialist") == (
        1, "overread: WARD is registered with another role. Give this peer another title.\n"
    )  # fmt: skip
    assert add("DESK", "reader") == (1, "overread: The owner of this peer is no hospital.\n")


def test_a_program_s_tokens_end_together_and_nobody_else_s(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "database_url": database_url})
    mine = [operators.create_token(settings, Role.HOSPITAL, "ward") for _ in range(2)]
    others = [operators.create_token(settings, Role.HOSPITAL, "desk")]
    with database.transaction() as tx:
        # A person of the same name and role is nobody's program.
        person = principals.create(tx, role=Role.HOSPITAL, name="ward", email="ward@example.org")
        others.append(tokens.issue(tx, person.id))
    assert operators.end_tokens(settings, Role.HOSPITAL, "ward") == 2
    assert operators.end_tokens(settings, Role.HOSPITAL, "ward") == 0
    with database.transaction() as tx:
        for token in mine:
            with pytest.raises(NotSignedIn):
                tokens.verify(tx, token)
        for token in others:
            assert tokens.verify(tx, token).role is Role.HOSPITAL
    with pytest.raises(NotFound):
        operators.end_tokens(settings, Role.ADMIN, "ward")
    assert operators.create_token(settings, Role.HOSPITAL, "ward") not in mine


def test_a_mail_server_s_report_is_read_from_standard_input(
    database: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with database.transaction() as tx:
        person = principals.create(tx, role=Role.COORDINATOR, name="Ingrid", email="ingrid@example.org")
        mail = Message(recipient_id=person.id, template="damaged", facts={}, sent_at=clock.now())
        tx.add(mail)
        tx.flush()
        message_id = mail.id
    monkeypatch.setenv("OVERREAD_DATABASE_URL", database_url)
    monkeypatch.setattr(sys, "argv", ["overread", "bounce", "--data-dir", str(tmp_path)])

    def told(content: bytes) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    # A mail server would report a failure of this, too: what is none of ours is none.
    code, said = told(b"Subject: I am away\n\nUntil Monday.\n")
    assert (code, "no report of a mail of ours" in said) == (0, True)
    code, said = told(report(message_id))
    assert (code, "in the coordinators' list" in said) == (0, True)
    with database.transaction() as tx:
        assert tx.get_one(Message, message_id).failure == "550 5.1.1 mailbox unavailable"
