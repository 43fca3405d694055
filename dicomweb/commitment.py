"""Storage commitment over the web (PS3.18 13, J): request, and check of the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from dicomweb import payload
from dicomweb.context import Context
from dicomweb.payload import sq, ui
from dicomweb.uids import need_uid
from overread.kit import whole_body
from overread.kit.errors import BadInput, TooLarge
from overread.kit.http import principal
from overread.kit.language import gettext
from overread.kit.principals import Principal
from pacs.dicom import tags
from pacs.dicom.part10 import valid_uid
from pacs.index.scope import originals
from pacs.store import commitment
from pacs.store.commitment import Failure, Reference, Result

_MOST, _MOST_BYTES = 20_000, 16 << 20
_RETRY = {"Retry-After": "5"}


async def request(context: Context, request: Request) -> Response:
    """Ask to commit (13.4): 200 with the result, or 202 where it takes longer; 409 where the UID was used."""
    kind, who = payload.negotiated(request), await run_sync(_who, context, request)
    body = await whole_body.read(request, _MOST_BYTES)

    def answer() -> Response:
        transaction = need_uid(request, "transaction")
        references = _references(payload.dataset(request, body))
        return _answer(kind, commitment.request(context.archive, who, transaction, references))

    return await run_sync(answer)


def result(context: Context, request: Request) -> Response:
    """Check the result (13.5): 200 when it is there, 202 while it is not, 404 for a UID of nothing."""
    kind, who = payload.negotiated(request), _who(context, request)
    with context.archive.db.transaction() as tx:
        found = commitment.result(tx, who, need_uid(request, "transaction"))
    return _answer(kind, found)


def _who(context: Context, request: Request) -> Principal:
    who = principal(request, context.archive.db)
    originals(who)
    return who


def _references(dataset: Mapping[str, Any]) -> list[Reference]:
    """The Storage Commitment Request Module (J.1). Raises BadInput, TooLarge."""
    found = [_reference(item) for item in _items(dataset, tags.ReferencedSOPSequence.key)]
    for study in _items(dataset, tags.ReferencedStudySequence.key):
        study_uid = _uid(study, tags.StudyInstanceUID.key, "Study Instance UID")
        for series in _items(study, tags.ReferencedSeriesSequence.key, "Referenced Series Sequence"):
            series_uid = _uid(series, tags.SeriesInstanceUID.key, "Series Instance UID")
            for group in _items(
                series, tags.ReferencedInstancesBySOPClassSequence.key, "Referenced Instances by SOP Class Sequence"
            ):
                sop_class = _uid(group, tags.ReferencedSOPClassUID.key, "Referenced SOP Class UID")
                for item in _items(group, tags.ReferencedInstanceSequence.key, "Referenced Instance Sequence"):
                    sop_uid = _uid(item, tags.ReferencedSOPInstanceUID.key, "Referenced SOP Instance UID")
                    found.append(Reference(sop_class, sop_uid, study_uid, series_uid))
    if not found:
        raise _bad("The request names no instance: it needs a Referenced SOP Sequence or a Referenced Study Sequence.")
    if len(found) > _MOST:
        raise TooLarge(
            f"{len(found)} references", safe=gettext("A request may name at most %(most)s instances.", most=_MOST)
        )
    return found


def _reference(item: Mapping[str, Any]) -> Reference:
    return Reference(
        _uid(item, tags.ReferencedSOPClassUID.key, "Referenced SOP Class UID"),
        _uid(item, tags.ReferencedSOPInstanceUID.key, "Referenced SOP Instance UID"),
    )


def _items(dataset: Mapping[str, Any], tag: str, needed: str | None = None) -> list[dict[str, Any]]:
    attribute = dataset.get(tag, {"vr": "SQ"})
    items: list[dict[str, Any]] = attribute.get("Value", [])
    if attribute["vr"] != "SQ" or (needed and not items):
        raise _bad(f"The {needed or tag} is missing, empty or not a sequence.")
    return items


def _uid(item: Mapping[str, Any], tag: str, name: str) -> str:
    values = item.get(tag, {}).get("Value") or [None]
    if len(values) != 1 or not isinstance(values[0], str) or not valid_uid(values[0]):
        raise _bad(f"A {name} is missing or not a valid UID.")
    return values[0]


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, safe=sentence)


def _answer(kind: str, found: Result) -> Response:
    """The Storage Commitment Response Module (J.2): each instance in the form in which it was asked about."""
    if found.failures is None:
        return Response(status_code=202, headers=_RETRY)
    pairs = list(commitment.committed(found))
    plain = [(one, failure) for one, failure in pairs if not one.study_uid]
    nested = [(one, failure) for one, failure in pairs if one.study_uid]
    body: dict[str, Any] = {}
    for tag, items in (
        (tags.FailedSOPSequence.key, [_sop(one) | _reason(failure) for one, failure in plain if failure is not None]),
        (tags.ReferencedSOPSequence.key, [_sop(one) for one, failure in plain if failure is None]),
        (tags.ReferencedStudySequence.key, list(_studies([pair for pair in nested if pair[1] is None]))),
        (tags.FailedStudySequence.key, list(_studies([pair for pair in nested if pair[1] is not None]))),
    ):
        if items:
            body[tag] = sq(items)
    return payload.single_dataset(kind, body)


def _sop(one: Reference) -> dict[str, Any]:
    return {tags.ReferencedSOPClassUID.key: ui(one.sop_class), tags.ReferencedSOPInstanceUID.key: ui(one.sop_uid)}


def _reason(failure: Failure) -> dict[str, Any]:
    return {tags.FailureReason.key: {"vr": "US", "Value": [int(failure)]}}


def _studies(pairs: list[tuple[Reference, Failure | None]]) -> Iterator[dict[str, Any]]:
    """Study, series and SOP class around the instances."""
    studies: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
    for one, failure in pairs:
        item = {tags.ReferencedSOPInstanceUID.key: ui(one.sop_uid)} | ({} if failure is None else _reason(failure))
        by_series = studies.setdefault(one.study_uid, {})
        by_series.setdefault(one.series_uid, {}).setdefault(one.sop_class, []).append(item)
    for study_uid, by_series in studies.items():
        series = [
            {
                tags.SeriesInstanceUID.key: ui(series_uid),
                tags.ReferencedInstancesBySOPClassSequence.key: sq(
                    [
                        {tags.ReferencedSOPClassUID.key: ui(kind), tags.ReferencedInstanceSequence.key: sq(items)}
                        for kind, items in by_class.items()
                    ]
                ),
            }
            for series_uid, by_class in by_series.items()
        ]
        yield {tags.StudyInstanceUID.key: ui(study_uid), tags.ReferencedSeriesSequence.key: sq(series)}
