"""The API's part about a study's pictures: which there are, looking at them, and blanking rectangles in them."""

from __future__ import annotations

from dataclasses import dataclass

from cases import bodies
from cases.imaging import Picture, SeriesGroup
from cases.operations import Call, Operation
from cases.service import pixels

_STUDY = "/api/v1/cases/{case}/studies/{study}"
_PICTURE = f"{_STUDY}/pictures/{{instance}}"


@dataclass(frozen=True, slots=True)
class PictureLine:
    """A picture or document of a study's copy. `boxes` are blanked in it; `digest` names its bytes, for decisions."""

    sop_uid: str
    series_uid: str
    sop_class: str
    state: str
    reasons: list[str]
    frames: int
    rows: int
    columns: int
    boxes: list[list[int]]
    document: str
    digest: str


@dataclass(frozen=True, slots=True)
class Suggested:
    """Rectangles (left, top, width, height) that may have to be blanked.

    `source` is why: "device", "regions", "lines" or "text".
    """

    source: str
    boxes: list[list[int]]


@dataclass(frozen=True, slots=True)
class Blanked:
    """What became of a mask: why not, by SOP Instance UID, of the pictures that could not be changed."""

    refused: dict[str, str]


def _pending(c: Call) -> list[PictureLine]:
    return [_line(p) for p in pixels.check(c.tx, c.who, c.case_id, c.path["study"]).pictures]


def _one(c: Call) -> PictureLine:
    return _line(pixels.picture(c.tx, c.who, c.case_id, c.path["study"], c.path["instance"]))


def _series_groups(c: Call) -> list[SeriesGroup]:
    return list(pixels.overview(c.tx, c.who, c.case_id, c.path["study"]).series_groups)


def _line(p: Picture) -> PictureLine:
    return PictureLine(
        p.sop_uid,
        p.series_uid,
        p.sop_class,
        p.state,
        list(p.reasons),
        p.frames,
        p.rows,
        p.columns,
        [list(box) for box in p.boxes],
        p.document,
        p.digest,
    )


def _suggested(c: Call) -> list[Suggested]:
    found = pixels.suggest(c.archive, c.who, c.case_id, c.path["study"], c.path["instance"])
    return [Suggested(one.source, [list(box) for box in one.boxes]) for one in found]


def _lowest(c: Call) -> bytes:
    return pixels.composite(c.archive, c.who, c.case_id, c.path["study"], c.path["instance"]).minimum


def _highest(c: Call) -> bytes:
    return pixels.composite(c.archive, c.who, c.case_id, c.path["study"], c.path["instance"]).maximum


def _mask(c: Call) -> Blanked:
    refused = pixels.mask(c.archive, c.who, c.case_id, c.path["study"], c.body.sop_uids, c.body.boxes)
    return Blanked(dict(refused))


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", f"{_STUDY}/pictures", "images", "The pictures that somebody has to look at, or did", _pending,
              result=list[PictureLine]),
    Operation("GET", f"{_STUDY}/series-groups", "images", "All pictures, counted by series and size", _series_groups,
              result=list[SeriesGroup]),
    Operation("GET", _PICTURE, "images", "One picture, also one that is clean", _one, result=PictureLine),
    Operation("GET", f"{_PICTURE}/suggestions", "images", "Rectangles that may have to be blanked", _suggested,
              result=list[Suggested], apart=True),
    Operation("GET", f"{_PICTURE}/minimum", "images", "The darkest level of each pixel in any frame, as PNG", _lowest,
              result=bytes, media_type="image/png", apart=True),
    Operation("GET", f"{_PICTURE}/maximum", "images", "The brightest level of each pixel in any frame, as PNG",
              _highest, result=bytes, media_type="image/png", apart=True),
    Operation("POST", f"{_STUDY}/masks", "images", "Blank rectangles in pictures; they wait for review again", _mask,
              bodies.Masks, Blanked, apart=True),
)
# fmt: on
