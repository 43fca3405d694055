"""The site's own words: the public pages. What patients agree to stands in `cases.consents`."""

from __future__ import annotations

from collections.abc import Mapping

from cases.service import intake
from cases.views import Section, Words

_GUIDE = Words(
    "/guides/images",
    "How to get your images from a hospital – Overread",
    "How to ask a hospital for your MRI, CT, X-ray or mammogram as DICOM files, and what to ask for.",
    "How to get your images from a hospital",
    "It takes one call or one visit. The images are yours.",
    (
        Section(
            "Ask the radiology department or the film library",
            ("Ask for your original images as DICOM files, on a CD, a USB stick or as a download.",),
            ("Your name and birth date", "Which examinations, and from which years", "All series, not a summary"),
        ),
        Section(
            "Earlier examinations help",
            ("A specialist can say more when two studies can be compared. Ask for the ones before, too.",),
        ),
        Section(
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
    "You prepare the request and your patient agrees to it, or your patient starts by themselves.",
    (
        Section(
            "You refer a patient",
            points=(
                "Sign in with your hospital’s account and write the question. You get a reference number at once.",
                "The patient gets an invitation by mail, adds what is theirs, agrees and pays. Then it is sent.",
                "You see how far it is. You read the report if the patient wants that.",
            ),
        ),
        Section(
            "Or the patient starts",
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
        Section(
            "What helps",
            ("The clinical question, the earlier report, and prior studies of the same region.",),
        ),
    ),
)

PAGES: Mapping[str, Words] = {**intake.CONSENT_PAGES, **{words.path: words for words in (_GUIDE, _PHYSICIANS)}}

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
