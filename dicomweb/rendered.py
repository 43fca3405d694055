"""Rendered studies, series, instances and frames, and their thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4, 8.7.4).

Images become pictures, presentation states pictures of their images, multi-frame images one picture or an
animation, structured reports text; videos and encapsulated documents are given as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import cast

from pydicom import Dataset
from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers, pictures, rendering, report_text, states
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.media import GIF, JP2, JPEG, JXL, PNG, MediaRange, accepts, choose
from dicomweb.partial import here
from dicomweb.wado import frame_list, locate
from overread.kit.errors import BadInput, NotAcceptable, NotFound
from overread.kit.language import gettext
from pacs.dicom import frames
from pacs.dicom.sop_classes import STATES
from pacs.dicom.transfer_syntaxes import TABLE
from pacs.index.scope import Scope
from pacs.pixels.picture import MediaType
from pacs.serve import retrieve
from pacs.serve.retrieve import BlobRange, Located, Opened

HTML, TEXT, XML, PDF = "text/html", "text/plain", "text/xml", "application/pdf"
_PICTURES = (JPEG, PNG, GIF, JP2, JXL)
#: What a stranger wrote is shown without scripts, without a site's rights, and is saved rather than opened.
_DOCUMENT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
#: Pictures of one request for frames.
_MAX_PICTURES = 200
#: Instances of one report that links lead to.
_MAX_LINKS = 200


def rendered(context: Context, request: Request) -> Response:
    """What the path names, in a form that needs no DICOM to be looked at."""
    _, scope, found = locate(context, request, "pixels")
    if request.path_params.get("instance") is None:
        kept, left = here(context, found)
        return left.told(_of_many(context, request, kept))
    kind = pictures.category(found[0])
    return _BY_CATEGORY[kind](context, request, scope, found[0])


def thumbnail(context: Context, request: Request) -> Response:
    """A small picture that stands for a study, a series, an instance or a frame."""
    _, scope, found = locate(context, request, "pixels")
    offer = _choose(request, [MediaRange(kind) for kind in (JPEG, PNG, GIF)], "Thumbnails")
    wanted = rendering.thumbnail(request, cast(MediaType, offer.type))
    numbers = _frame_numbers(request)
    index = numbers[0] - 1 if numbers else None
    if request.path_params.get("instance") is None:
        found, _ = here(context, found)
    body = pictures.first(found, lambda one: states.thumbnail(context, scope, one, index, wanted))
    return answers.picture(request, body, offer.type)


def _of_many(context: Context, request: Request, found: list[Located]) -> Response:
    """One picture that stands for a study or series; as multipart/related one of each of its images."""
    single = [MediaRange(kind) for kind in _PICTURES]
    offer = _choose(request, [*single, *(MediaRange(kind, multipart=True) for kind in _PICTURES)], "Rendered images")
    wanted = rendering.wanted(request, cast(MediaType, offer.type))
    if not offer.multipart:
        body = pictures.first(found, lambda one: pictures.picture(context, one, None, wanted))
        return answers.picture(request, body, offer.type)
    made = pictures.first_frames(context, found, wanted)
    # The first is made before the answer begins: a study without any picture is an error, not an empty answer.
    first = next(made, None)
    if first is None:
        raise BadInput("nothing to render", safe=gettext("There is nothing here that has a picture."))
    return _pictures(context, request, offer.type, chain([first], made))


def _image(context: Context, request: Request, _scope: Scope, one: Located) -> Response:
    numbers = _frame_numbers(request)
    several = len(numbers) > 1
    many = [MediaRange(kind, multipart=True) for kind in _PICTURES]
    # Several frames fit into one body only where it moves.
    offers = [*many, MediaRange(GIF)] if several else [*(MediaRange(kind) for kind in _PICTURES), *many]
    offer = _choose(request, offers, "Rendered frames" if several else "Rendered images")
    wanted = rendering.wanted(request, cast(MediaType, offer.type))
    indices = [number - 1 for number in numbers] or None
    moving = one.frames > 1 if indices is None else several
    if offer.multipart:
        chosen = indices if indices is not None else list(range(min(one.frames, _MAX_PICTURES + 1)))
        if len(chosen) > _MAX_PICTURES:
            raise BadInput(
                "too many pictures",
                safe=gettext("Ask for at most %(max_pictures)s rendered frames at once.", max_pictures=_MAX_PICTURES),
            )
        # All are made before the answer begins: a wrong frame is an error of the request, not of its middle.
        made = [pictures.picture(context, one, index, wanted) for index in chosen]
        return _pictures(context, request, offer.type, made)
    if offer.type == GIF and moving:
        return answers.picture(request, pictures.animation(context, one, indices, wanted), GIF)
    index = indices[0] if indices is not None else None
    return answers.picture(request, pictures.picture(context, one, index, wanted), offer.type)


def _state(context: Context, request: Request, scope: Scope, one: Located) -> Response:
    _no_frames(request)
    offer = _choose(request, [MediaRange(kind) for kind in _PICTURES], "Rendered presentation states")
    wanted = rendering.wanted(request, cast(MediaType, offer.type))
    if wanted.window is not None:
        raise BadInput(
            "a window for a state", safe=gettext("A presentation state has a window of its own: ask without one.")
        )
    return answers.picture(request, states.presented(context, scope, one, wanted), offer.type)


def _video(context: Context, request: Request, _scope: Scope, one: Located) -> Response:
    """A video's own stream (Table 8.7.4-1)."""
    _no_frames(request)
    kinds = list(TABLE[one.transfer_syntax].types)
    if "video/H265" in kinds:
        kinds.append("video/mp4")  # by which players know it
    # Media types are compared in small letters.
    offer = _choose(request, [MediaRange(kind.lower()) for kind in kinds], "The video")
    kind = next(kind for kind in kinds if kind.lower() == offer.type)
    with retrieve.opened(context.archive, one) as instance:
        places = frames.frame_ranges(instance.parsed)
    if not places:
        raise BadInput("a video without a stream", safe=gettext("This object holds no video."))
    parts = [BlobRange(one.blob, start, length) for start, length in places[0]]
    validator = answers.etag("video", one.tag)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    # Players ask for the piece that they show next (RFC 9110 14.2).
    body = Body({"Content-Type": kind, "X-Content-Type-Options": "nosniff"}, parts)
    return answers.single_part(request, context.archive.blobs, body, validator, ranged=True)


