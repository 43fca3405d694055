"""The pages on which a coordinator looks at pictures and documents, blanks what names somebody, and decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import approval, pixels
from cases.service.approval import PictureLook, SuggestionsOpen, open_boxes
from cases.service.pixels import MOST_DOCUMENT, Check
from cases.states import StudyState
from cases.views import Box, Composite, Picture, Review, Suggestion
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import render
from overread.web.contexts import Desk, RequestContext, go
from overread.web.forms import FieldErrors

#: Pictures in the list; the rest follows when these are decided.
_MOST_LISTED = 200
#: Rows for boxes that a page without scripts leaves empty.
_SPARE_ROWS = 2
_SIDES = ("left", "top", "width", "height")
STATES: Mapping[str, dict[str, str]] = {
    Review.PENDING_REVIEW: render.status(Phrase("To review"), "warn"),
    Review.APPROVED: render.status(Phrase("Approved"), "good"),
    Review.WITHHELD: render.status(Phrase("Withheld"), "bad"),
    Review.UNUSABLE: render.status(Phrase("Unusable"), "bad"),
    Review.CLEAN: render.status(Phrase("Clean"), "good"),
}
_SOURCES: Mapping[str, str] = {
    "device": Phrase("Blanked before on pictures of the same device"),
    "regions": Phrase("Outside of the ultrasound’s regions"),
    "lines": Phrase("Read as lines of text"),
    "text": Phrase("Looks like letters"),
}
_DOCUMENTS: Mapping[str, str] = {
    "": Phrase("The document is left out of the copy."),
    "released": Phrase("The copy holds the original’s document, as it was sent."),
    "redacted": Phrase("The copy holds the redacted document that was uploaded."),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the review."""
    desk = Desk(services, Role.COORDINATOR)
    study = "/queue/{case}/studies/{study}/pixels"
    picture = study + "/{instance}"
    return [
        desk.get_without_tx(study, first_page),
        desk.get_without_tx(picture, picture_page),
        desk.get_without_tx(picture + "/minimum", minimum),
        desk.get_without_tx(picture + "/maximum", maximum),
        desk.post_without_tx(picture + "/mask", mask, picture_page),
        desk.post_without_tx(picture + "/decide", decide, picture_page),
        desk.post_without_tx(picture + "/document", document, picture_page, files=MOST_DOCUMENT),
    ]


def first_page(context: RequestContext) -> Response:
    """To the first picture of a study that waits for a decision."""
    found = _check(context)
    if not found.pictures:
        return go(f"/queue/{context.uuid()}")
    return go(
        _address(context, next((p for p in found.pictures if p.state == Review.PENDING_REVIEW), found.pictures[0]))
    )


def picture_page(context: RequestContext) -> Response:
    """A picture or document, what is suggested for it, and what can be done with it."""
    found = _check(context)
    picture = _picture(context)
    suggestions, trouble = _suggestions(context, picture)
    url = _address(context, picture)
    open_ = found.open and picture.state != Review.UNUSABLE
    drawable = not picture.is_document and not picture.is_video and not trouble and picture.state != Review.UNUSABLE
    alike = _alike(context, picture) if drawable else []
    seen = drawable or picture.is_video or bool(picture.document)
    following = _next(found, picture)
    pending = sum(p.state == Review.PENDING_REVIEW for p in found.pictures)
    return context.page(
        "coordinator/pixels.html",
        case={"reference": found.reference, "url": f"/queue/{context.uuid()}"},
        picture={
            "label": label(picture),
            "state": STATES[picture.state],
            "reasons": picture.reasons,
            "frames": picture.frames,
            "rows": picture.rows,
            "columns": picture.columns,
            "minimum": f"{url}/minimum?v={picture.digest[:12]}",
            "maximum": f"{url}/maximum?v={picture.digest[:12]}",
            "masked": bool(picture.boxes),
            "digest": picture.digest,
        },
        trouble=trouble,
        video=_video(context, found, picture) if picture.is_video else None,
        drawable=drawable,
        document=_document(context, picture) if picture.is_document else None,
        boxes=rows_of(context, picture.boxes),
        suggestions=suggestions if open_ else [],
        alike=len(alike),
        alike_pending=sum(p.state == Review.PENDING_REVIEW for p in alike),
        series_url=f"/queue/{context.uuid()}/studies/{context.request.path_params['study']}/series",
        mask_action=f"{url}/mask" if open_ and drawable else "",
        decide_action=f"{url}/decide" if open_ else "",
        document_action=f"{url}/document" if open_ and picture.is_document else "",
        approve=gettext("Approve") if seen and picture.state != Review.CLEAN else "",
        withhold=gettext("Withhold") if picture.state != Review.WITHHELD else "",
        withheld=picture.state == Review.WITHHELD,
        released=found.state is StudyState.RELEASED,
        next_url=_address(context, following) if following else "",
        pending=pending,
        pictures=[
            {
                "label": label(p),
                "url": _address(context, p),
                "state": STATES[p.state],
                "current": p.sop_uid == picture.sop_uid,
            }
            for p in found.pictures[:_MOST_LISTED]
        ],
        pictures_more=max(0, len(found.pictures) - _MOST_LISTED),
    )


