"""What the sandbox remembers: its objects, its movable clock, its events, and the file that keeps them."""

from __future__ import annotations

import copy
import json
import os
import secrets
import string
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from billing.sandbox.errors import no_such

Obj = dict[str, Any]

API_VERSION = "2026-10-28.endive"  # the version that the stripe package of this release speaks

# Prefix of an id -> the object's name, which is also its collection's.
KINDS = {
    "cs": "checkout.session",
    "pi": "payment_intent",
    "seti": "setup_intent",
    "cus": "customer",
    "pm": "payment_method",
    "ch": "charge",
    "re": "refund",
    "dp": "dispute",
    "evt": "event",
}


class World:
    """The sandbox's state, in memory and in one JSON file.

    A key that starts with an underscore is the sandbox's own and never leaves it. Everything runs on one event
    loop without awaiting in between: there is nothing to lock.
    """

    def __init__(self, state_file: Path | None = None) -> None:
        self.file = state_file
        self.offset = 0
        self.objects: dict[str, dict[str, Obj]] = {kind: {} for kind in KINDS.values()}
        self.idempotency: dict[str, Obj] = {}
        self.on_event: Callable[[Obj], None] = lambda _event: None
        if state_file is not None and state_file.exists():
            kept = json.loads(state_file.read_text())
            self.offset = kept["offset"]
            a_day_ago = self.now() - 86400
            self.idempotency = {key: kept_ for key, kept_ in kept["idempotency"].items() if kept_["at"] > a_day_ago}
            for kind, things in kept["objects"].items():
                self.objects[kind] = things

    def save(self) -> None:
        """Write the file anew beside the old one, then replace it: a crash leaves one of the two whole."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        aside = self.file.with_suffix(".new")
        kept = {"offset": self.offset, "idempotency": self.idempotency, "objects": self.objects}
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            json.dump(kept, f)
            f.flush()
            os.fsync(f.fileno())
        aside.replace(self.file)

    def now(self) -> int:
        """Seconds since 1970, as the sandbox's clock shows them."""
        return int(time.time()) + self.offset

    def today(self) -> datetime:
        """The same as a date and time in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def new_id(self, prefix: str) -> str:
        """An id as Stripe writes them: prefix, then 24 letters and digits (a session's id is longer)."""
        alphabet = string.ascii_letters + string.digits
        length = 58 if prefix == "cs_test" else 24
        return f"{prefix}_" + "".join(secrets.choice(alphabet) for _ in range(length))

    def add(self, prefix: str, fields: Obj) -> Obj:
        """A new object: id, name, creation time and livemode before its own fields."""
        thing = {
            "id": self.new_id(prefix),
            "object": KINDS[prefix.split("_")[0]],
            "created": self.now(),
            "livemode": False,
            **fields,
        }
        self.objects[thing["object"]][thing["id"]] = thing
        return thing

    def get(self, kind: str, object_id: str, param: str = "id") -> Obj:
        """An object by its id. Raises ApiError (404) where there is none."""
        try:
            return self.objects[kind][object_id]
        except KeyError:
            raise no_such(kind.replace(".", " "), object_id, param) from None

    def all(self, kind: str) -> list[Obj]:
        """Every object of a kind, oldest first."""
        return list(self.objects[kind].values())

    def event(self, name: str, thing: Obj) -> Obj:
        """Record that something happened to an object; the webhooks take it from here."""
        event = self.add(
            "evt",
            {
                "api_version": API_VERSION,
                "type": name,
                "data": {"object": public(thing)},
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
            },
        )
        self.on_event(event)
        return event

    def expanded(self, thing: Obj, paths: list[str]) -> Obj:
        """A copy of an object for the outside, with the ids at `paths` replaced by what they name."""
        seen = public(thing)
        for path in paths:
            nodes = [seen]
            for name in path.split("."):
                following = []
                for node in nodes:
                    value = node.get(name)
                    if isinstance(value, str):
                        kind = KINDS.get(value.split("_")[0], "")
                        value = node[name] = public(self.get(kind, value, "expand")) if kind else value
                    following += [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, dict)]
                nodes = following
        return seen


def public(thing: Obj) -> Obj:
    """A deep copy without what is the sandbox's own."""
    return {key: copy.deepcopy(value) for key, value in thing.items() if not key.startswith("_")}
