"""What can go wrong on the way from a frame's bytes to a picture."""

from __future__ import annotations

from overread.kit.errors import Unprocessable
from overread.kit.language import Phrase

_BEGIN = "This image can't be shown: "


class CannotDecode(Unprocessable):
    """This frame can't be turned into a picture: its bytes are damaged, or nothing here knows their format."""

    title = Phrase("The image can't be shown")
    default_safe = Phrase(
        "This image can't be shown: its pixel data is damaged or in a format that this server can't decode."
    )

    @property
    def why(self) -> str:
        """The second half of the client's sentence."""
        return self.safe.removeprefix(_BEGIN)


def refuse(why: str) -> CannotDecode:
    """Give the error whose sentence, for the log and for the client alike, is `why`; it names no patient."""
    return CannotDecode(why, safe=_BEGIN + why)
