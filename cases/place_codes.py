"""Codes of places, as people and programs write them."""

from __future__ import annotations

import re

from overread.kit.errors import Unprocessable
from overread.kit.language import gettext

# ISO 3166-1 alpha-2, or 3166-2 with a subdivision.
_PLACE = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")


def norm_place(place: str) -> str:
    """A country or state code in capitals. Raises Unprocessable for what can be none."""
    place = place.strip().upper()
    if not _PLACE.fullmatch(place):
        raise Unprocessable("place", safe=gettext("The place is a country or state code, such as US-CA or DE."))
    return place
