"""The bodies that the JSON API takes. Unknown fields are refused: a price or a state can't be smuggled in."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from cases.report_states import ReportKind
from cases.service.intake import Changes
from cases.service.referrals import Referred
from cases.states import DelegateScope, ImagesBy, LicenceRequirement, Relation
from overread.kit import addresses

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Edition = Annotated[str, Field(max_length=64)]
Pixels = Annotated[int, Field(ge=0, le=65_535)]
Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]  # PS3.5 9.1


def _one_address(text: str) -> str:
    if not addresses.is_address(text):
        raise PydanticCustomError("email", "This is no e-mail address: write one, such as jane@example.org.")
    return text


Email = Annotated[str, Field(min_length=3, max_length=addresses.LONGEST), AfterValidator(_one_address)]


class Body(BaseModel):
    """A JSON object without other fields than these."""

    model_config = ConfigDict(extra="forbid")


class CaseFields(Body):
    """What can be changed in a draft; what is left out stays as it is."""

    subjects: Annotated[list[str], Field(max_length=32)] | None = None
    other_subject: str | None = None
    symptoms: str | None = None
    history: str | None = None
    additional: str | None = None
    answers: Annotated[dict[str, str], Field(max_length=64)] | None = None
    place: str | None = None
    emergency: bool | None = None
    patient_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    address: str | None = None
    language: str | None = None
    interpreter: bool | None = None
    physician: str | None = None
    physician_contact: str | None = None
    inform_physician: bool | None = None
    first_report_by: str | None = None
    images_by: ImagesBy | None = None

    def changes(self) -> Changes:
        """The same for the service."""
        return Changes(**{name: getattr(self, name) for name in CaseFields.model_fields})


class CaseChanges(CaseFields):
    """What is changed in a draft; `edition`: that of the draft which was read, so that nobody's change is lost."""

    edition: Edition | None = None


class NewCase(CaseFields):
    """A new draft; `patient_id`: from a coordinator, or from who acts for them.

    `kind`: the opinion's, else the program's first one.
    """

    program: str
    kind: Annotated[str, Field(max_length=64)] = ""
    patient_id: UUID | None = None


class Questions(Body):
    """Every question, in order."""

    questions: Annotated[list[str], Field(max_length=50)]
    edition: Edition | None = None


class KindChosen(Body):
    """The short name of a kind of opinion that the program gives."""

    kind: Annotated[str, Field(min_length=1, max_length=64)]


class ConsentGiven(Body):
    """A consent to a text of the server's, by its version and digest as `consents` gives them."""

    kind: Literal["terms", "privacy", "authority_to_share"]
    version: Annotated[str, Field(min_length=1, max_length=32)]
    digest: Digest | None = None


class ReasonGiven(Body):
    """Why."""

    reason: Annotated[str, Field(max_length=2_000)] = ""


class PatientSaid(Body):
    """What a case says of its patient."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    birth_date: date
    sex: Literal["", "F", "M", "O"]


class Correction(PatientSaid):
    """Who the patient is, and why that is corrected. `instead_of`: what was shown."""

    reason: Text
    instead_of: PatientSaid | None = None


class AuthoritySaid(Body):
    """What the account is to the patient and why it may act for them; no relation: it is the patient's own."""

    relation: Relation | None
    text: Annotated[str, Field(max_length=2_000)] = ""


class NewDelegate(Body):
    """Somebody who is to act for oneself: how far, and until which day (none: until it is ended)."""

    email: Email
    relation: Relation
    scope: DelegateScope
    ends_on: date | None = None


class InvitationTaken(Body):
    """The secret of an invitation's link."""

    token: Annotated[str, Field(min_length=1, max_length=100)]


class NewReferral(Body):
    """A request that is prepared for a patient, who is invited by mail. `kind`: else the program's first one."""

    program: Annotated[str, Field(max_length=64)]
    kind: Annotated[str, Field(max_length=64)] = ""
    email: Email
    physician: Annotated[str, Field(max_length=200)] = ""
    patient_name: Annotated[str, Field(min_length=1, max_length=200)]
    birth_date: date
    sex: Literal["", "F", "M", "O"] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    place: Annotated[str, Field(min_length=2, max_length=8)]
    subjects: Annotated[list[str], Field(min_length=1, max_length=32)]
    other_subject: Annotated[str, Field(max_length=400)] = ""
    questions: Annotated[list[str], Field(min_length=1, max_length=50)]
    history: Annotated[str, Field(max_length=20_000)] = ""

    def referred(self) -> Referred:
        """The same for the service."""
        return Referred(**{name: getattr(self, name) for name in NewReferral.model_fields if name != "program"})


