"""WADO-URI (PS3.18 9): one instance by query parameters, as DICOM or as a picture, for viewers that know only that."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache, partial
from typing import cast
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers, pictures, states
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.media import DICOM, GIF, JP2, JPEG, JXL, PNG, MediaRange, accepted, choose, need_utf8
from dicomweb.rendered import HTML, TEXT, XML, report
from dicomweb.rendering import annotation
from dicomweb.syntaxes import instance_syntax
from dicomweb.wado import frame_list, record_given, watch
from overread.kit.errors import BadInput, NotAcceptable
from overread.kit.language import gettext
from overread.kit.principals import Principal
from pacs.dicom.part10 import valid_uid
from pacs.index.scope import ORIGINAL, Scope
from pacs.pixels.picture import MAX_SIDE, MediaType
from pacs.pixels.render import Rendition
from pacs.pixels.viewport import Viewport
from pacs.pixels.window import Window
from pacs.serve import retrieve, transcoded
from pacs.serve.retrieve import Located, Opened
from pacs.store import damage

_PICTURES = [MediaRange(kind) for kind in (JPEG, PNG, GIF, JP2, JXL)]
_TEXTS = [MediaRange(kind) for kind in (HTML, TEXT, XML)]
_ONLY_PICTURES = (
    "frameNumber", "rows", "columns", "region", "windowCenter", "windowWidth", "imageQuality", "imageAnnotation",
    "annotation", "presentationUID", "presentationSeriesUID",
)  # fmt: skip
_ONLY_DICOM = ("anonymize", "transferSyntax")
#: What the presentation state says itself (9.5.1.2.6, 9.5.1.2.7), and what it moves elsewhere.
_NOT_WITH_STATE = ("windowCenter", "windowWidth", "region")


def retrieve_uri(context: Context, request: Request) -> Response:
    """Retrieve a DICOM instance (9.4) or a rendered one (9.5)."""
    who, scope = context.authorise(request)
    asked = _parameters(request)
    if asked.get("requestType") != "WADO":
        raise BadInput("requestType", safe=gettext("requestType must be WADO."))
    study, series, sop = (_uid(asked, name) for name in ("studyUID", "seriesUID", "objectUID"))
    need_utf8(request)
    # 9.1.2.2.1: the parameter is this service's way to say `accept`.
    ranges = accepted(", ".join(request.headers.getlist("accept")), asked.get("contentType"))
    with context.archive.db.transaction() as tx:
        (one,) = retrieve.locate(tx, scope, study, series, sop)
    damage.here(context.archive, [one])
    watch(context, request, [one])
    with retrieve.opened(context.archive, one) as instance:
        wanted, offer = choose(ranges, _offers(one, asked, shows=instance.pixels is not None), "The object")
        if offer.type == DICOM:
            return _dicom(context, request, who, scope, one, asked, wanted)
        if wrong := [name for name in _ONLY_DICOM if name in asked]:
            raise BadInput(
                "DICOM's parameters",
                safe=gettext("%(names)s can only be used with %(dicom)s.", names=", ".join(wrong), dicom=DICOM),
            )
        if offer in _TEXTS:
            _refuse_pictures(asked, offer.type)
            _record(context, request, who, one, "pixels")
            return report(pictures.header(instance), offer.type)
        look = _wanted(instance, asked, cast(MediaType, offer.type))
    index = _frame(asked)
    if (state := _state(context, scope, one, asked)) is not None:
        picture = states.presented_by(context, one, index, state, look)
    else:
        picture = pictures.picture(context, one, index, look)
    _record(context, request, who, one, "pixels")
    return answers.picture(request, picture, offer.type)


def _parameters(request: Request) -> dict[str, str]:
    """The query's parameters, each given once."""
    given = request.query_params.multi_items()
    if len(dict(given)) != len(given):
        raise BadInput("a parameter twice", safe=gettext("A query parameter is given twice."))
    return dict(given)


def _uid(asked: Mapping[str, str], name: str) -> str:
    uid = asked.get(name, "")
    if not valid_uid(uid):
        raise BadInput(f"{name} is not a UID", safe=gettext("%(name)s is missing or not a valid UID.", name=name))
    return uid


def _offers(one: Located, asked: Mapping[str, str], *, shows: bool) -> list[MediaRange]:
    """What can be had, the default first (8.7.4): a picture of a single frame, text of a report, else the object."""
    if pictures.category(one) == "text":
        return [*_TEXTS, MediaRange(DICOM)]
    if not shows:
        return [MediaRange(DICOM)]
    if one.frames == 1 or "frameNumber" in asked:
        return [*_PICTURES, MediaRange(DICOM)]
    return [MediaRange(DICOM), *_PICTURES]


def _refuse_pictures(asked: Mapping[str, str], kind: str) -> None:
    if wrong := [name for name in _ONLY_PICTURES if name in asked]:
        raise BadInput(
            f"rendering of {kind}",
            safe=gettext("%(names)s can't be used with %(kind)s.", names=", ".join(wrong), kind=kind),
        )


