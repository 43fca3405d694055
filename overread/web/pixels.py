"""The pages on which a coordinator looks at held pictures and documents, blanks what names somebody, and decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import approval, pixels
from cases.service.approval import SuggestionsOpen, open_boxes
from cases.service.pixels import MOST_DOCUMENT, Check
from cases.states import StudyState
from cases.views import Box, Composite, Picture, Review, Suggestion
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.principals import Role
from overread.services import Services
from overread.web import render
from overread.web.forms import FieldErrors
from overread.web.visits import Desk, Errand, go

#: Pictures in the list; the rest follows when these are decided.
_MOST_LISTED = 200
#: Rows for boxes that a page without scripts leaves empty.
_SPARE_ROWS = 2
_SIDES = ("left", "top", "width", "height")
STATES: Mapping[str, dict[str, str]] = {
    Review.HELD: render.status("Held", "warn"),
    Review.APPROVED: render.status("Approved", "good"),
    Review.WITHHELD: render.status("Withheld", "bad"),
    Review.UNUSABLE: render.status("Unusable", "bad"),
    Review.CLEAN: render.status("Clean", "good"),
}
_SOURCES: Mapping[str, str] = {
    "device": "Blanked before on pictures of the same device",
    "regions": "Outside of the ultrasound’s regions",
    "lines": "Read as lines of text",
    "text": "Looks like letters",
}
_DOCUMENTS: Mapping[str, str] = {
    "": "The document is left out of the copy.",
    "released": "The copy holds the original’s document, as it was sent.",
    "redacted": "The copy holds the redacted document that was uploaded.",
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the review."""
    desk = Desk(services, Role.COORDINATOR)
    study = "/queue/{case}/studies/{study}/pixels"
    picture = study + "/{instance}"
    return [
        desk.look(study, first_page),
        desk.look(picture, picture_page),
        desk.look(picture + "/minimum", minimum),
        desk.look(picture + "/maximum", maximum),
        desk.work(picture + "/mask", mask, picture_page),
        desk.work(picture + "/decide", decide, picture_page),
        desk.work(picture + "/document", document, picture_page, files=MOST_DOCUMENT),
    ]


def first_page(errand: Errand) -> Response:
    """To the first picture of a study that waits for a decision."""
    found = _check(errand)
    if not found.pictures:
        return go(f"/queue/{errand.uuid()}")
    return go(_address(errand, next((p for p in found.pictures if p.state == Review.HELD), found.pictures[0])))


def picture_page(errand: Errand) -> Response:
    """A picture or document, what is suggested for it, and what can be done with it."""
    found = _check(errand)
    picture = _picture(errand)
    suggestions, trouble = _suggestions(errand, picture)
    url = _address(errand, picture)
    open_ = found.open and picture.state != Review.UNUSABLE
    drawable = not picture.is_document and not picture.is_video and not trouble and picture.state != Review.UNUSABLE
    alike = _alike(errand, picture) if drawable else []
    seen = drawable or picture.is_video or bool(picture.document)
    following = _next(found, picture)
    held = sum(p.state == Review.HELD for p in found.pictures)
    return errand.page(
        "coordinator/pixels.html",
        case={"reference": found.reference, "url": f"/queue/{errand.uuid()}"},
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
        video=_video(errand, found, picture) if picture.is_video else None,
        drawable=drawable,
        document=_document(errand, picture) if picture.is_document else None,
        boxes=rows_of(errand, picture.boxes),
        suggestions=suggestions if open_ else [],
        alike=len(alike),
        alike_held=sum(p.state == Review.HELD for p in alike),
        series_url=f"/queue/{errand.uuid()}/studies/{errand.request.path_params['study']}/series",
        mask_action=f"{url}/mask" if open_ and drawable else "",
        decide_action=f"{url}/decide" if open_ else "",
        document_action=f"{url}/document" if open_ and picture.is_document else "",
        approve="Approve" if seen and picture.state != Review.CLEAN else "",
        withhold="Withhold" if picture.state != Review.WITHHELD else "",
        withheld=picture.state == Review.WITHHELD,
        released=found.state is StudyState.RELEASED,
        next_url=_address(errand, following) if following else "",
        held=held,
        pictures=[
            {
                "label": label(p),
                "url": _address(errand, p),
                "state": STATES[p.state],
                "current": p.sop_uid == picture.sop_uid,
            }
            for p in found.pictures[:_MOST_LISTED]
        ],
        pictures_more=max(0, len(found.pictures) - _MOST_LISTED),
    )


def minimum(errand: Errand) -> Response:
    """The darkest level of each pixel in any frame, as PNG."""
    return png(_composite(errand).minimum)


