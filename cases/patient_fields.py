"""What a patient's birth date and sex can be, whoever says them."""

from __future__ import annotations

from datetime import date

from overread.kit import clock
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext

_OLDEST = date(1880, 1, 1)


def require_sex(sex: str) -> None:
    """Raises Unprocessable for what is none of F, M, O or empty (PS3.3 C.2.2.2)."""
    if sex not in ("", "F", "M", "O"):
        raise Unprocessable("sex", safe=gettext("Sex is F, M, O or left empty."))


def require_birth_date(born: date | None) -> None:
    """Raises Unprocessable for a day on which no patient of today was born."""
    if born is None or not _OLDEST <= born <= clock.now().date():
        raise Unprocessable("birth date", safe=gettext("Please check the birth date."))
