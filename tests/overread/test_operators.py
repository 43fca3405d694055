"""Programs' tokens from the command line: given out, and ended all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from overread import operators
from overread.kit import principals, tokens
from overread.kit.db import Database
from overread.kit.errors import NotFound, NotSignedIn
from overread.kit.principals import Role
from overread.kit.settings import Settings


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
