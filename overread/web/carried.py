"""What somebody typed when their session had ended goes with them through signing in, and is sent once they are back.

Nothing of it is kept here: the form stands in the page that asks for the password, and in the one behind it.
"""

from __future__ import annotations

import json

from overread.web.errors import local_path
from overread.web.forms import MAX_BYTES, Form

#: A form that is larger than what signing in takes is not carried.
_MOST = MAX_BYTES // 2
_NO_PASSWORDS = "password"


def packed(form: Form) -> str:
    """A form as one value of another; "" where there is nothing to carry, or too much. No password, no file."""
    pairs = [(name, value) for name, value in form.pairs() if _NO_PASSWORDS not in name]
    text = json.dumps(pairs, ensure_ascii=False)
    return text if pairs and len(text.encode()) <= _MOST else ""


def unpacked(form: Form) -> tuple[str, list[tuple[str, str]]]:
    """Where a carried form goes, and its fields; "" and nothing where none came along, or it is not one of ours."""
    target = local_path(form.text("carried_to"), "")
    try:
        pairs = json.loads(form.text("carried") or "[]")
    except ValueError:
        return "", []
    good = isinstance(pairs, list) and all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in pairs
    )
    return (target, [(name, value) for name, value in pairs]) if good and pairs and target else ("", [])
