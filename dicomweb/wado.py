"""WADO-RS: retrieve studies, series, instances, their metadata, frames and bulk data (PS3.18 10.4)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dicomweb.context import Context
from dicomweb.media import DICOM, DICOM_JSON, MULTIPART, OCTETS, MediaRange, accepted, choose
from dicomweb.uids import need_uid, path_uid
from overread.kit import audit
from overread.kit.errors import BadInput, NotAcceptable
from overread.kit.principals import Principal
from pacs import part10, retrieve
from pacs.pixels.decode import decode_frame
from pacs.retrieve import Located, Opened
from pacs.scope import Scope

_NATIVE = frozenset((part10.IMPLICIT_LITTLE_ENDIAN, part10.EXPLICIT_LITTLE_ENDIAN))
#: The media type of a frame in its own transfer syntax (PS3.18 Table 8.7.3-5).
_FRAME_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
_MAX_FRAMES = 10_000


def locate(context: Context, request: Request, what: str) -> tuple[Principal, Scope, list[Located]]:
    """The instances that the request's path names, with a line in the audit log for what is read."""
    who, scope = context.authorise(request)
    study = need_uid(request, "study")
    series, sop = path_uid(request, "series"), path_uid(request, "instance")
    with context.archive.db.transaction() as tx:
        found = retrieve.locate(tx, scope, study, series, sop)
        case = request.path_params.get("case")
        case_id = UUID(case) if case else None
        if request.method == "HEAD":
            return who, scope, found
        if what == "pixels":
            audit.record_once(tx, who, "pixels.read", "study", study, case_id)
        else:
            audit.record(tx, who, f"{what}.read", "study", study, case_id=case_id, instances=len(found))
    return who, scope, found


def instances(context: Context, request: Request) -> Response:
    """A study's, series' or one instance as `application/dicom` (10.4.1.1.1 to 3)."""
    ranges = accepted(request.headers.get("accept"), request.query_params.get("accept"))
    _, _, found = locate(context, request, "instances")
    wanted, offer = choose(ranges, _instance_offers(found), "The instances")
    syntaxes = {instance.transfer_syntax for instance in found}
    if wanted.transfer_syntax not in (None, "*") and syntaxes != {wanted.transfer_syntax}:
        raise NotAcceptable(
            f"{wanted.transfer_syntax} of {syntaxes}",
            safe="The instances can be had only in the transfer syntax in which they are stored: "
            "ask with transfer-syntax=*.",
        )
    blobs = context.archive.blobs
    if not offer.multipart:
        parts = found[0].parts
        headers = {"Content-Length": str(retrieve.size(parts))}
        return StreamingResponse(retrieve.stream(blobs, parts), headers=headers, media_type=DICOM)
    bodies = (
        (f"{DICOM}; transfer-syntax={instance.transfer_syntax}", retrieve.stream(blobs, instance.parts))
        for instance in found
    )
    return multipart(DICOM, bodies)


def _instance_offers(found: Sequence[Located]) -> list[MediaRange]:
    whole = [MediaRange(DICOM, multipart=True)]
    return [*whole, MediaRange(DICOM)] if len(found) == 1 else whole


def metadata(context: Context, request: Request) -> Response:
    """The headers of a study's, series' or one instance as DICOM JSON (10.4.1.1.5)."""
    choose(
        accepted(request.headers.get("accept"), request.query_params.get("accept")),
        [MediaRange(DICOM_JSON), MediaRange("application/json")],
        "The metadata",
    )
    _, _, found = locate(context, request, "metadata")
    root = context.root(request)
    return Response(b"[" + b",".join(_absolute(root, one) for one in found) + b"]", media_type=DICOM_JSON)


def _absolute(root: str, one: Located) -> bytes:
    """Metadata whose BulkDataURIs are addresses of this root."""
    url = f"{_url(root, one)}/bulkdata/"
    return one.metadata().replace(b'"BulkDataURI":"bulkdata:', b'"BulkDataURI":"' + orjson.dumps(url)[1:-1])


def _url(root: str, one: Located) -> str:
    return f"{root}/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_uid}"


def frames(context: Context, request: Request) -> Response:
    """Frames of an instance, in its transfer syntax or, where asked for, decoded (10.4.1.1.6)."""
    _, _, found = locate(context, request, "pixels")
    numbers = frame_list(request.path_params["frames"])
    ranges = accepted(request.headers.get("accept"), request.query_params.get("accept"))
    with retrieve.opened(context.archive, found[0]) as instance:
        offers = _frame_offers(instance.transfer_syntax, len(numbers))
        wanted, offer = choose(ranges, offers, "The frames")
        native = wanted.transfer_syntax not in (None, "*", instance.transfer_syntax)
        bodies = [_frame(instance, number, native and instance.transfer_syntax not in _NATIVE) for number in numbers]
    syntax = part10.EXPLICIT_LITTLE_ENDIAN if native else instance.transfer_syntax
    kind = f"{offer.type}; transfer-syntax={syntax}"
    if not offer.multipart:
        return Response(bodies[0], headers={"Content-Type": kind})
    return multipart(offer.type, ((kind, [body]) for body in bodies))


def _frame_offers(syntax: str, count: int) -> list[MediaRange]:
    explicit = {"transfer-syntax": part10.EXPLICIT_LITTLE_ENDIAN}
    own = {"transfer-syntax": syntax}
    types = [MediaRange(OCTETS, parameters=own), MediaRange(OCTETS, parameters=explicit)]
    if syntax in _FRAME_TYPES:
        types.insert(1, MediaRange(_FRAME_TYPES[syntax], parameters=own))
    many = [MediaRange(one.type, multipart=True, parameters=one.parameters) for one in types]
    return [*many, *types] if count == 1 else many


def _frame(instance: Opened, number: int, decode: bool) -> bytes:
    if not decode:
        return instance.frame(number - 1)
    pixels = decode_frame(instance.dataset(), instance.frame(number - 1), instance.transfer_syntax)
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def frame_list(text: str) -> list[int]:
    """Frame numbers, counted from 1 (PS3.18 10.4.1.1.6). Raises BadInput."""
    try:
        numbers = [int(part) for part in text.split(",", _MAX_FRAMES)]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) > _MAX_FRAMES or min(numbers) < 1:
        raise BadInput("a bad frame list", safe="Frames are named by numbers from 1, parted by commas: /frames/1,3,5")
    return numbers


def bulk_data(context: Context, request: Request) -> Response:
    """The value of one attribute (10.4.1.1.7)."""
    ranges = accepted(request.headers.get("accept"), request.query_params.get("accept"))
    _, _, found = locate(context, request, "pixels")
    _, offer = choose(ranges, [MediaRange(OCTETS, multipart=True), MediaRange(OCTETS)], "Bulk data")
    with retrieve.opened(context.archive, found[0]) as instance:
        value = retrieve.bulk_data(instance, request.path_params["path"].split("/"))
    return multipart(OCTETS, [(OCTETS, [value])]) if offer.multipart else Response(value, media_type=OCTETS)


def multipart(kind: str, bodies: Iterable[tuple[str, Iterable[bytes]]]) -> Response:
    """A multipart/related answer (PS3.18 8.7.4.2): each body with its own Content-Type."""
    boundary = secrets.token_hex(16)

    def content() -> Iterator[bytes]:
        for content_type, body in bodies:
            yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
            yield from body
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    return StreamingResponse(content(), headers={"Content-Type": f'{MULTIPART}; type="{kind}"; boundary={boundary}'})
