"""Frames of an instance, in its own transfer syntax or another (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.media import accepts, refusal
from dicomweb.syntaxes import Answer, pixel_answers, pixel_offers
from dicomweb.wado import address, frame_list, locate
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from pacs.dicom.frames import UnalignedFrames
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN, NATIVE
from pacs.pixels.turns import asker
from pacs.serve import retrieve, transcoded
from pacs.serve.frame_index import frame_index
from pacs.serve.retrieve import Located, Part
from pacs.store import damage
from pacs.store.archive import Archive


def frames(context: Context, request: Request) -> Response:
    """The frames that the path lists, in its order; one alone may come without multipart/related."""
    numbers = frame_list(request.path_params["frames"])
    ranges = accepts(request)
    _, _, [one] = locate(context, request, "pixels")
    archive = context.archive
    # Where its frames lie may be known without opening it.
    damage.here(archive, [one])
    stored = stored_frames(archive, one, numbers)
    targets = cache(partial(transcoded.frame_targets, archive, one))
    answer = next(pixel_answers(ranges, one.transfer_syntax, targets, lambda _: len(numbers) == 1), None)
    if answer is None:
        raise refusal(pixel_offers(one.transfer_syntax, targets, len(numbers) == 1), "The frames")
    validator = answers.etag("frames", one.tag, numbers, answer)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    own = {"Content-Type": answer.content_type}
    contents = [frame_content(archive, one, answer, *frame) for frame in zip(numbers, stored, strict=True)]
    if not answer.multipart:
        # A video is one frame, of which players want pieces.
        return answers.single_part(request, archive.blobs, Body(own, contents[0]), validator, ranged=True)
    root = address(context.root(request), one)
    bodies = [
        Body({**own, "Content-Location": f"{root}/frames/{number}"}, content)
        for number, content in zip(numbers, contents, strict=True)
    ]
    return answers.multipart(request, archive.blobs, answer.type, bodies, validator)


def frame_content(
    archive: Archive, one: Located, answer: Answer, number: int, stored: Sequence[Part] | None
) -> answers.Content:
    """A frame in the form that was chosen: what is stored, or what is made of it when its turn comes."""
    own = EXPLICIT_LITTLE_ENDIAN if one.transfer_syntax in NATIVE else one.transfer_syntax
    if stored is not None and answer.syntax == own:
        return stored
    return transcoded.frame(archive, one, number - 1, answer.syntax, asker())


def stored_frames(archive: Archive, one: Located, numbers: Sequence[int]) -> list[Sequence[Part] | None]:
    """The frames of these numbers, from 1, as they are stored; None where they begin within bytes. Raises NotFound."""
    try:
        index = frame_index(archive, one)
    except UnalignedFrames:
        for number in numbers:
            retrieve.check_frame(number - 1, one.frames)
        return [None] * len(numbers)
    if index is None:
        with retrieve.opened(archive, one) as instance:
            return [[instance.frame(number - 1)] for number in numbers]
    if not index.places:
        raise NotFound("no pixel data", safe=gettext("This object has no frames: it holds no pixel data."))
    return [index.parts(number - 1) for number in numbers]
