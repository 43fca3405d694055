"""The pages of a study's pictures by series: the clean ones too: looked at and blanked a whole series at once."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import approval, pixels
from cases.service.approval import SeriesGroupLook, SuggestionsOpen
from cases.service.pixels import SeriesGroupReview
from cases.states import StudyState
from cases.views import Picture, Review, SeriesGroup
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web.contexts import Desk, RequestContext, go
from overread.web.forms import FieldErrors
from overread.web.pixels import STATES, asked, blanked, boxes_of, label, png, rows_of, suggestion

#: Pictures in a page's list.
_A_PAGE = 100


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the review by series."""
    desk = Desk(services, Role.COORDINATOR)
    series = "/queue/{case}/studies/{study}/series"
    group = series + "/{series}/{size}"
    return [
        desk.get_without_tx(series, series_page),
        desk.get_without_tx(group, series_group_page),
        desk.get_without_tx(group + "/minimum", minimum),
        desk.get_without_tx(group + "/maximum", maximum),
        desk.post_without_tx(group + "/mask", mask, series_group_page),
        desk.post_without_tx(group + "/decide", decide, series_group_page),
    ]


def series_page(context: RequestContext) -> Response:
    """All pictures of a study, counted by series and size."""
    study = context.request.path_params["study"]
    with context.services.db.transaction() as tx:
        found = pixels.overview(tx, context.who, context.uuid(), study)
    url = f"/queue/{context.uuid()}/studies/{study}"
    return context.page(
        "coordinator/series.html",
        case={"reference": found.reference, "url": f"/queue/{context.uuid()}"},
        series_groups=[_line(url, group) for group in found.series_groups],
        pending=sum(group.pending for group in found.series_groups),
        pixels_url=f"{url}/pixels",
        released=found.state is StudyState.RELEASED,
    )


def series_group_page(context: RequestContext) -> Response:
    """A series' pictures of one size laid over each other, what is blanked in all of them, and the list of them."""
    found = _series_group(context)
    url, first = _address(context), found.pictures[0]
    pending, count = len(found.pending), len(found.pictures)
    page = _page_number(context, count)
    shown = found.pictures[(page - 1) * _A_PAGE : page * _A_PAGE]
    video = first.is_video
    return context.page(
        "coordinator/pixels.html",
        case={"reference": found.reference, "url": f"/queue/{context.uuid()}"},
        picture={
            "label": _title(first, count),
            "state": STATES[Review.PENDING_REVIEW if pending else first.state],
            "reasons": list(dict.fromkeys(reason for p in found.pending for reason in p.reasons)),
            "frames": found.frames,
            "rows": first.rows,
            "columns": first.columns,
            "minimum": f"{url}/minimum?v={found.digest[:12]}",
            "maximum": f"{url}/maximum?v={found.digest[:12]}",
            "masked": bool(found.boxes),
            "digest": found.digest,
        },
        trouble="" if not video else gettext("These are videos: look at them one by one."),
        drawable=not video,
        video=None,
        document=None,
        group={"count": count, "differ": found.boxes is None, "whole": found.wholly_seen},
        boxes=rows_of(context, found.boxes or ()),
        suggestions=_suggestions(context, found) if found.open and not video else [],
        alike=0,
        series_url=f"/queue/{context.uuid()}/studies/{context.request.path_params['study']}/series",
        mask_action=f"{url}/mask" if found.open and not video else "",
        decide_action=f"{url}/decide" if found.open else "",
        document_action="",
        approve=gettext("Approve all %(pending)s that wait", pending=pending)
        if pending and found.wholly_seen and not video
        else "",
        withhold=gettext("Withhold all %(count)s", count=count),
        withheld=False,
        released=found.state is StudyState.RELEASED,
        next_url="",
        pending=pending,
        pictures=[
            {
                "label": label(p),
                "url": f"{_study(context)}/pixels/{p.sop_uid}",
                "state": STATES[p.state],
                "current": False,
            }
            for p in shown
        ],
        pictures_more=0,
        pages={
            "before": f"{url}?page={page - 1}" if page > 1 else "",
            "after": f"{url}?page={page + 1}" if page * _A_PAGE < count else "",
            "first": (page - 1) * _A_PAGE + 1,
            "last": (page - 1) * _A_PAGE + len(shown),
            "count": count,
        },
    )


def minimum(context: RequestContext) -> Response:
    """The darkest level of each pixel in any picture of a series, as PNG."""
    return png(pixels.composite_of(context.services.archive, context.who, *_names(context)).minimum)


