"""The API's part about a report's versions, and about what stands under a signature."""

from __future__ import annotations

from dataclasses import dataclass

from cases import bodies
from cases.operations import Call, Operation
from cases.report_views import Reader, SignerView, VersionView
from cases.service import reporting, signers, versions
from cases.views import ReportView
from overread.kit.errors import NotFound

_CASE = "/api/v1/cases/{case}"
_VERSION = f"{_CASE}/reports/{{number}}"


@dataclass(frozen=True, slots=True)
class Begun:
    """The number of the version that was begun."""

    number: int


def _number(c: Call) -> int:
    text = c.path["number"]
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise NotFound(f"{text[:20]!r} is no version's number")
    return int(text)


def _pdf(c: Call) -> bytes:
    return reporting.pdf(c.tx, c.who, c.case_id, _number(c))[1]


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", f"{_CASE}/reports", "report", "The versions of the report, newest first",
              lambda c: versions.listed(c.tx, c.who, c.case_id), result=list[VersionView]),
    Operation("POST", f"{_CASE}/reports", "report", "Begin a correction of the report, or an addition to it",
              lambda c: Begun(versions.open_version(c.tx, c.who, c.case_id, c.body.kind)),
              bodies.NewVersion, Begun, 201),
    Operation("GET", f"{_VERSION}.pdf", "report", "A version of the report as PDF/A", _pdf, result=bytes,
              media_type="application/pdf"),
    Operation("GET", _VERSION, "report", "A version of the report",
              lambda c: reporting.read(c.tx, c.who, c.case_id, _number(c)), result=ReportView),
    Operation("GET", f"{_VERSION}/readers", "report", "Who has opened a version",
              lambda c: versions.readers(c.tx, c.who, c.case_id, _number(c)), result=list[Reader]),
    Operation("POST", f"{_VERSION}/recall", "report", "Take a version back: nobody but coordinators reads it any more",
              lambda c: versions.recall(c.tx, c.who, c.case_id, _number(c), c.body.reason),
              bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_VERSION}/restore", "report", "Take a recall back",
              lambda c: versions.restore(c.tx, c.who, c.case_id, _number(c), c.body.reason),
              bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/report/send-back", "report", "Send what is signed and not published back",
              lambda c: reporting.send_back(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/late-studies/seen", "report", "Say that the studies that came late were seen",
              lambda c: reporting.see_late(c.tx, c.who, c.case_id), None, None, 204),
    Operation("POST", f"{_CASE}/report/ask", "report", "Ask the specialist for a correction or an addition",
              lambda c: versions.ask_change(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/report/discard", "report", "Give up a correction or addition that is not signed",
              lambda c: versions.discard(c.tx, c.who, c.case_id), None, None, 204),
    Operation("GET", "/api/v1/signature", "people", "What stands under your signature",
              lambda c: signers.read(c.tx, c.who), result=SignerView),
    Operation("PUT", "/api/v1/signature", "people", "Say what stands under your signature from now on",
              lambda c: signers.change(c.tx, c.who, c.body.qualification, c.body.practice),
              bodies.NewSignature, None, 204),
)
# fmt: on
