"""Whether two texts name one practice, hospital or person. Pure.

People write them as they come to mind ("St. Brendan's", "Saint Brendan Hospital, Dept. of Radiology"): what is compared
are the words that tell one from another, without case, accents and dots, and without what every practice is called.
"""

from __future__ import annotations

from pacs.index.folding import fold, words


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words that tell no practice from another, folded.
_COMMON = _words(
    "a ag and associates at center centre centro clinic clinica clinical clinics clinique co corp de del department "
    "dept der des di diagnostic diagnostics die doctor dr et for foundation fur gmbh group health healthcare hopital "
    "hospital imaging in inc institut institute klinik klinikum krankenhaus la le llc llp ltd mbh md medical medicine "
    "medizin mvz of office ospedale partners phd practice praxis private prof professor radiologie radiology s the und "
    "universitatsklinik universitatsklinikum university y zentrum"
)
_SAME = {"saint": "st", "sankt": "st", "santa": "st", "san": "st", "mount": "mt"}


def telling(name: str) -> frozenset[str]:
    """The words of a name that tell it from others; where it has none, all of its words."""
    found = _all(name)
    return found - _COMMON or found


def names(text: str, name: str) -> bool:
    """Whether a text names a practice or a person: every word that tells it from others stands there.

    A single such word of one or two letters names nobody.
    """
    of_name, of_text = telling(name), telling(text)
    if not of_name or all(len(one) < 3 and one.isascii() for one in of_name):
        return False
    return of_name <= of_text


def without_town(practice: str) -> str:
    """A practice without what stands behind its first comma, which is where it lies, if the rest tells it from others.

    Whoever names it elsewhere may leave that out.
    """
    first = practice.partition(",")[0]
    return first if _all(first) - _COMMON else practice


def _all(name: str) -> frozenset[str]:
    # The apostrophe of "Brendan's" is no end of a word that tells anything.
    plain = name.replace("’", "'").replace("'s ", " ").removesuffix("'s")
    return frozenset(_SAME.get(one, one) for one in words(fold(plain)))