def maximum(context: RequestContext) -> Response:
    """The brightest level of each pixel in any picture of a series, as PNG."""
    return png(pixels.composite_of(context.services.archive, context.who, *_names(context)).maximum)


def mask(context: RequestContext) -> Response:
    """Blank the boxes of the form in all pictures of a series that have one size."""
    found, boxes = _series_group(context), boxes_of(context)
    blanked(context, [p.sop_uid for p in found.pictures], boxes)
    return go(_address(context), "masked" if boxes else "unmasked")


def decide(context: RequestContext) -> Response:
    """Approve what waits of a series' pictures of one size, or withhold all of them."""
    decision = {"approve": Review.APPROVED, "withhold": Review.WITHHELD}.get(context.form.text("decision"))
    if decision is None:
        raise FieldErrors(
            {"form": gettext("Please choose what to do with these pictures: approve them, or withhold them.")}
        )
    boxes = boxes_of(context) if decision == Review.APPROVED else []
    case_id, study_uid, series_uid, size = _names(context)
    looked_at = SeriesGroupLook(study_uid, series_uid, size, boxes, context.form.text("digest"))
    despite = context.form.text("despite") == "yes"
    try:
        approval.decide(context.services.archive, context.who, case_id, looked_at, decision, despite=despite)
    except SuggestionsOpen as error:
        return asked(context, error, _address(context))
    return go(f"{_study(context)}/series", "decided")


def _study(context: RequestContext) -> str:
    return f"/queue/{context.uuid()}/studies/{context.request.path_params['study']}"


def _address(context: RequestContext) -> str:
    names = context.request.path_params
    return f"{_study(context)}/series/{names['series']}/{names['size']}"


def _names(context: RequestContext) -> tuple[Any, str, str, tuple[int, int]]:
    """The case, the study, the series and the size (rows, columns) of the address. Raises NotFound."""
    names = context.request.path_params
    size = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", names["size"], re.ASCII)
    if size is None:
        raise NotFound(f"size {names['size'][:20]!r}", safe=gettext("There are no such pictures here."))
    return context.uuid(), names["study"], names["series"], (int(size[2]), int(size[1]))


def _series_group(context: RequestContext) -> SeriesGroupReview:
    with context.services.db.transaction() as tx:
        return pixels.series_group(tx, context.who, *_names(context))


def _suggestions(context: RequestContext, found: SeriesGroupReview) -> list[dict[str, Any]]:
    """By the header of the picture in the middle: no page waits until all of them are decoded."""
    case_id, study, _, _ = _names(context)
    middle = found.pictures[len(found.pictures) // 2]
    try:
        wanted = pixels.suggest(context.services.archive, context.who, case_id, study, middle.sop_uid, look=False)
    except (Unprocessable, NotFound):
        return []
    shown = [suggestion(one, found.boxes or ()) for one in wanted]
    return [one for one in shown if one["boxes"]]


def _page_number(context: RequestContext, count: int) -> int:
    asked = context.query("page")
    wanted = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
    return min(max(1, wanted), -(-count // _A_PAGE))


def _title(first: Picture, count: int) -> str:
    series = (
        gettext("A series")
        if first.series_number is None
        else gettext("Series %(series_number)s", series_number=first.series_number)
    )
    return gettext(
        "%(series)s: %(count)s picture%(value)s of %(columns)s × %(rows)s",
        series=series,
        count=count,
        value="" if count == 1 else "s",
        columns=first.columns,
        rows=first.rows,
    )


def _line(url: str, group: SeriesGroup) -> dict[str, Any]:
    is_picture = bool(group.rows and group.columns)
    state = (
        Review.PENDING_REVIEW
        if group.pending
        else Review.WITHHELD
        if group.withheld == group.pictures
        else Review.CLEAN
    )
    return {
        "label": gettext("A series") if group.number is None else gettext("Series %(number)s", number=group.number),
        "modality": group.modality,
        "size": f"{group.columns} × {group.rows}" if is_picture else "no picture",
        "pictures": group.pictures,
        "frames": group.frames,
        "pending": group.pending,
        "withheld": group.withheld,
        "state": STATES[state],
        "url": f"{url}/series/{group.series_uid}/{group.columns}x{group.rows}"
        if is_picture
        else f"{url}/pixels/{group.middle}",
        "middle_url": f"{url}/pixels/{group.middle}" if is_picture else "",
        "preview": f"{url}/pixels/{group.middle}/maximum" if is_picture else "",
    }
