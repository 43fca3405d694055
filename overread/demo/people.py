"""Sample people, prices and rules."""

from __future__ import annotations

from datetime import date

from cases.finding_models import Reader
from cases.kind_questions import AnswerForm, KindQuestion
from cases.licence_models import Licence, LicenceRule
from cases.models import Program, ProgramSpecialist
from cases.service import kinds
from cases.service.kinds import Cost, KindFields
from cases.states import LicenceRequirement, Needed
from cases.version_models import Signer
from overread.kit import clock, principals
from overread.kit.db import Session
from overread.kit.principals import Principal, Role
from pacs.dimse import peers

PASSWORD = "overread-demo"  # noqa: S105  printed by the demo, of no use elsewhere
HOSPITAL_AE = "STBRENDAN"

PEOPLE = (
    (Role.PATIENT, "Maria Keller", "maria@example.org"),
    (Role.COORDINATOR, "Ingrid Sanders", "coordinator@example.org"),
    (Role.SPECIALIST, "Dr. Amara Okafor", "specialist@example.org"),
    (Role.SPECIALIST, "Dr. Tomás Rivera", "specialist2@example.org"),
    (Role.HOSPITAL, "St. Brendan Hospital", "hospital@example.org"),
    (Role.ADMIN, "Noor Haddad", "admin@example.org"),
    (Role.AUDITOR, "Elias Voss", "auditor@example.org"),
)

KINDS = (
    (
        "report",
        KindFields(
            "Written report",
            "A subspecialist reads your images again and answers your own questions, in writing.",
            reading_days=5,
        ),
        Cost(39000, "USD", 22000),
    ),
    (
        "comparison",
        KindFields(
            "Second reading with comparison",
            "The same, compared with all earlier images, and with what the first report says.",
            reading_days=7,
            asks=(
                KindQuestion("first_report", "What did the first report say?", form=AnswerForm.TEXT),
                KindQuestion("earlier", "Are there earlier images?", form=AnswerForm.YES_NO, required=True),
            ),
        ),
        Cost(52000, "USD", 30000),
    ),
    (
        "records",
        KindFields(
            "Quick read of records",
            "A subspecialist reads what you write and send, without images, and says what to do next.",
            reading_days=2,
            images=Needed.NONE,
            documents=Needed.REQUIRED,
            asks=(
                KindQuestion(
                    "diagnosis", "Which diagnosis were you given?", "As it stands in the letter.", required=True
                ),
            ),
        ),
        Cost(12000, "USD", 7000),
    ),
)


#: Sample days on which the program is closed.
DAYS_OFF = (
    ("2026-12-25", "Christmas Day"),
    ("2027-01-01", "New Year’s Day"),
    ("2027-05-31", "Memorial Day"),
    ("2027-07-05", "Independence Day, observed"),
    ("2027-09-06", "Labor Day"),
    ("2027-11-25", "Thanksgiving"),
    ("2027-12-24", "Christmas Day, observed"),
)


def seed(tx: Session, hashed: str) -> dict[Role, Principal]:
    """Add the sample people, the program with its price, and the licences; the first of each role is returned.

    `hashed`: what is kept of `PASSWORD`.
    """
    first: dict[Role, Principal] = {}
    specialists = []
    for role, name, email in PEOPLE:
        row = principals.create(tx, role=role, name=name, email=email, password_hash=hashed)
        first.setdefault(role, row.as_principal(via="demo"))
        if role is Role.SPECIALIST:
            specialists.append(row)
    peers.register(tx, HOSPITAL_AE, "127.0.0.1", 11113, Role.HOSPITAL, owner_id=first[Role.HOSPITAL].id)
    program = Program(
        slug="neuro",
        name="Neuroradiology second opinions",
        tagline="A subspecialist reads your images again and answers your own questions, in writing.",
        zone="America/New_York",
        week=[*[[9 * 60, 17 * 60]] * 5, None, None],
        clinic="Overread demo clinic, 1 Sample Street, Boston, MA",
        days_off=[{"day": day, "name": name} for day, name in DAYS_OFF],
    )
    tx.add(program)
    tx.flush()
    for slug, fields, cost in KINDS:
        kinds.add(tx, first[Role.ADMIN], "neuro", slug, fields, cost)
    for specialist in specialists:
        tx.add(
            Signer(
                specialist_id=specialist.id,
                qualification="Board-certified neuroradiologist",
                practice="Overread demo practice, Boston, MA",
            )
        )
        tx.add(ProgramSpecialist(program_id=program.id, specialist_id=specialist.id))
    for specialist, region, practice, languages, most in (
        (specialists[0], "neuro", "Harbour Neuroradiology, Boston", ["en", "de"], 6),
        (specialists[1], "musculoskeletal", "Upper East Side Imaging, New York", ["en", "es"], None),
    ):
        said = {"subjects": ["MRI", "CT"], "subspecialties": [region], "practices": [practice]}
        tx.add(
            Reader(specialist_id=specialist.id, said=said, confirmed=dict(said), languages=languages, most_open=most)
        )
    for place, rule, why in (
        ("DE", LicenceRequirement.DIRECT, "Sample rule of the demo: a second opinion may be given directly."),
        ("US-MA", LicenceRequirement.LICENSED, "Sample rule of the demo: the specialist needs a licence of the place."),
        ("US-NY", LicenceRequirement.LICENSED, "Sample rule of the demo: the specialist needs a licence of the place."),
    ):
        tx.add(LicenceRule(place=place, rule=rule, source=why, valid_from=date(2026, 1, 1)))
    for specialist, place in ((specialists[0], "US-MA"), (specialists[0], "DE"), (specialists[1], "US-NY")):
        tx.add(
            Licence(
                specialist_id=specialist.id,
                place=place,
                number="DEMO",
                expires_on=date(2099, 12, 31),
                verified_at=clock.now(),
            )
        )
    return first