def maximum(errand: Errand) -> Response:
    """The brightest level of each pixel in any frame, as PNG."""
    return png(_composite(errand).maximum)


def mask(errand: Errand) -> Response:
    """Blank the boxes of the form in a picture, and in those of its series that it asks for."""
    picture = _picture(errand)
    uids = [picture.sop_uid]
    if errand.form.text("series"):
        uids += [p.sop_uid for p in _alike(errand, picture)]
    boxes = boxes_of(errand)
    blanked(errand, uids, boxes)
    return go(_address(errand, picture), "masked" if boxes else "unmasked")


def blanked(errand: Errand, uids: Sequence[str], boxes: Sequence[tuple[int, ...]]) -> None:
    """Blank boxes in pictures. Raises Unprocessable with how many of them could not be changed, and why."""
    study = errand.request.path_params["study"]
    refused = pixels.mask(errand.services.archive, errand.who, errand.uuid(), study, uids, boxes)
    if refused:
        sentence = next(iter(refused.values()))
        if len(uids) > 1:
            sentence = f"{len(refused)} of {len(uids)} pictures could not be changed; the others were. {sentence}"
        raise Unprocessable(f"{len(refused)} of {len(uids)} pictures not masked", safe=sentence)


def decide(errand: Errand) -> Response:
    """Approve or withhold a picture, and go on to the next that waits."""
    found = _check(errand)
    picture = _picture(errand)
    decision = {"approve": Review.APPROVED, "withhold": Review.WITHHELD}.get(errand.form.text("decision"))
    if decision is None:
        raise FieldErrors({"form": "Please choose what to do with this picture: approve it, or withhold it."})
    # Whoever withholds needs no valid boxes.
    boxes = boxes_of(errand) if decision == Review.APPROVED else []
    try:
        approval.decide(
            errand.services.archive,
            errand.who,
            errand.uuid(),
            found.study_uid,
            picture.sop_uid,
            decision,
            boxes=boxes,
            digest=errand.form.text("digest"),
            despite=errand.form.text("despite") == "yes",
        )
    except SuggestionsOpen as error:
        return asked(errand, error, _address(errand, picture))
    following = _next(found, picture)
    return go(_address(errand, following) if following else f"/queue/{errand.uuid()}", "decided")


def asked(errand: Errand, error: SuggestionsOpen, back: str) -> Response:
    """The question before an approval: the same form once more, with a button that says what it does."""
    boxes = sum(error.by_picture.values())
    response = errand.page(
        "public/form.html",
        title=f"{boxes} suggested {'box is' if boxes == 1 else 'boxes are'} not blanked",
        text=error.safe,
        action=errand.request.url.path,
        submit_label="Approve all the same",
        fields=[],
        hidden={**{name: errand.form.all(name) for name in errand.form.names()}, "despite": ["yes"]},
        danger=True,
        back_url=back,
    )
    response.status_code = error.status
    return response


def document(errand: Errand) -> Response:
    """Take a document over into its copy, as it is or redacted."""
    picture = _picture(errand)
    what, redacted = errand.form.text("document"), errand.form.file("redacted")
    if what not in ("release", "redact"):
        raise FieldErrors({"form": "Please choose whether the document is released or replaced."})
    if what == "redact" and not redacted:
        raise FieldErrors({"redacted": "Please choose the redacted document as a PDF."})
    pixels.release_document(
        errand.services.archive,
        errand.who,
        errand.uuid(),
        errand.request.path_params["study"],
        picture.sop_uid,
        redacted if what == "redact" else None,
    )
    return go(_address(errand, picture), "document")


def _check(errand: Errand) -> Check:
    """The study of the address with its pictures. Raises NotFound, Forbidden."""
    with errand.services.db.transaction() as tx:
        return pixels.check(tx, errand.who, errand.uuid(), errand.request.path_params["study"])


def _picture(errand: Errand) -> Picture:
    """The picture of the address. Raises NotFound, Forbidden."""
    names = errand.request.path_params
    with errand.services.db.transaction() as tx:
        return pixels.picture(tx, errand.who, errand.uuid(), names["study"], names["instance"])


def _composite(errand: Errand) -> Composite:
    names = errand.request.path_params
    archive = errand.services.archive
    return pixels.composite(archive, errand.who, errand.uuid(), names["study"], names["instance"])


def png(data: bytes) -> Response:
    """A composite."""
    # It may show what is held, perhaps a name: no cache keeps it, not the browser's either.
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


