"""What patients agree to: the server's own texts, each with its version.

A consent is recorded by the version and the digest of the text here; what a client sends is only compared with them.
Whoever changes a text gives it a new version (a test holds both together): drafts then ask for it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cases.models import Consent
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page of words."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A public page of words. `path` is its address."""

    path: str
    title: str
    description: str
    headline: str
    lede: str
    sections: tuple[Section, ...]

    def plain(self) -> str:
        """The whole text."""
        lines = [self.headline, self.lede]
        for part in self.sections:
            lines += [part.heading, *part.paragraphs, *part.points]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What a patient agrees to: `name` is the consent's kind, `label` the sentence beside the box."""

    name: str
    label: str
    version: str
    words: Words

    @property
    def text(self) -> str:
        """All that is agreed to: the sentence beside the box, and the text that it speaks of."""
        return f"{self.label}\n{self.words.plain()}"

    @property
    def digest(self) -> str:
        """SHA-256 of the text, as it is recorded with a consent."""
        return hashlib.sha256(self.text.encode()).hexdigest()


_TERMS = Words(
    "/terms",
    "Terms of use – Overread",
    "What the second opinion service does, what it does not do, what it costs and when you get your money back.",
    "Terms of use",
    "What you can expect from us, and what we ask of you.",
    (
        Section(
            "What you get",
            (
                (
                    "A specialist reads the images that you send and answers each of your questions in a signed "
                    "report. The report is based on the images and on what you tell us; nobody examines you."
                ),
                "It is an opinion for you and your physician. It is no treatment and no prescription.",
            ),
        ),
        Section(
            "What it is not for",
            ("Never use this service in an emergency: call your local emergency number. An opinion takes days.",),
        ),
        Section(
            "What you pay",
            (
                (
                    "The price is shown before you pay. It is held on your card when you send your request, and "
                    "charged when a specialist takes it. If we can’t help, the hold is released and nothing is charged."
                ),
                (
                    "You can withdraw at any time before the report is signed. Until a specialist has taken your "
                    "request you get everything back; afterwards, the part that was shown to you before you paid."
                ),
            ),
        ),
        Section("What we ask of you", ("Send only images that are yours, or of somebody whom you may act for.",)),
    ),
)
_PRIVACY = Words(
    "/privacy",
    "Privacy – Overread",
    "Who sees your images and your words, how they are protected, and how you can take them back.",
    "Privacy",
    "Your health data is used to answer your questions, and for nothing else.",
    (
        Section(
            "Who sees what",
            points=(
                "Coordinators of the program see your request and your images, to check that they are yours.",
                "The specialist sees your questions and your images without your name, birth date and numbers.",
                "The payment provider gets an amount and a number that means nothing to anybody else.",
                "Our mails hold no word about your health.",
            ),
        ),
        Section("What you see", ("Your case lists everybody who opened your request, your images or your report.",)),
        Section(
            "How it is kept",
            (
                (
                    "Every change and every access is recorded. Connections are encrypted. Images that hospitals send "
                    "without naming a request are seen by coordinators alone."
                ),
            ),
        ),
        Section("Your rights", ("You can withdraw your request yourself, and write to us to see or erase your data.",)),
    ),
)
_SHARING = Words(
    "/sharing",
    "Sharing your images – Overread",
    "What you allow when you share your images and documents with a specialist.",
    "Sharing your images",
    "Before a specialist can read your images and documents, you have to allow it.",
    (
        Section(
            "What you allow",
            points=(
                "The images and documents are yours, or you may share them for the person they are of.",
                "We make a copy without name, birth date and numbers, and show that copy to one specialist.",
                "Text that may be burned into the pictures is looked for, and a person checks what was found.",
                "A person looks at every page of a document before the specialist does.",
                "The specialist loses access some days after the report, and at once when you withdraw.",
            ),
        ),
    ),
)
CONSENTS: tuple[ConsentText, ...] = (
    ConsentText("terms", "I accept the terms of use.", "1", _TERMS),
    ConsentText("privacy", "I agree that my health data is handled as the privacy page says.", "1", _PRIVACY),
    ConsentText(
        "authority_to_share",
        "I may share these images and documents, and want them shown to the specialist.",
        "2",
        _SHARING,
    ),
)
#: A consent of its own, asked only of patients whom somebody referred, and withdrawn as easily as it was given.
REPORT_TO_REFERRER = ConsentText(
    "report_to_referrer",
    "Whoever referred me may read my report.",
    "1",
    Words(
        "/referrers",
        "Sharing your report – Overread",
        "What you allow when you share your report with the physician who referred you.",
        "Sharing your report",
        "The physician who prepared your request does not see your report unless you want that.",
        (
            Section(
                "What you allow",
                points=(
                    "The physician or hospital that referred you can read and download your report.",
                    "You see in your case when they read it.",
                    (
                        "You can take this back at any time: from then on they can’t open it here. What they "
                        "downloaded before stays with them."
                    ),
                ),
            ),
        ),
    ),
)
#: A consent of its own for each link that a treating physician gets.
REPORT_TO_PHYSICIAN = ConsentText(
    "report_to_physician",
    "This physician may read my report.",
    "1",
    Words(
        "/physicians",
        "Sharing your report with your physician – Overread",
        "What you allow when you let a physician read your report by a link and a code.",
        "Sharing your report with your physician",
        "A physician who treats you can read your report without an account here, if you want that.",
        (
            Section(
                "What you allow",
                points=(
                    "The physician reads and downloads your report, with its corrections and additions. No images.",
                    "They get a link by mail. It opens with a code alone, which you give them yourself.",
                    "The link ends on the day that you choose, and at once when you end it.",
                    "You see when they read it. What they downloaded stays with them.",
                    (
                        "If the report is corrected or taken back, we mail them that, also after the end, if they "
                        "have read it."
                    ),
                ),
            ),
        ),
    ),
)
CURRENT: Mapping[str, ConsentText] = {text.name: text for text in CONSENTS}
#: The pages on which the texts stand.
PAGES: Mapping[str, Words] = {
    text.words.path: text.words for text in (*CONSENTS, REPORT_TO_REFERRER, REPORT_TO_PHYSICIAN)
}


def current(kind: str, version: str, digest: str | None = None) -> ConsentText:
    """The text of a kind as it stands, which is the one that was agreed to.

    Raises Unprocessable for an unknown kind, and Conflict, with the text of now, where another one was agreed to.
    """
    text = CURRENT.get(kind)
    if text is None:
        raise Unprocessable(
            f"consent {kind!r}", safe=gettext("A consent is one of: %(names)s.", names=", ".join(CURRENT))
        )
    require_shown(text, version, digest)
    return text


def require_shown(text: ConsentText, version: str, digest: str | None = None) -> None:
    """Refuse with Conflict, and the text of now, where another one was shown to who agreed."""
    if version != text.version or digest not in (None, text.digest):
        raise Conflict(
            f"consent {text.name} to version {version[:32]!r}, which is {text.version}",
            safe=gettext(
                "“%(headline)s” is version %(version)s now. Please read it, then agree to it.",
                headline=text.words.headline,
                version=text.version,
            ),
            kind=text.name,
            version=text.version,
            digest=text.digest,
            words=text.text,
        )


def standing(given: Iterable[Consent]) -> tuple[str, ...]:
    """The kinds of the consents that were given to the texts as they stand now."""
    return tuple(dict.fromkeys(one.kind for one in given if one.version == CURRENT[one.kind].version))
