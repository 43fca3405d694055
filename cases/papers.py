"""The API's part for documents: a file as it is, added, listed, given back and taken out."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cases.operations import Call, Operation, Parameter
from cases.service import documents
from cases.states import DocumentKind
from cases.views import DocumentView

_DOCUMENTS = "/api/v1/cases/{case}/documents"
_ONE = f"{_DOCUMENTS}/{{document}}"
_KIND = Parameter("kind", "What it is; other where none is named", tuple(DocumentKind))
_NAME = Parameter("name", "The file's name, as people are to find it again")


@dataclass(frozen=True, slots=True)
class Added:
    """A document."""

    document_id: UUID


def _add(c: Call) -> Added:
    kind = DocumentKind(c.query.get(_KIND.name, DocumentKind.OTHER))
    name = c.query.get(_NAME.name, "")
    return Added(documents.add(c.archive, c.settings, c.who, c.case_id, c.body, kind, name))


def _page(c: Call) -> bytes:
    number = documents.page_number(c.path["page"])
    return documents.page(c.archive, c.who, c.case_id, c.uuid("document"), number)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _DOCUMENTS, "documents", "The documents of a case",
              lambda c: documents.listed(c.tx, c.who, c.case_id), result=list[DocumentView]),
    Operation("POST", _DOCUMENTS, "documents", "Add a file, as it is: PDF, JPEG, PNG, HEIC or TIFF", _add,
              result=Added, status=201, apart=True, parameters=(_KIND, _NAME), raw=documents.MOST_BYTES),
    Operation("GET", f"{_ONE}/file", "documents", "A PDF as it came; of a photo or scan its first page",
              lambda c: documents.file(c.archive, c.who, c.case_id, c.uuid("document")).content, result=bytes,
              media_type="application/octet-stream", apart=True),
    Operation("GET", f"{_ONE}/pages/{{page}}", "documents", "A page, counted from 1, as JPEG", _page, result=bytes,
              media_type="image/jpeg", apart=True),
    Operation("DELETE", _ONE, "documents", "Take a document out of a draft",
              lambda c: documents.take_out(c.tx, c.who, c.case_id, c.uuid("document")), None, None, 204),
)
# fmt: on
