"""The site's own words: consents with their versions, and the public pages. A consent's digest is taken of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
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
    sections: tuple[Part, ...]

    def plain(self) -> str:
        """The whole text, as its digest is taken."""
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


_TERMS = Words(
    "/terms",
    "Terms of use – Overread",
    "What the second opinion service does, what it does not do, what it costs and when you get your money back.",
    "Terms of use",
    "What you can expect from us, and what we ask of you.",
    (
        Part(
            "What you get",
            (
                (
                    "A specialist reads the images that you send and answers each of your questions in a signed "
                    "report. The report is based on the images and on what you tell us; nobody examines you."
                ),
                "It is an opinion for you and your physician. It is no treatment and no prescription.",
            ),
        ),
        Part(
            "What it is not for",
            ("Never use this service in an emergency: call your local emergency number. An opinion takes days.",),
        ),
        Part(
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
        Part("What we ask of you", ("Send only images that are yours, or of somebody whom you may act for.",)),
    ),
)
_PRIVACY = Words(
    "/privacy",
    "Privacy – Overread",
    "Who sees your images and your words, how they are protected, and how you can take them back.",
    "Privacy",
    "Your health data is used to answer your questions, and for nothing else.",
    (
        Part(
            "Who sees what",
            points=(
                "Coordinators of the program see your request and your images, to check that they are yours.",
                "The specialist sees your questions and your images without your name, birth date and numbers.",
                "The payment provider gets an amount and a number that means nothing to anybody else.",
                "Our mails hold no word about your health.",
            ),
        ),
        Part("What you see", ("Your case lists everybody who opened your request, your images or your report.",)),
        Part(
            "How it is kept",
            (
                (
                    "Every change and every access is recorded. Connections are encrypted. Images that hospitals send "
                    "without naming a request are seen by coordinators alone."
                ),
            ),
        ),
        Part("Your rights", ("You can withdraw your request yourself, and write to us to see or erase your data.",)),
    ),
)
_SHARING = Words(
    "/sharing",
    "Sharing your images – Overread",
    "What you allow when you share your images with a specialist.",
    "Sharing your images",
    "Before a specialist can read your images, you have to allow it.",
    (
        Part(
            "What you allow",
            points=(
                "The images are yours, or you may share them for the person they show.",
                "We make a copy without name, birth date and numbers, and show that copy to one specialist.",
                "Text that may be burned into the pictures is looked for, and a person checks what was found.",
                "The specialist loses access some days after the report, and at once when you withdraw.",
            ),
        ),
    ),
)
_GUIDE = Words(
    "/guides/images",
    "How to get your images from a hospital – Overread",
    "How to ask a hospital for your MRI, CT, X-ray or mammogram as DICOM files, and what to ask for.",
    "How to get your images from a hospital",
    "It takes one call or one visit. The images are yours.",
    (
        Part(
            "Ask the radiology department or the film library",
            ("Ask for your original images as DICOM files, on a CD, a USB stick or as a download.",),
            ("Your name and birth date", "Which examinations, and from which years", "All series, not a summary"),
        ),
        Part(
            "Earlier examinations help",
            ("A specialist can say more when two studies can be compared. Ask for the ones before, too.",),
        ),
        Part(
            "Or let them send the images",
            ("Start your request here and print the sheet with your reference number: they can send directly.",),
        ),
    ),
)
_PHYSICIANS = Words(
    "/for-physicians",
    "For referring physicians – Overread",
    "How to send a patient for a second opinion: a reference number, DICOM or DICOMweb, and a signed report.",
    "For referring physicians",
    "Your patient starts the request; you or your hospital can send the images directly.",
    (
        Part(
            "How it works",
            points=(
                "The patient starts the request and gives you its reference number, such as OV-7K3M-9QXD.",
                (
                    "Send the studies by C-STORE or STOW-RS with that number as Accession Number, Patient ID or Study "
                    "Description."
                ),
                "A specialist who is licensed where the patient is reads them and answers each question.",
                "The patient gets the signed report as a PDF and brings it to you.",
            ),
        ),
        Part(
            "What helps",
            ("The clinical question, the earlier report, and prior studies of the same region.",),
        ),
    ),
)

CONSENTS: tuple[ConsentText, ...] = (
    ConsentText("terms", "I accept the terms of use.", "1", _TERMS),
    ConsentText("privacy", "I agree that my health data is handled as the privacy page says.", "1", _PRIVACY),
    ConsentText(
        "authority_to_share", "I may share these images, and want them shown to the specialist.", "1", _SHARING
    ),
)
PAGES: Mapping[str, Words] = {words.path: words for words in (_TERMS, _PRIVACY, _SHARING, _GUIDE, _PHYSICIANS)}

SUITABLE = (
    "An operation or a strong medicine hangs on one scan.",
    "Two physicians read the same pictures differently.",
    "Your report leaves your question open.",
    "The finding is rare, or you are far from a specialist.",
)
UNSUITABLE = (
    "Emergencies: call your local emergency number.",
    "Complaints without any pictures of them.",
    "A physical examination or a prescription.",
)
FAQ: tuple[tuple[str, str], ...] = (
    (
        "Do I need my physician’s permission?",
        "No. The images are yours, and a hospital gives you a copy when you ask for it.",
    ),
    (
        "What if you can’t read my images?",
        "Then you pay nothing: the hold on your card is released. We tell you what is missing.",
    ),
    (
        "Who reads my images?",
        (
            "A specialist who may practise for patients where you are. Their licence is checked when the case is "
            "offered, when they accept it and when they sign."
        ),
    ),
    (
        "Does the specialist know who I am?",
        (
            "No. They see your images without your name, birth date and record numbers, and your words with your name "
            "taken out."
        ),
    ),
    (
        "When am I charged?",
        "When a specialist takes your case. Until then the sum is only held, and it is released if we can’t help.",
    ),
    (
        "How do I get the images to you?",
        "Choose the CD, folder or ZIP file in this site, or give your hospital the reference number of your case.",
    ),
)
