"""Rendered instances, frames and thumbnails (PS3.18 10.4.1.1.3 and 4, 8.3.5)."""

from __future__ import annotations

import re
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.context import Context
from dicomweb.media import GIF, JPEG, PNG, MediaRange, accepted, choose
from dicomweb.wado import frame_list, locate
from overread.kit.errors import BadInput
from pacs import frames, retrieve
from pacs.pixels import render as drawing
from pacs.pixels.placeholder import placeholder
from pacs.pixels.render import MediaType, Viewport
from pacs.pixels.window import Function, Window
from pacs.retrieve import Located

_OFFERS = [MediaRange(JPEG), MediaRange(PNG), MediaRange(GIF)]
_THUMBNAIL = 256


def rendered(context: Context, request: Request) -> Response:
    """A picture of an instance or of one frame, as JPEG, PNG or GIF."""
    _, offer = choose(
        accepted(request.headers.get("accept"), request.query_params.get("accept")), _OFFERS, "Rendered images"
    )
    _, _, found = locate(context, request, "pixels")
    return Response(_render(context, request, _middle(found), cast(MediaType, offer.type)), media_type=offer.type)


def thumbnail(context: Context, request: Request) -> Response:
    """A small picture that stands for a study, a series, an instance or a frame."""
    _, offer = choose(
        accepted(request.headers.get("accept"), request.query_params.get("accept")), _OFFERS, "Thumbnails"
    )
    _, _, found = locate(context, request, "pixels")
    one = _middle(found)
    with retrieve.opened(context.archive, one) as instance:
        if frames.pixel_element(instance.parsed) is None:
            picture = placeholder(one.modality, media_type=cast(MediaType, offer.type))
        else:
            index = _frame_index(request, one)
            picture = drawing.thumbnail(
                instance.dataset(), instance.frame(index), instance.transfer_syntax, index,
                size=_THUMBNAIL, media_type=cast(MediaType, offer.type),
            )  # fmt: skip
    return Response(picture, media_type=offer.type, headers={"Cache-Control": "private, max-age=300"})


def _middle(found: list[Located]) -> Located:
    """The instance that stands for several: the middle one of the first series shows more than its first."""
    first = [one for one in found if one.series_uid == found[0].series_uid]
    return first[len(first) // 2]


def _frame_index(request: Request, one: Located) -> int:
    text = request.path_params.get("frames")
    return frame_list(text)[0] - 1 if text is not None else (one.frames - 1) // 2


def _render(context: Context, request: Request, one: Located, media_type: MediaType) -> bytes:
    with retrieve.opened(context.archive, one) as instance:
        if frames.pixel_element(instance.parsed) is None:
            raise BadInput("nothing to render", safe="This object holds no picture.")
        index = _frame_index(request, one)
        return drawing.render(
            instance.dataset(),
            instance.frame(index),
            instance.transfer_syntax,
            index,
            media_type=media_type,
            window=_window(request.query_params.get("window")),
            quality=_quality(request.query_params.get("quality")),
            viewport=_viewport(request.query_params.get("viewport")),
        )


def _window(text: str | None) -> Window | None:
    """Center, width and function (PS3.18 8.3.5.1.4)."""
    if text is None:
        return None
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?),(\d+(?:\.\d+)?),(linear|linear-exact|sigmoid)", text)
    if found is None or float(found[2]) <= 0:
        raise BadInput(
            "a bad window",
            safe="window is CENTER,WIDTH,FUNCTION with a width above 0 and linear, linear-exact or sigmoid.",
        )
    return Window(float(found[1]), float(found[2]), cast(Function, found[3].upper().replace("-", "_")))


def _quality(text: str | None) -> int:
    """1 to 100 (PS3.18 8.3.5.1.2)."""
    if text is None:
        return 90
    if not re.fullmatch(r"\d{1,3}", text) or not 1 <= int(text) <= 100:
        raise BadInput("a bad quality", safe="quality is a whole number from 1 to 100.")
    return int(text)


def _viewport(text: str | None) -> Viewport | None:
    """Width and height, and the part of the image that they show (PS3.18 8.3.5.1.3)."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) not in (2, 6) or not all(re.fullmatch(r"-?\d{0,5}(\.\d+)?", part) for part in parts):
        raise BadInput("a bad viewport", safe="viewport is WIDTH,HEIGHT or WIDTH,HEIGHT,X,Y,WIDTH,HEIGHT.")
    width, height, *region = (float(part or 0) for part in parts)
    return Viewport(int(width), int(height), *region)
