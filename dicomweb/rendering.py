"""The query parameters of rendered resources and thumbnails (PS3.18 8.3.5). Whatever is ill-defined is a BadInput."""

from __future__ import annotations

import re
from typing import cast, get_args

from starlette.requests import Request

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.pixels import icc
from pacs.pixels.annotate import Keyword
from pacs.pixels.picture import MAX_SIDE, MediaType
from pacs.pixels.render import THUMBNAIL, Rendition
from pacs.pixels.viewport import Viewport
from pacs.pixels.window import Function, Window

_NUMBER = re.compile(r"[+-]?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})(e[+-]?\d{1,2})?", re.IGNORECASE)
#: The words of the clause, compared as ABNF does (RFC 5234 2.3), and those of VOI LUT Function.
_SHAPES = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "linear_exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_DEFAULT_QUALITY = 90


def wanted(request: Request, media_type: MediaType) -> Rendition:
    """How a rendered resource is wanted; unknown parameters are ignored (8.3.1). Raises BadInput."""
    query = request.query_params
    return Rendition(
        media_type=media_type,
        window=_window(query.get("window")),
        quality=_quality(query.get("quality")),
        viewport=_viewport(query.get("viewport")),
        annotations=annotation(query.get("annotation")),
        profile=_profile(query.get("iccprofile"), media_type),
    )


def thumbnail(request: Request, media_type: MediaType) -> Rendition:
    """How a thumbnail is wanted: a viewport is all that it takes (8.3.5.2). Raises BadInput."""
    viewport = _viewport(request.query_params.get("viewport"), region=False)
    return Rendition(media_type, viewport=viewport or THUMBNAIL.viewport, quality=THUMBNAIL.quality, enlarge=False)


def _window(text: str | None) -> Window | None:
    """Center, width and shape, all three (8.3.5.1.4)."""
    if text is None:
        return None
    center, width, shape = (*text.lower().split(","), "", "", "")[:3]
    if text.count(",") != 2 or not _NUMBER.fullmatch(center) or not _NUMBER.fullmatch(width) or shape not in _SHAPES:
        raise BadInput(
            "a bad window",
            safe=gettext("window is CENTER,WIDTH,SHAPE: two numbers and one of linear, linear-exact and sigmoid."),
        )
    return Window(float(center), float(width), cast(Function, _SHAPES[shape]))


def _quality(text: str | None) -> int:
    """1 to 100 (8.3.5.1.2)."""
    if text is None:
        return _DEFAULT_QUALITY
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise BadInput("a bad quality", safe=gettext("quality is a whole number from 1 to 100."))
    return int(text)


def _viewport(text: str | None, *, region: bool = True) -> Viewport | None:
    """Width and height, and the part of the image that they show (8.3.5.1.3); empty members are left to us."""
    if text is None:
        return None
    parts = text.split(",")
    sizes = parts[:2]
    if len(parts) not in ((2, 3, 4, 5, 6) if region else (2,)) or not all(re.fullmatch("[0-9]{1,5}", p) for p in sizes):
        form = "WIDTH,HEIGHT or WIDTH,HEIGHT,X,Y,WIDTH,HEIGHT" if region else "WIDTH,HEIGHT"
        raise BadInput(
            "a bad viewport",
            safe=gettext(
                "viewport is %(form)s, the first two of them 1 to %(max_side)s.", form=form, max_side=MAX_SIDE
            ),
        )
    if not all(part == "" or _NUMBER.fullmatch(part) for part in parts[2:]):
        raise BadInput(
            "a bad viewport region", safe=gettext("The region of a viewport is X,Y,WIDTH,HEIGHT: four numbers.")
        )
    x, y, width, height = (float(part) if part else None for part in (*parts[2:], "", "", "", "")[:4])
    # The corner is named by absolute values; a negative size turns the picture over.
    return Viewport(int(sizes[0]), int(sizes[1]), abs(x or 0.0), abs(y or 0.0), width, height)


def annotation(text: str | None) -> frozenset[Keyword]:
    """A list of keywords (8.3.5.1.1)."""
    if text is None:
        return frozenset()
    found = text.split(",")
    if not set(found) <= set(get_args(Keyword)):
        raise BadInput("a bad annotation", safe=gettext("annotation is patient, technique or both, parted by a comma."))
    return frozenset(cast(list[Keyword], found))


def _profile(text: str | None, media_type: MediaType) -> icc.Choice:
    """A colour space (8.3.5.1.5)."""
    if text is None:
        return "no"
    if text not in get_args(icc.Choice):
        raise BadInput(
            "a bad iccprofile", safe=gettext("iccprofile is one of no, yes, srgb, adobergb, rommrgb and displayp3.")
        )
    if media_type == "image/jxl" and text != "no":
        if text != "srgb":
            raise BadInput(
                "a profile for JPEG XL", safe=gettext("image/jxl has colours of sRGB: ask for it without iccprofile.")
            )
        return "srgb"
    return cast(icc.Choice, text)
