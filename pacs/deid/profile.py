"""Which options of PS3.15 Annex E a program applies, and the codes that say so in the result (CID 7050)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from overread.kit.errors import Unprocessable
from overread.kit.language import gettext

#: Edition of the tables in `data/`, named in every proof.
TABLE_EDITION = "PS3.15 2026d"

LOWEST_AGE_CAP, HIGHEST_AGE_CAP = 18, 89


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Application Level Confidentiality Profile and its options (PS3.15 E.2, E.3).

    Retain UIDs is not offered: a view's own UIDs are what keeps the same study in two cases from being joined.
    """

    name: str
    #: E.3.6: dates are moved by one whole number of days a case; without it they are emptied or replaced.
    modified_dates: bool = True
    #: E.3.6: dates stay as they are; in the place of `modified_dates`, never beside it.
    full_dates: bool = False
    #: E.3.7: sex, age, size and weight stay.
    patient_characteristics: bool = True
    #: Ages above this many years are written as one more: 89 gives "090Y" to everyone older.
    age_cap: int = 89
    #: E.3.8: serial numbers, station names and UIDs of devices stay.
    device_identity: bool = False
    #: E.3.11: name, department and address of the institution stay.
    institution_identity: bool = False
    #: E.3.10: private attributes that the standard itself lists as safe stay.
    safe_private: bool = True
    #: E.3.5: descriptors keep the words of `data/vocabulary.txt`.
    clean_descriptors: bool = True
    #: E.3.4: content items go or stay by the concept that they name (Table E.3.4-1).
    clean_structured_content: bool = True
    #: E.3.3: graphic annotations keep their shapes, overlays their marks, text is cleaned; curves go.
    clean_graphics: bool = True

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, and a cap that would tell one old person from another."""
        if self.full_dates and self.modified_dates:
            raise Unprocessable(
                "dates", safe=gettext("Dates are either moved or left as they are: choose one of both options.")
            )
        if not LOWEST_AGE_CAP <= self.age_cap <= HIGHEST_AGE_CAP:
            raise Unprocessable(
                f"age cap {self.age_cap}",
                safe=gettext(
                    "Ages can be capped at %(least)s to %(most)s years; above that few are left.",
                    least=LOWEST_AGE_CAP,
                    most=HIGHEST_AGE_CAP,
                ),
            )

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Profile:
        """Make a profile of what `stored` gave; an option it does not name has its default. Raises Unprocessable."""
        kinds = {one.name: {"str": str, "bool": bool, "int": int}[str(one.type)] for one in fields(cls)}
        for option, value in stored.items():
            if option not in kinds or type(value) is not kinds[option]:
                raise Unprocessable(
                    f"option {option!r} of a profile",
                    safe="A profile has no such option, or not with such a value: " + ", ".join(sorted(kinds)) + ".",
                )
        return cls(**{"name": SECOND_OPINION.name, **stored})

    def stored(self) -> dict[str, Any]:
        """Give name and options as JSON keeps them; `of` reads it back."""
        return asdict(self)

    @property
    def keeps_dates(self) -> bool:
        """Tell whether dates stay in any form."""
        return self.modified_dates or self.full_dates

    def options(self) -> frozenset[str]:
        """Give the columns of Table E.1-1 that are in force, as `data/table-e.1-1.csv` names them."""
        return frozenset(column for column, wanted, _, _ in self._table() if wanted and column)

    def codes(self) -> tuple[tuple[str, str], ...]:
        """Give (code value, code meaning) of scheme DCM for De-identification Method Code Sequence (0012,0064)."""
        return tuple((code, meaning) for _, wanted, code, meaning in self._table() if wanted)

    def identifier(self) -> str:
        """Name the profile, the tables' edition and the options in one line, for the proof."""
        return f"{self.name} ({TABLE_EDITION}): " + "+".join(code for code, _ in self.codes())

    def _table(self) -> tuple[tuple[str, bool, str, str], ...]:
        # PS3.16 CID 7050 De-identification Method
        return (
            ("", True, "113100", "Basic Application Confidentiality Profile"),
            ("clean_graphics", self.clean_graphics, "113103", "Clean Graphics Option"),
            ("clean_structured_content", self.clean_structured_content, "113104", "Clean Structured Content Option"),
            ("clean_descriptors", self.clean_descriptors, "113105", "Clean Descriptors Option"),
            (
                "retain_longitudinal_full_dates",
                self.full_dates,
                "113106",
                "Retain Longitudinal Temporal Information Full Dates Option",
            ),
            (
                "retain_longitudinal_modified_dates",
                self.modified_dates,
                "113107",
                "Retain Longitudinal Temporal Information Modified Dates Option",
            ),
            (
                "retain_patient_characteristics",
                self.patient_characteristics,
                "113108",
                "Retain Patient Characteristics Option",
            ),
            ("retain_device_identity", self.device_identity, "113109", "Retain Device Identity Option"),
            ("retain_safe_private", self.safe_private, "113111", "Retain Safe Private Option"),
            ("retain_institution_identity", self.institution_identity, "113112", "Retain Institution Identity Option"),
        )


#: What a specialist needs who reads someone else's study.
SECOND_OPINION = Profile("second-opinion")

#: Nothing but the Basic Profile: for those who must not see more.
BASIC = Profile(
    "basic",
    modified_dates=False,
    patient_characteristics=False,
    safe_private=False,
    clean_descriptors=False,
    clean_structured_content=False,
    clean_graphics=False,
)