def _dicom(
    context: Context,
    request: Request,
    who: Principal,
    scope: Scope,
    one: Located,
    asked: Mapping[str, str],
    wanted: MediaRange,
) -> Response:
    _refuse_pictures(asked, DICOM)
    if "anonymize" in asked:
        if asked["anonymize"] != "yes":
            raise BadInput("anonymize", safe=gettext("anonymize can only be yes."))
        if scope.view_id == ORIGINAL:
            # 9.4.1.2: a server may decline; what a case shows is de-identified, and checked by a person.
            raise NotAcceptable(
                "anonymize of an original",
                safe=gettext(
                    "Originals are not anonymised on request. Ask at the address of a case that has this study."
                ),
            )
    syntax = asked.get("transferSyntax")
    if syntax not in (None, "*") and not valid_uid(syntax):
        raise BadInput("transferSyntax", safe=gettext("transferSyntax is not a valid UID."))
    # 9.4.1.2.3: the parameter; else the media type's; else Explicit VR Little Endian, where it can be had (8.7.3).
    given = MediaRange(DICOM, parameters={"transfer-syntax": syntax} if syntax else wanted.parameters)
    targets = cache(partial(transcoded.targets, context.archive, one))
    chosen = instance_syntax(given, one.transfer_syntax, targets)
    if chosen is None:
        raise NotAcceptable(
            f"{given.transfer_syntax} of {one.transfer_syntax}",
            safe=gettext(
                "The object can be had in %(names)s.", names=", ".join(sorted({one.transfer_syntax, *targets()}))
            ),
        )
    _record(context, request, who, one, "instances")
    validator = answers.etag("wado", one.tag, chosen)
    stored = chosen == one.transfer_syntax
    content: answers.Content = one.parts if stored else transcoded.stream(context.archive, one, chosen)
    return answers.single_part(request, context.archive.blobs, Body({"Content-Type": DICOM}, content), validator)


def _state(context: Context, scope: Scope, one: Located, asked: Mapping[str, str]) -> Located | None:
    """The presentation state that is to be applied (9.5.1.2.7): both UIDs name it."""
    if not {"presentationUID", "presentationSeriesUID"} & set(asked):
        return None
    series, sop = (_uid(asked, name) for name in ("presentationSeriesUID", "presentationUID"))
    if wrong := [name for name in _NOT_WITH_STATE if name in asked]:
        raise BadInput(
            "a state and more",
            safe=gettext("%(names)s can't be used with a presentation state.", names=", ".join(wrong)),
        )
    with context.archive.db.transaction() as tx:
        return retrieve.locate(tx, scope, one.study_uid, series, sop)[0]


def _record(context: Context, request: Request, who: Principal, one: Located, what: str) -> None:
    case = request.path_params.get("case")
    case_id = UUID(case) if case else None
    context.archive.db.at_once(lambda connection: record_given(connection, who, one.study_uid, case_id, what, 1))


def _frame(asked: Mapping[str, str]) -> int:
    """The frame that is asked for, counted from 0."""
    numbers = frame_list(asked.get("frameNumber", "1"))
    if len(numbers) != 1:
        raise BadInput("many frames", safe=gettext("frameNumber is one number, counted from 1."))
    return numbers[0] - 1


def _wanted(instance: Opened, asked: Mapping[str, str], media_type: MediaType) -> Rendition:
    ds = pictures.header(instance)
    return Rendition(
        media_type=media_type,
        window=_window(asked),
        quality=_whole(asked, "imageQuality", 1, 100) or 90,
        viewport=_viewport(asked, int(ds.get("Columns", 0) or 0), int(ds.get("Rows", 0) or 0)),
        # Table 9.5.1-1 calls it imageAnnotation, the request's syntax and older editions annotation.
        annotations=annotation(asked.get("imageAnnotation", asked.get("annotation"))),
    )


def _window(asked: Mapping[str, str]) -> Window | None:
    """9.5.1.2: centre and width come together."""
    given = [asked.get(name) for name in ("windowCenter", "windowWidth")]
    if given == [None, None]:
        return None
    centre, width = (_decimal(text or "") for text in given)
    if centre is None or width is None:
        raise BadInput(
            "a bad window", safe=gettext("windowCenter and windowWidth are decimal numbers, given together.")
        )
    # The parameters name no function: a width that LINEAR has no meaning for is meant exactly (PS3.3 C.11.2.1.3.2).
    return Window(centre, width, "LINEAR" if width >= 1 else "LINEAR_EXACT")


def _viewport(asked: Mapping[str, str], columns: int, rows: int) -> Viewport | None:
    """The largest size that the picture may have, and the region of the image in fractions of its sides (9.5.1.2)."""
    high, wide = (_whole(asked, name, 1, MAX_SIDE) for name in ("rows", "columns"))
    region = asked.get("region")
    if region is None:
        return None if high is None and wide is None else Viewport(wide or MAX_SIDE, high or MAX_SIDE)
    sides = [_decimal(part) for part in region.split(",")]
    if len(sides) != 4 or None in sides:
        raise BadInput("a bad region", safe=gettext("region is XMIN,YMIN,XMAX,YMAX, in fractions from 0.0 to 1.0."))
    left, top, right, bottom = (side or 0.0 for side in sides)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadInput("a bad region", safe=gettext("region is XMIN,YMIN,XMAX,YMAX, in fractions from 0.0 to 1.0."))
    width, height = (right - left) * columns, (bottom - top) * rows
    size = (wide or MAX_SIDE, high or MAX_SIDE) if wide or high else (math.ceil(width), math.ceil(height))
    return Viewport(*size, left * columns, top * rows, width, height)


def _whole(asked: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not least <= int(text) <= most:
        raise BadInput(
            f"a bad {name}",
            safe=gettext("%(name)s is a whole number from %(least)s to %(most)s.", name=name, least=least, most=most),
        )
    return int(text)


def _decimal(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?\d{1,12}(\.\d{0,12})?", text, re.ASCII) else None
