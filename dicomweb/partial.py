"""Answers that hold some of what was asked for, but not all: 206 and a Warning (PS3.18 10.4.3.1 Table 10.4.3-1, 8.5).

What can be given is given: one instance that is missing, damaged or in a form that the client does not take is no
reason to withhold the others. Where nothing is left, the answer is the error that one instance alone would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.responses import Response

from dicomweb.context import Context
from pacs.serve.retrieve import Located
from pacs.store import damage

#: UIDs that are named at most where there is room for them.
_NAMED = 200


@dataclass(slots=True)
class Left:
    """What is left out of an answer about `asked` instances, and why."""

    asked: int
    damaged: list[Located] = field(default_factory=list)
    unfit: list[Located] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.damaged or self.unfit)

    @property
    def sentence(self) -> str:
        """What a client is told."""
        out = len(self.damaged) + len(self.unfit)
        found = [f"{out} of {self.asked} instances are left out:"]
        if self.damaged:
            found.append(f"{len(self.damaged)} with a missing or damaged file" + (";" if self.unfit else "."))
        if self.unfit:
            found.append(f"{len(self.unfit)} that can't be had in a form that was asked for.")
        return " ".join(found)

    @property
    def named(self) -> str:
        """The sentence, and the SOP Instance UIDs of what is left out."""
        return "\n".join([self.sentence, *(one.sop_uid for one in [*self.damaged, *self.unfit][:_NAMED])])

    def told(self, response: Response) -> Response:
        """The answer as it is where nothing is left out, else as a partial one."""
        if self and response.status_code == 200:
            response.status_code = 206
            # Warn codes and agents as RFC 7234 5.5 has them.
            response.headers["Warning"] = f'299 overread "{self.sentence}"'
        return response


def here(context: Context, found: Sequence[Located]) -> tuple[list[Located], Left]:
    """The instances whose files are here, and what is left out. Raises `pacs.store.damage.Lost` where none is."""
    kept = damage.here(context.archive, found)
    left = Left(len(found))
    if len(kept) < len(found):
        same = set(map(id, kept))
        left.damaged = [one for one in found if id(one) not in same]
    return kept, left
