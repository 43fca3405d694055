"""The Store Instances Response (PS3.18 10.5.3, Table 10.5.3-1, I.2.2), in JSON or XML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.responses import Response

from dicomweb import payload
from overread.kit.errors import BadInput, OverreadError, TooLarge
from overread.kit.language import gettext
from pacs.dicom import tags
from pacs.dicom.status import FailureReason
from pacs.store.ingest import AlreadyStored, Refused, Stored
from pacs.views.batch import Result

#: Coercion of data elements (PS3.18 Table I.2.2-1): an attribute was changed on the way in.
COERCED = 0xB000


def answer(results: Sequence[Result], root: str, media_type: str) -> Response:
    """The answer to a request of these instances, below a DICOMweb root.

    Raises BadInput (TooLarge where that was why) where nothing in the body was an instance.
    """
    refused = [result.outcome for result in results if isinstance(result.outcome, Refused)]
    stored = [(r.outcome, r.warning) for r in results if isinstance(r.outcome, Stored | AlreadyStored)]
    if not stored and all(not refusal.sop_uid for refusal in refused):
        raise _nothing_readable(refused)
    body: dict[str, Any] = {}
    studies = {outcome.keys.study_uid for outcome, _ in stored}
    if len(studies) == 1:
        body[tags.RetrieveURL.key] = _ur(f"{root}/studies/{studies.pop()}")
    if known := [refusal for refusal in refused if refusal.sop_uid]:
        body[tags.FailedSOPSequence.key] = _sq(
            _sop(r.sop_class, r.sop_uid) | _us(tags.FailureReason.key, r.reason) for r in known
        )
    if stored:
        body[tags.ReferencedSOPSequence.key] = _sq(_reference(outcome, warning, root) for outcome, warning in stored)
    if unknown := [refusal for refusal in refused if not refusal.sop_uid]:
        body[tags.OtherFailuresSequence.key] = _sq(_us(tags.FailureReason.key, r.reason) for r in unknown)
    warned = any(warning is not None for _, warning in stored)
    # 200 is for instances that were all stored as they came; with failures or warnings it is 202, with none 409.
    status = 409 if not stored else 202 if refused or warned else 200
    return payload.single_dataset(media_type, body, status, _warning_header(refused, warned))


def _warning_header(refused: Iterable[Refused], warned: bool) -> dict[str, str]:
    sentences = dict.fromkeys(_header_safe(refusal.sentence) for refusal in refused)
    if warned:
        sentences["Some instances were stored with changes; the answer lists them with a WarningReason."] = None
    return {"Warning": ", ".join(f'299 overread "{s}"' for s in list(sentences)[:5])} if sentences else {}


def _nothing_readable(refused: list[Refused]) -> OverreadError:
    if not refused:
        return BadInput("an empty body", safe=gettext("The body holds no DICOM object."))
    sentences = " ".join(dict.fromkeys(refusal.sentence for refusal in refused))
    kind = TooLarge if all(refusal.reason is FailureReason.OUT_OF_RESOURCES for refusal in refused) else BadInput
    return kind(f"nothing readable in the body: {sentences}"[:1000], safe=f"Nothing was stored. {sentences}"[:1000])


def _header_safe(sentence: str) -> str:
    plain = sentence.encode("ascii", "replace").decode()
    return "".join(c for c in plain if c.isprintable() and c not in '"\\')[:300]


def _reference(outcome: Stored | AlreadyStored, warning: int | None, root: str) -> dict[str, Any]:
    keys = outcome.keys
    url = f"{root}/studies/{keys.study_uid}/series/{keys.series_uid}/instances/{keys.sop_uid}"
    item = _sop(keys.sop_class, keys.sop_uid) | {tags.RetrieveURL.key: _ur(url)}
    return item if warning is None else item | _us(tags.WarningReason.key, warning)


def _ur(url: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [url]}


def _us(tag: str, value: int) -> dict[str, Any]:
    return {tag: {"vr": "US", "Value": [int(value)]}}


def _sq(items: Any) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def _sop(sop_class: str, sop_uid: str) -> dict[str, Any]:
    return {
        tags.ReferencedSOPClassUID.key: {"vr": "UI", "Value": [sop_class]},
        tags.ReferencedSOPInstanceUID.key: {"vr": "UI", "Value": [sop_uid]},
    }