def minimum(context: RequestContext) -> Response:
    """The darkest level of each pixel in any frame, as PNG."""
    return png(_composite(context).minimum)


def maximum(context: RequestContext) -> Response:
    """The brightest level of each pixel in any frame, as PNG."""
    return png(_composite(context).maximum)


def mask(context: RequestContext) -> Response:
    """Blank the boxes of the form in a picture, and in those of its series that it asks for."""
    picture = _picture(context)
    uids = [picture.sop_uid]
    if context.form.text("series"):
        uids += [p.sop_uid for p in _alike(context, picture)]
    boxes = boxes_of(context)
    blanked(context, uids, boxes)
    return go(_address(context, picture), "masked" if boxes else "unmasked")


def blanked(context: RequestContext, uids: Sequence[str], boxes: Sequence[tuple[int, ...]]) -> None:
    """Blank boxes in pictures. Raises Unprocessable with how many of them could not be changed, and why."""
    study = context.request.path_params["study"]
    refused = pixels.mask(context.services.archive, context.who, context.uuid(), study, uids, boxes)
    if refused:
        sentence = next(iter(refused.values()))
        if len(uids) > 1:
            sentence = gettext(
                "%(count)s of %(count_2)s pictures could not be changed; the others were. %(sentence)s",
                count=len(refused),
                count_2=len(uids),
                sentence=sentence,
            )
        raise Unprocessable(f"{len(refused)} of {len(uids)} pictures not masked", safe=sentence)


def decide(context: RequestContext) -> Response:
    """Approve or withhold a picture, and go on to the next that waits."""
    found = _check(context)
    picture = _picture(context)
    decision = {"approve": Review.APPROVED, "withhold": Review.WITHHELD}.get(context.form.text("decision"))
    if decision is None:
        raise FieldErrors({"form": gettext("Please choose what to do with this picture: approve it, or withhold it.")})
    # Whoever withholds needs no valid boxes.
    boxes = boxes_of(context) if decision == Review.APPROVED else []
    try:
        looked_at = PictureLook(found.study_uid, picture.sop_uid, boxes, context.form.text("digest"))
        despite = context.form.text("despite") == "yes"
        approval.decide(context.services.archive, context.who, context.uuid(), looked_at, decision, despite=despite)
    except SuggestionsOpen as error:
        return asked(context, error, _address(context, picture))
    following = _next(found, picture)
    return go(_address(context, following) if following else f"/queue/{context.uuid()}", "decided")


def asked(context: RequestContext, error: SuggestionsOpen, back: str) -> Response:
    """The question before an approval: the same form once more, with a button that says what it does."""
    boxes = sum(error.by_picture.values())
    response = context.page(
        "public/form.html",
        title=gettext(
            "%(boxes)s suggested %(value)s not blanked", boxes=boxes, value="box is" if boxes == 1 else "boxes are"
        ),
        text=error.safe,
        action=context.request.url.path,
        submit_label=gettext("Approve all the same"),
        fields=[],
        hidden={**{name: context.form.all(name) for name in context.form.names()}, "despite": ["yes"]},
        danger=True,
        back_url=back,
    )
    response.status_code = error.status
    return response


def document(context: RequestContext) -> Response:
    """Take a document over into its copy, as it is or redacted."""
    picture = _picture(context)
    what, redacted = context.form.text("document"), context.form.file("redacted")
    if what not in ("release", "redact"):
        raise FieldErrors({"form": gettext("Please choose whether the document is released or replaced.")})
    if what == "redact" and not redacted:
        raise FieldErrors({"redacted": gettext("Please choose the redacted document as a PDF.")})
    pixels.release_document(
        context.services.archive,
        context.who,
        context.uuid(),
        context.request.path_params["study"],
        picture.sop_uid,
        redacted if what == "redact" else None,
    )
    return go(_address(context, picture), "document")


def _check(context: RequestContext) -> Check:
    """The study of the address with its pictures. Raises NotFound, Forbidden."""
    with context.services.db.transaction() as tx:
        return pixels.check(tx, context.who, context.uuid(), context.request.path_params["study"])


def _picture(context: RequestContext) -> Picture:
    """The picture of the address. Raises NotFound, Forbidden."""
    names = context.request.path_params
    with context.services.db.transaction() as tx:
        return pixels.picture(tx, context.who, context.uuid(), names["study"], names["instance"])


def _composite(context: RequestContext) -> Composite:
    names = context.request.path_params
    archive = context.services.archive
    return pixels.composite(archive, context.who, context.uuid(), names["study"], names["instance"])


def png(data: bytes) -> Response:
    """A composite."""
    # It may show what waits for review, perhaps a name: no cache keeps it, not the browser's either.
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