def _address(errand: Errand, picture: Picture) -> str:
    study = errand.request.path_params["study"]
    return f"/queue/{errand.uuid()}/studies/{study}/pixels/{picture.sop_uid}"


def label(picture: Picture) -> str:
    """What a picture is called: "Series 2, image 7"."""
    numbers = (("Series", picture.series_number), ("document" if picture.is_document else "image", picture.number))
    words = ", ".join(f"{word} {number}" for word, number in numbers if number is not None)
    return words[:1].upper() + words[1:] if words else "Document" if picture.is_document else "Picture"


def _alike(errand: Errand, picture: Picture) -> list[Picture]:
    """The other pictures of its series that have its size, held or clean."""
    size = (picture.rows, picture.columns)
    with errand.services.db.transaction() as tx:
        study = errand.request.path_params["study"]
        found = pixels.piled(tx, errand.who, errand.uuid(), study, picture.series_uid, size)
    return [p for p in found.pictures if p.sop_uid != picture.sop_uid]


def _next(found: Check, picture: Picture) -> Picture | None:
    """The next that is held, from the beginning again behind the last."""
    at = next((at for at, p in enumerate(found.pictures) if p.sop_uid == picture.sop_uid), len(found.pictures))
    return next((p for p in (*found.pictures[at + 1 :], *found.pictures[:at]) if p.state == Review.HELD), None)


def _video(errand: Errand, found: Check, picture: Picture) -> str:
    """Where the copy's video is played from (PS3.18 8.7.4)."""
    study = f"/cases/{errand.uuid()}/dicomweb/studies/{found.view_study_uid}"
    return f"{study}/series/{picture.series_uid}/instances/{picture.sop_uid}/rendered"


def _suggestions(errand: Errand, picture: Picture) -> tuple[list[dict[str, Any]], str]:
    """Suggested boxes by their source, and why there is no picture to look at where there is none."""
    if picture.is_document or picture.is_video or picture.state == Review.UNUSABLE:
        return [], ""
    if not picture.rows or not picture.columns:
        return [], "This object has no picture."
    names = errand.request.path_params
    try:
        found = pixels.suggest(errand.services.archive, errand.who, errand.uuid(), names["study"], picture.sop_uid)
    except (Unprocessable, NotFound) as error:
        return [], error.safe
    shown = [suggestion(one, picture.boxes) for one in found]
    return [one for one in shown if one["boxes"]], ""


def suggestion(one: Suggestion, blanked: Sequence[Box]) -> dict[str, Any]:
    """What is suggested and not blanked yet, as the template has it."""
    return {"source": _SOURCES[one.source], "boxes": [box._asdict() for box in open_boxes(one.boxes, blanked)]}


def _document(errand: Errand, picture: Picture) -> dict[str, Any]:
    study = errand.request.path_params["study"]
    source = f"/dicomweb/studies/{study}/series/{picture.source_series_uid}/instances/{picture.source_sop_uid}"
    return {
        "text": _DOCUMENTS[picture.document],
        "original": f"{source}/rendered" if picture.source_sop_uid else "",
        "pdf": picture.is_pdf,
    }


def rows_of(errand: Errand, blanked: Sequence[Box]) -> list[dict[str, Any]]:
    """The boxes as the form shows them: what was typed, else what is in force; and some to fill in."""
    typed = zip_longest(*(errand.form.all(side) for side in _SIDES), fillvalue="")
    rows: list[dict[str, Any]] = [dict(zip(_SIDES, row, strict=True)) for row in typed if any(row)]
    if not errand.form.names():
        rows = [box._asdict() for box in blanked]
    return [*rows, *[dict.fromkeys(_SIDES, "")] * _SPARE_ROWS]


def boxes_of(errand: Errand) -> Sequence[tuple[int, ...]]:
    """The boxes of the form: its filled rows, and the suggestions that were ticked. Raises FieldErrors, Conflict."""
    form = errand.form
    rows = [row for row in zip_longest(*(form.all(side) for side in _SIDES), fillvalue="") if any(row)]
    rows += [tuple(text.split()) for text in form.all("suggested")]
    found: list[tuple[int, ...]] = []
    for row in rows:
        if len(row) != len(_SIDES) or not all(n.isascii() and n.isdigit() and len(n) < 7 for n in row):
            raise FieldErrors(
                {"form": "A box needs four whole numbers: left and top, width and height, in pixels. Leave none empty."}
            )
        found.append(tuple(map(int, row)))
    if form.text("decision") == "approve" and form.all("suggested"):
        raise Conflict(
            "suggestions that were ticked and not blanked",
            safe="You ticked suggested boxes that are not blanked yet. Blank them, or take the ticks off.",
        )
    return found