def _text(context: Context, request: Request, scope: Scope, one: Located) -> Response:
    _no_frames(request)
    offer = _choose(request, [MediaRange(kind) for kind in (HTML, TEXT, XML)], "The report")
    with retrieve.opened(context.archive, one) as instance:
        ds = pictures.header(instance)
    return report(ds, offer.type, _links(context, scope, one) if offer.type == HTML else None)


def report(ds: Dataset, kind: str, links: report_text.Links | None = None) -> Response:
    """A structured report as text, in one of the types for it; `links` give the addresses of what it refers to."""
    if kind == TEXT:
        body = report_text.as_text(ds)
    else:
        page = report_text.as_html(ds, links)
        # The page is well-formed XML too.
        body = page if kind == HTML else '<?xml version="1.0" encoding="UTF-8"?>\n' + page.split("\n", 1)[1]
    return Response(body.encode(), headers={**answers.HEADERS, **_DOCUMENT, "Content-Type": f"{kind}; charset=utf-8"})


def _links(context: Context, scope: Scope, report: Located) -> report_text.Links:
    """Addresses, relative to the report's, of the pictures of what the scope shows of the report's study."""
    known: dict[str, Located | None] = {}

    def link(sop_uid: str, frame: str) -> str | None:
        if sop_uid not in known and len(known) < _MAX_LINKS:
            try:
                with context.archive.db.transaction() as tx:
                    known[sop_uid] = retrieve.locate(tx, scope, report.study_uid, None, sop_uid)[0]
            except NotFound:
                known[sop_uid] = None
        one = known.get(sop_uid)
        if one is None or pictures.category(one) == "other":
            return None
        part = f"/frames/{frame}" if frame.isdecimal() and 0 < int(frame) <= one.frames else ""
        return f"../../../{one.series_uid}/instances/{one.sop_uid}{part}/rendered"

    return link


