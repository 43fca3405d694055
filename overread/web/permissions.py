"""Who may do what, as the admin's page shows it. The services refuse what is not listed here."""

from __future__ import annotations

ROLES = ("Patient", "Hospital", "Coordinator", "Specialist", "Admin", "Auditor")

_NO = "–"
#: An action, and a word for each role in the order of `ROLES`.
_TABLE = (
    ("Start and send a case", "own", _NO, "for a patient", _NO, _NO, _NO),
    ("Send images", "own", "own", "yes", _NO, _NO, _NO),
    ("See identified images", "own", "what it sent", "yes", _NO, "yes, recorded", _NO),
    ("See de-identified images", _NO, _NO, "yes", "granted", _NO, _NO),
    ("Match, check, release and revoke studies", _NO, _NO, "yes", _NO, _NO, _NO),
    ("Offer a case", _NO, _NO, "yes", _NO, _NO, _NO),
    ("Accept, decline, write and sign", _NO, _NO, _NO, "offered, assigned", _NO, _NO),
    ("Publish", _NO, _NO, "yes", _NO, _NO, _NO),
    ("Read the report", "own", _NO, "yes", "own", _NO, _NO),
    ("Pay", "own", _NO, _NO, _NO, _NO, _NO),
    ("Refund", _NO, _NO, "up to half", _NO, "any", _NO),
    ("Withdraw", "own", _NO, _NO, _NO, _NO, _NO),
    ("Ask for erasure", "own", _NO, "for the patient", _NO, _NO, _NO),
    ("Erase, as one of two persons", _NO, _NO, "second", _NO, "first or second", _NO),
    ("Legal hold", _NO, _NO, _NO, _NO, "yes", "yes"),
    ("Look at held pictures, blank, approve", _NO, _NO, "yes", _NO, _NO, _NO),
    ("Options of de-identification", _NO, _NO, _NO, _NO, "yes", _NO),
    ("People, peers and prices", _NO, _NO, _NO, _NO, "yes", _NO),
    ("Audit log", "own case", _NO, "of a case", _NO, "yes", "yes"),
)
ROWS = tuple({"action": action, "cells": cells} for action, *cells in _TABLE)