def _address(context: RequestContext, picture: Picture) -> str:
    study = context.request.path_params["study"]
    return f"/queue/{context.uuid()}/studies/{study}/pixels/{picture.sop_uid}"


def label(picture: Picture) -> str:
    """What a picture is called: "Series 2, image 7"."""
    numbers = (
        (gettext("Series"), picture.series_number),
        (gettext("document") if picture.is_document else gettext("image"), picture.number),
    )
    words = ", ".join(f"{word} {number}" for word, number in numbers if number is not None)
    return (
        words[:1].upper() + words[1:] if words else gettext("Document") if picture.is_document else gettext("Picture")
    )


def _alike(context: RequestContext, picture: Picture) -> list[Picture]:
    """The other pictures of its series that have its size, pending or clean."""
    size = (picture.rows, picture.columns)
    with context.services.db.transaction() as tx:
        study = context.request.path_params["study"]
        found = pixels.series_group(tx, context.who, context.uuid(), study, picture.series_uid, size)
    return [p for p in found.pictures if p.sop_uid != picture.sop_uid]


def _next(found: Check, picture: Picture) -> Picture | None:
    """The next that waits, from the beginning again behind the last."""
    at = next((at for at, p in enumerate(found.pictures) if p.sop_uid == picture.sop_uid), len(found.pictures))
    return next(
        (p for p in (*found.pictures[at + 1 :], *found.pictures[:at]) if p.state == Review.PENDING_REVIEW), None
    )


def _video(context: RequestContext, found: Check, picture: Picture) -> str:
    """Where the copy's video is played from (PS3.18 8.7.4)."""
    study = f"/cases/{context.uuid()}/dicomweb/studies/{found.view_study_uid}"
    return f"{study}/series/{picture.series_uid}/instances/{picture.sop_uid}/rendered"


def _suggestions(context: RequestContext, picture: Picture) -> tuple[list[dict[str, Any]], str]:
    """Suggested boxes by their source, and why there is no picture to look at where there is none."""
    if picture.is_document or picture.is_video or picture.state == Review.UNUSABLE:
        return [], ""
    if not picture.rows or not picture.columns:
        return [], gettext("This object has no picture.")
    names = context.request.path_params
    try:
        found = pixels.suggest(context.services.archive, context.who, context.uuid(), names["study"], picture.sop_uid)
    except (Unprocessable, NotFound) as error:
        return [], error.safe
    shown = [suggestion(one, picture.boxes) for one in found]
    return [one for one in shown if one["boxes"]], ""


def suggestion(one: Suggestion, blanked: Sequence[Box]) -> dict[str, Any]:
    """What is suggested and not blanked yet, as the template has it."""
    return {"source": _SOURCES[one.source], "boxes": [box._asdict() for box in open_boxes(one.boxes, blanked)]}


def _document(context: RequestContext, picture: Picture) -> dict[str, Any]:
    study = context.request.path_params["study"]
    source = f"/dicomweb/studies/{study}/series/{picture.source_series_uid}/instances/{picture.source_sop_uid}"
    return {
        "text": _DOCUMENTS[picture.document],
        "original": f"{source}/rendered" if picture.source_sop_uid else "",
        "pdf": picture.is_pdf,
    }


def rows_of(context: RequestContext, blanked: Sequence[Box]) -> list[dict[str, Any]]:
    """The boxes as the form shows them: what was typed, else what is in force; and some to fill in."""
    typed = zip_longest(*(context.form.all(side) for side in _SIDES), fillvalue="")
    rows: list[dict[str, Any]] = [dict(zip(_SIDES, row, strict=True)) for row in typed if any(row)]
    if not context.form.names():
        rows = [box._asdict() for box in blanked]
    return [*rows, *[dict.fromkeys(_SIDES, "")] * _SPARE_ROWS]


def boxes_of(context: RequestContext) -> Sequence[tuple[int, ...]]:
    """The boxes of the form: its filled rows, and the suggestions that were ticked. Raises FieldErrors, Conflict."""
    form = context.form
    rows = [row for row in zip_longest(*(form.all(side) for side in _SIDES), fillvalue="") if any(row)]
    rows += [tuple(text.split()) for text in form.all("suggested")]
    found: list[tuple[int, ...]] = []
    for row in rows:
        if len(row) != len(_SIDES) or not all(n.isascii() and n.isdigit() and len(n) < 7 for n in row):
            raise FieldErrors(
                {
                    "form": gettext(
                        "A box needs four whole numbers: left and top, width and height, in pixels. Leave none empty."
                    )
                }
            )
        found.append(tuple(map(int, row)))
    if form.text("decision") == "approve" and form.all("suggested"):
        raise Conflict(
            "suggestions that were ticked and not blanked",
            safe=gettext("You ticked suggested boxes that are not blanked yet. Blank them, or take the ticks off."),
        )
    return found