class ReferralTaken(Body):
    """The secret of a referral's link, and the patient's birth date, which is asked against a mail gone astray."""

    token: Annotated[str, Field(min_length=1, max_length=100)]
    birth_date: date


class ReportShared(Body):
    """The text that was agreed to, by its version and digest as the referral of a case gives them."""

    version: Annotated[str, Field(min_length=1, max_length=32)]
    digest: Digest


class Words(Body):
    """A question, an answer or a message."""

    text: Text


class Specialist(Body):
    """A specialist's principal."""

    specialist_id: UUID


class Match(Body):
    """The case that a study belongs to; `reason`: why, although its name or birth date is another one."""

    case_id: UUID
    reason: Annotated[str, Field(max_length=2_000)] = ""


class Release(Body):
    """Studies that are to be released together, by their Study Instance UIDs: all of them, or none."""

    studies: Annotated[list[Uid], Field(min_length=1, max_length=1000)]


class Decision(Body):
    """What is to become of images (UIDs of the view).

    `digests`: the `digest` of each as it was when somebody looked; what was changed since is not approved then.
    `despite_suggestions`: approve also what is suggested to be blanked and is not.
    """

    sop_uids: Annotated[list[Uid], Field(min_length=1, max_length=10_000)]
    decision: Literal["approved", "withheld"]
    digests: Annotated[dict[Uid, Digest], Field(max_length=10_000)] | None = None
    despite_suggestions: bool = False


class Masks(Body):
    """Rectangles to blank in pictures (UIDs of the view): left, top, width, height in pixels; none takes them off."""

    sop_uids: Annotated[list[Uid], Field(min_length=1, max_length=2_000)]
    boxes: Annotated[list[tuple[Pixels, Pixels, Pixels, Pixels]], Field(max_length=64)]


class ReportDraft(Body):
    """A report: question id -> answer, its other texts by key, and the studies read (UIDs of the view).

    The texts are `summary` (for the patient), `impression` (for the physician) and, where the first report is there,
    `agreement` ("agree", "minor", "major" or "not_comparable") and `difference` (what differs).

    An answer that is not named stays as it is. `change`: what is changed and why, of a correction or an addition, whose
    one text is `addition`. `edition`: that of the report which was read.
    """

    answers: dict[str, str]
    texts: dict[str, str]
    studies: list[Uid]
    change: str | None = None
    edition: Edition | None = None


class Signature(Body):
    """The SHA-256 of the text that the signer was shown, and the signer's password, which stands for the hand."""

    password: Annotated[str, Field(min_length=1, max_length=1_000)]
    digest: Digest | None = None


class SignedWords(Body):
    """An answer to what was asked about the report, and the signer's password, which stands for the hand."""

    text: Text
    password: Annotated[str, Field(min_length=1, max_length=1_000)]


class NewVersion(Body):
    """A further version of the report: a correction takes its place, an addendum adds to it."""

    kind: Literal[ReportKind.CORRECTION, ReportKind.ADDENDUM]


class NewSignature(Body):
    """What stands under a specialist's signature besides name and licence."""

    qualification: Annotated[str, Field(min_length=1, max_length=200)]
    practice: Annotated[str, Field(min_length=1, max_length=400)]


class PaidOutside(Body):
    """A payment that no provider knows of."""

    method: Literal["invoice", "free"] = "invoice"
    reference: Annotated[str, Field(max_length=200)] = ""


class Refund(Body):
    """Money to give back, in minor units; all that is left where no amount is given. `request_id`: once only."""

    amount: Annotated[int, Field(gt=0)] | None = None
    reason: Text
    request_id: Annotated[str, Field(min_length=1, max_length=64)]


class NewLicence(Body):
    """A specialist's licence for a place (ISO 3166). Without a number the one that is recorded stays."""

    specialist_id: UUID
    place: Annotated[str, Field(min_length=2, max_length=8)]
    number: Annotated[str, Field(max_length=64)] | None = None
    expires_on: date


class NewRule(Body):
    """What a place asks, from a day on, and where that is written."""

    place: Annotated[str, Field(min_length=2, max_length=8)]
    rule: LicenceRequirement
    source: Text
    valid_from: date | None = None
