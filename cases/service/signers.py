"""What stands under a specialist's signature besides name and licence: their own words, kept with each signature."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases import sealing
from cases.version_models import Signer
from cases.views import SignerView
from overread.kit import audit, permissions
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import one_line

MOST_QUALIFICATION, MOST_PRACTICE = 200, 400


def read(tx: Session, who: Principal) -> SignerView:
    """What a specialist has said of themself; empty while they have said nothing."""
    permissions.require(who, Permission.SIGNATURE_SET)
    row = sealing.signer_of(tx, who)
    return SignerView(who.name, row.qualification if row else "", row.practice if row else "")


def change(tx: Session, who: Principal, qualification: str, practice: str) -> None:
    """Say it, for what is signed from now on. Raises Unprocessable for what is empty or too long."""
    permissions.require(who, Permission.SIGNATURE_SET)
    told = {"qualification": _line(qualification), "practice": _line(practice)}
    if not all(told.values()):
        safe = gettext("Please give your qualification and where you practise.")
        raise Unprocessable("half a signature", safe=safe)
    if len(told["qualification"]) > MOST_QUALIFICATION or len(told["practice"]) > MOST_PRACTICE:
        safe = gettext(
            "This is too long: %(qualification)s characters for the qualification and %(practice)s for the place at "
            "most.",
            qualification=MOST_QUALIFICATION,
            practice=MOST_PRACTICE,
        )
        raise Unprocessable("a long signature", safe=safe)
    row = sealing.signer_of(tx, who)
    if row is None:
        tx.add(Signer(specialist_id=who.id, **told))
    else:
        row.qualification, row.practice = told["qualification"], told["practice"]
    tx.flush()
    audit.record(tx, who, "signature.change", "principal", who.id)


def _line(text: str) -> str:
    return one_line(text)
