"""Which options of PS3.15 Annex E a program applies, and the codes that say so in the result (CID 7050)."""

from __future__ import annotations

from dataclasses import dataclass

#: Edition of the tables in `data/`, named in every proof.
TABLE_EDITION = "PS3.15 2026d"


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Application Level Confidentiality Profile and its options (PS3.15 E.2, E.3).

    UIDs, device and institution identity are never retained: a second opinion needs none of them.
    """

    name: str
    #: E.3.6: dates are moved by one whole number of days a case; without it they are emptied or replaced.
    modified_dates: bool = True
    #: E.3.7: sex, age, size and weight stay.
    patient_characteristics: bool = True
    #: Ages above this many years are written as one more: 89 gives "090Y" to everyone older.
    age_cap: int = 89
    #: E.3.10: private attributes that the standard itself lists as safe stay.
    safe_private: bool = True
    #: E.3.5: descriptors keep the words of `data/vocabulary.txt`.
    clean_descriptors: bool = True
    #: E.3.4: content items go or stay by the concept that they name (Table E.3.4-1).
    clean_structured_content: bool = True
    #: E.3.3: graphic annotations keep their shapes, their text is cleaned; overlays and curves go.
    clean_graphics: bool = True

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
            ("retain_safe_private", self.safe_private, "113111", "Retain Safe Private Option"),
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