def _document(context: Context, request: Request, _scope: Scope, one: Located) -> Response:
    """An encapsulated document as it is (PS3.3 A.45): PDF, CDA as XML, models. Always saved, never opened here."""
    _no_frames(request)
    with retrieve.opened(context.archive, one) as instance:
        kind, body = _encapsulated(instance)
    offer = _choose(request, [MediaRange(kind)], "The document")
    headers = {**_DOCUMENT, "Content-Disposition": f'attachment; filename="document.{kind.rpartition("/")[2]}"'}
    return Response(body, media_type=offer.type, headers=headers)


def _encapsulated(instance: Opened) -> tuple[str, bytes]:
    ds = pictures.header(instance)
    found = ds.get("EncapsulatedDocument")
    told = str(ds.get("MIMETypeOfEncapsulatedDocument", "")).strip().lower()
    kind = {"application/xml": XML}.get(told, told)
    if kind not in _DOCUMENTS or not isinstance(found, bytes):
        raise NotAcceptable(
            f"an encapsulated {told[:40]!r}",
            safe=gettext("This object's document can be had only as it is stored: as DICOM."),
        )
    length = ds.get("EncapsulatedDocumentLength")
    body = found[:length] if isinstance(length, int) and 0 < length <= len(found) else found
    if not _DOCUMENTS[kind](body):
        raise NotAcceptable(
            f"a {kind} that is none", safe=gettext("This object's document is not of the kind that it says to be.")
        )
    return kind, body


def _is_stl(body: bytes) -> bool:
    """Text that begins with its keyword, or 80 bytes of anything, a count, and 50 bytes for each triangle."""
    triangles = int.from_bytes(body[80:84], "little")
    return body.startswith(b"solid") or (len(body) >= 84 and len(body) - 84 - 50 * triangles in (0, 1))


#: The encapsulated documents that are given (PS3.3 A.45, A.85), and what tells that they are what they say.
_DOCUMENTS: dict[str, Callable[[bytes], bool]] = {
    PDF: lambda body: body.startswith(b"%PDF-"),
    XML: lambda body: b"<" in body[:64],
    "model/stl": _is_stl,
    "model/obj": lambda body: b"\0" not in body.rstrip(b"\0"),
    "model/mtl": lambda body: b"\0" not in body.rstrip(b"\0"),
}


def _other(_context: Context, _request: Request, _scope: Scope, one: Located) -> Response:
    if one.sop_class in STATES:
        raise NotAcceptable(
            f"a state of the class {one.sop_class}",
            safe=gettext(
                "Presentation states of this kind are not drawn here: they can be had as they are stored, as DICOM."
            ),
        )
    raise BadInput(f"nothing to render in {one.sop_class}", safe=gettext("This object holds no picture."))


_BY_CATEGORY: dict[pictures.Category, Callable[[Context, Request, Scope, Located], Response]] = {
    "image": _image,
    "state": _state,
    "video": _video,
    "text": _text,
    "document": _document,
    "other": _other,
}


def _choose(request: Request, offers: list[MediaRange], what: str) -> MediaRange:
    ranges = accepts(request)
    return choose(ranges, offers, what)[1]


def _frame_numbers(request: Request) -> list[int]:
    text = request.path_params.get("frames")
    return frame_list(text) if text is not None else []


def _no_frames(request: Request) -> None:
    if request.path_params.get("frames") is not None:
        raise BadInput("frames of what has none", safe=gettext("This object has no frames: ask for it as a whole."))


def _pictures(context: Context, request: Request, kind: str, made: Iterable[bytes]) -> Response:
    bodies = (Body({"Content-Type": kind}, [picture]) for picture in made)
    # Pictures are made as they are sent: nothing decides about their bytes that could be told beforehand.
    return answers.multipart(request, context.archive.blobs, kind, bodies, None)
