"""What a signature binds: every word of a report or an answer, who signed it, as what, and by which right.

Qualification and place of practice are the specialist's own words; the licence is the one that covered the case, or the
exception that was recorded for it, as they stood when it was signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import licences
from cases.licence_models import Licence
from cases.models import Case, Question, Report
from cases.states import LicenceRequirement
from cases.version_models import Signer
from overread.kit import clock
from overread.kit.principals import Principal


def words_digest(report: Report) -> str:
    """SHA-256 over every word of a version, its questions' ids and the studies read, in a canonical JSON.

    By it two who change a draft at once are told, and a signer signs what they were shown.
    """
    return _digest(_words(report))


def report_digest(report: Report) -> str:
    """SHA-256 over the words of a signed version and what stands under them."""
    return _digest({**_words(report), "signature": report.signature, "signed_at": _moment(report.signed_at)})


def answer_digest(case: Case, question: Question) -> str:
    """SHA-256 over a question that was asked about a report, its answer and what stands under that."""
    return _digest(
        {
            "answer": question.answer,
            "case": str(case.id),
            "question": question.text,
            "signature": question.answer_signature,
            "signed_at": _moment(question.answered_at),
        }
    )


def signer_of(tx: Session, who: Principal) -> Signer | None:
    """What a specialist has said of themself, or None."""
    return tx.get(Signer, who.id)


def signature(tx: Session, case: Case, who: Principal) -> dict[str, Any]:
    """What stands under a signature that `who` gives for a case now; `right` is by what they may."""
    signer = signer_of(tx, who)
    return {
        "name": who.name,
        "qualification": signer.qualification if signer else "",
        "practice": signer.practice if signer else "",
        "place": case.place,
        **_right(tx, case, who),
    }


def _right(tx: Session, case: Case, who: Principal) -> Mapping[str, str]:
    query = select(Licence).where(
        Licence.specialist_id == who.id,
        Licence.place == case.place,
        Licence.verified_at.is_not(None),
        Licence.expires_on >= clock.now().date(),
    )
    held = tx.scalars(query).one_or_none()
    if held is not None:
        return {"right": "licence", "number": held.number, "until": held.expires_on.isoformat()}
    if licences.rule_of(tx, case.place) is LicenceRequirement.DIRECT:
        return {"right": "direct"}
    # As `licences.objections` weighs it: nothing else lets anybody sign.
    return {"right": "exception", "exception": case.licence_exception or ""}


def _words(report: Report) -> dict[str, Any]:
    return {
        "about": report.about,
        "answers": report.answers,
        "case": str(report.case_id),
        "change": report.change,
        "kind": report.kind.value,
        "number": report.number,
        "studies": sorted(report.studies_read),
        "texts": report.texts,
    }


def _moment(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _digest(words: Mapping[str, Any]) -> str:
    text = json.dumps(words, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
