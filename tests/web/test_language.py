"""What people read is looked up: with a catalogue that marks every message, pages hold no other words of ours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages import Catalog, pofile
from starlette.testclient import TestClient

from cases.consents import CURRENT
from overread.kit import language
from overread.kit.errors import Conflict
from overread.kit.language import Phrase, gettext, ngettext, speaking
from overread.kit.words import counted
from overread.web import places
from scripts import messages
from tests.cases.world import World
from tests.web import test_pages
from tests.web.test_pages import Cases, _pages

cases = test_pages.cases
#: A language of two plural forms that nobody is asked in here.
MARKED = "eo"
TEMPLATE = Path(language.CATALOGUES / "overread.pot")
Browser = Callable[..., TestClient]


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalogue in which every message stands between brackets."""
    known = pofile.read_po(io.BytesIO(TEMPLATE.read_bytes()))
    made = Catalog(locale=MARKED)
    for one in known:
        if one.id:
            ids = one.id if isinstance(one.id, tuple) else (one.id,)
            made.add(one.id, tuple(f"⟦{text}⟧" for text in ids) if one.pluralizable else f"⟦{ids[0]}⟧")
    with (tmp_path / f"{MARKED}.po").open("wb") as file:
        pofile.write_po(file, made)
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    for cached in (language.languages, language.catalogue):
        cached.cache_clear()
    yield
    for cached in (language.languages, language.catalogue):
        cached.cache_clear()


class _Texts(HTMLParser):
    """The texts and the attributes of a page that people read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "code")
        told = dict(attrs)
        self.found += [told[name] or "" for name in ("alt", "title", "aria-label", "placeholder") if told.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "code")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)


def _unmarked(page: str) -> set[str]:
    """What stands on a page outside of every bracket."""
    parser = _Texts()
    parser.feed(page)
    whole = "\n".join(parser.found)
    while (less := re.sub(r"⟦[^⟦⟧]*⟧", " ", whole)) != whole:
        whole = less
    return {line.strip() for line in whole.split("\n") if re.search(r"[A-Za-z]{3}", line)}


#: What stands on pages and is nobody's to translate: what people typed, facts, and words as the database has them.
_DATA = re.compile(
    r"""(?x) .*<script> .* | .*(?:Oyelaran|OYELARAN)(?!\^) .* | Some[ ]\w+ .* | CITY | OVERREAD
    | (?:\d\.[ ])? (?:Is[ ]it[ ]torn\? | Do[ ]I[ ]need[ ]surgery\?) | All[ ]is[ ]well\. | Answer[ ]\d
    | Pain[ ]in[ ]the[ ]knee | Free[ ]reading,? | Bone[ ]and[ ]joint | Written[ ]report
    | ,[ ]with[ ]earlier[ ]ones[ ]to[ ]compare
    | a[ ]statute | Consultant[ ]radiologist,[ ]FRCR | Hillside[ ]Imaging,[ ]Ghent | [0-9a-f]{64} | SHA-256
    | OV-\S+ .* | [A-Z]{3} | \S+@\S+ | https?:\S+ | [\w.]+:\d+ | DICOMweb[ ]\(STOW-RS\)
    | \d+[ ][A-Z][a-z]{2}[ ]\d{4} .* | [A-Z][a-z]+day[ ]\d+[ ][A-Z][a-z]+,.* | \d+[ ](?:study|studies)
    | (?i:patient|coordinator|specialist|hospital|admin|auditor|system|system,[ ]system)  # roles
    | \w+\.\w+ | [A-Z][a-z]+:[ ][a-z ]+ | (?:via|view|digest|kind|version)[ ].* | Success         # the audit log
    | The[ ]birth[ ]dates[ ]differ\.[ ]The[ ]names[ ]differ\.                              # kept with the study
    | Clean[ ]Graphics,.* """  # the standard's names of options
)
#: Texts with a version, which are agreed to word by word (`cases.consents`), and places, are one language's yet.
_ASKED = "/eligibility?program=msk&subject=CT&place=FR&emergency=no"
_KEPT = {words.label for words in CURRENT.values()} | set(places.NAMES.values())


def test_no_page_has_words_that_no_catalogue_can_translate(
    world: World,
    cases: Cases,
    browser: Browser,
    marked: None,
) -> None:
    found: dict[str, set[str]] = {}
    everything = {path: people[0] for path, people in _pages(cases).items()}
    for path, key in {
        **everything,
        **dict.fromkeys(("/", "/sign-in", "/sign-up", "/nowhere", "/eligibility", _ASKED), ""),
    }.items():
        client = browser(world, key) if key else browser()
        answer = client.get(path, headers={"Accept": "text/html", "Accept-Language": f"{MARKED}, en;q=0.5"})
        # The site's own articles are content, and not the program's words.
        if path != "/" and answer.headers["content-type"].startswith("text/html") and answer.status_code != 303:
            assert f'<html lang="{MARKED}">' in answer.text
            for text in _unmarked(answer.text):
                found.setdefault(text, set()).add(path)
    assert len(found) > 100
    assert {text: paths for text, paths in found.items() if not _DATA.fullmatch(text) and text not in _KEPT} == {}


def test_a_message_says_what_it_is_about(marked: None) -> None:
    assert (gettext("Home"), f"{Phrase('Home')}", ngettext("study", "studies", 2)) == ("Home", "Home", "studies")
    with speaking(MARKED):
        refused = Conflict("for the log", safe=gettext("There is no frame %(number)s.", number=3))
        assert (refused.safe, str(refused)) == ("⟦There is no frame 3.⟧", "for the log")
        assert f"{Phrase('Home')}" == "⟦Home⟧"
        assert Phrase("Home") == "Home"
        assert counted(2, "study", "studies") == "2 ⟦studies⟧"
    with speaking("xx"):
        assert language.current() == language.SOURCE


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("", "en"),
        ("eo", "eo"),
        ("EO-xx, en;q=0.9", "eo"),
        ("en, eo;q=0.5", "en"),
        ("de, eo;q=0.1, en;q=0.05", "eo"),
        ("eo;q=0, en", "en"),
        ("eo;q=much, de", "en"),
        ("*;q=0.5", "en"),
        (",;;=," * 50, "en"),
    ],
)
def test_a_browser_gets_the_language_that_it_likes_best(marked: None, asked: str, answered: str) -> None:
    assert language.preferred(asked) == answered


def test_the_template_lists_what_the_code_says() -> None:
    assert TEMPLATE.read_text() == messages.template(), "run `make messages`"


@pytest.mark.parametrize("file", sorted(language.CATALOGUES.glob("*.po*")), ids=lambda file: file.name)
def test_a_catalogue_keeps_the_names_of_what_stands_in_a_message(file: Path) -> None:
    for one in pofile.read_po(io.BytesIO(file.read_bytes())):
        for text in _forms(one.id):
            assert text.count("%(") == len(re.findall(r"%\(\w+\)[sr]", text)), text
        # A straight quotation mark would end an attribute that a template puts a message into.
        assert not any('"' in text and "<" not in text for text in _forms(one.string)), one.id


def _forms(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, (tuple, list)) else (str(text or ""),)
