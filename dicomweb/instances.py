"""Whole studies, series and instances: as they are stored, in another transfer syntax, or as a ZIP (10.4.1.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import chain

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.bulk_resources import all_bulk_data
from dicomweb.context import Context
from dicomweb.media import DICOM, OCTETS, ZIP, MediaRange, accepts, ranked, refusal
from dicomweb.partial import Left, here
from dicomweb.syntaxes import equals, instance_syntax
from dicomweb.wado import address, locate
from overread.kit import log
from overread.kit.errors import OverreadError
from pacs.dicom.elements import Unreadable
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.turns import asker
from pacs.serve import transcoded, zipped
from pacs.serve.retrieve import Located
from pacs.store.archive import Archive

#: Bytes of stored instances whose transcoding is begun before the answer is, so that what fails can still be said.
_AHEAD = 1 << 20
_logger = log.get(__name__)


def instances(context: Context, request: Request) -> Response:
    """A study, a series or one instance, in the transfer syntaxes that the client takes; what can be had of it."""
    ranges = accepts(request)
    _, _, located = locate(context, request, "instances")
    found, left = here(context, located)
    archive = context.archive
    offers = [MediaRange(DICOM, multipart=True), *([MediaRange(DICOM)] if len(located) == 1 else []), MediaRange(ZIP)]
    pairs = list(ranked(ranges, [*offers, MediaRange(OCTETS, multipart=True)]))
    whole = [(one, cache(partial(_targets, archive, one))) for one in found]
    some: tuple[MediaRange, list[str | None]] | None = None
    for number, (_, offer) in enumerate(pairs):
        if offer in (before for _, before in pairs[:number]):
            continue
        if offer.type == OCTETS:
            # 10.4.4 note: asked as bytes, this is the Bulk Data resource.
            return all_bulk_data(context, request)
        # Each as the client likes it best of what can be made of it.
        likes = [wanted for wanted, same in pairs if same == offer]
        syntaxes = [_best(likes, one.transfer_syntax, targets) for one, targets in whole]
        if None not in syntaxes:
            return _answer(context, request, offer, list(zip(found, syntaxes, strict=True)), left)
        if some is None and any(syntaxes):
            some = offer, syntaxes
    if some is None:
        raise _refusal(archive, offers, found)
    return _answer(context, request, some[0], list(zip(found, some[1], strict=True)), left)


def _best(likes: Sequence[MediaRange], stored: str, targets: Callable[[], frozenset[str]]) -> str | None:
    """The transfer syntax of an instance for the ranges that it can be had for, None where there is none.

    Of the best weight; of equal ones, that in which it is stored.
    """
    for alike in equals(likes):
        found = [one for wanted in alike if (one := instance_syntax(wanted, stored, targets)) is not None]
        if found:
            return stored if stored in found else found[0]
    return None


def _targets(archive: Archive, one: Located) -> frozenset[str]:
    return transcoded.targets(archive, one)


def _answer(
    context: Context, request: Request, offer: MediaRange, found: Sequence[tuple[Located, str | None]], left: Left
) -> Response:
    archive, blobs, who = context.archive, context.archive.blobs, asker()
    chosen = [(one, syntax) for one, syntax in found if syntax is not None]
    left.unfit = [one for one, syntax in found if syntax is None]
    validator = answers.etag(offer.type, offer.multipart, [(one.tag, syntax) for one, syntax in chosen])
    if answer := answers.unchanged(request, validator):
        return answer
    if not offer.multipart and offer.type == DICOM:
        [(one, syntax)] = chosen
        body = Body({"Content-Type": f"{DICOM}; transfer-syntax={syntax}"}, _content(archive, one, syntax, who))
        return answers.single_part(request, blobs, body, validator)
    # The length is told where it costs nothing: of originals that are given as they are.
    plain = all(one.header is None and one.transfer_syntax == syntax for one, syntax in chosen)
    given = _given(archive, chosen, left, who)
    if offer.type == ZIP:
        # The name is ours: nothing of the objects, and nothing of the request, is part of it.
        headers = {"Content-Type": ZIP, "Content-Disposition": 'attachment; filename="images.zip"'}
        body = Body(headers, zipped.stream(archive, given, comment=lambda: left.named if left else ""))
        return left.told(answers.single_part(request, blobs, body, validator))
    root = context.root(request)
    bodies = (
        Body({"Content-Type": f"{DICOM}; transfer-syntax={syntax}", "Content-Location": address(root, one)}, content)
        for one, syntax, content in given
    )
    return left.told(answers.multipart(request, blobs, DICOM, list(bodies) if plain else bodies, validator))


def _given(archive: Archive, chosen: Sequence[tuple[Located, str]], left: Left, who: str) -> Iterator[zipped.Content]:
    """Each instance in its transfer syntax, made when its turn comes.

    What can't be written anew after all, because its pixels are damaged, is left out as long as the answer has not
    begun. Later it is given as it is stored, and its part and its file say so: the others are not cut off for its sake.
    """
    ahead: list[zipped.Content] = []
    rest = iter(chosen)
    alone = len(chosen) == 1
    bytes_ahead = 0
    for one, syntax in rest:
        content = _begun(archive, one, syntax, who, alone=alone)
        if content is not None:
            ahead.append((one, syntax, content))
        else:
            left.unfit.append(one)
        bytes_ahead += one.blob_size
        if bytes_ahead >= _AHEAD and ahead:
            break
    if not ahead:
        raise refuse("none of these images can be given in the transfer syntax that was asked for.")
    return chain(ahead, _later(archive, rest, who))


def _later(archive: Archive, rest: Iterator[tuple[Located, str]], who: str) -> Iterator[zipped.Content]:
    for one, syntax in rest:
        content = _begun(archive, one, syntax, who, alone=False)
        yield (one, syntax, content) if content is not None else (one, one.transfer_syntax, one.parts)


def _begun(archive: Archive, one: Located, syntax: str, who: str, *, alone: bool) -> answers.Content | None:
    """An instance's bytes, the first of them made; None where its first frame can't be, unless it is `alone`."""
    content = _content(archive, one, syntax, who)
    if isinstance(content, Sequence) or alone:
        return content
    try:
        return chain([next(content)], content)
    except (Unreadable, CannotDecode) as error:
        _logger.error("instance_not_transcoded", instance=one.sop_uid, blob=one.blob, reason=str(error))
        return None


def _content(archive: Archive, one: Located, syntax: str, who: str) -> answers.Content:
    return one.parts if syntax == one.transfer_syntax else transcoded.stream(archive, one, syntax, who)


def _refusal(archive: Archive, offers: list[MediaRange], found: Sequence[Located]) -> OverreadError:
    syntaxes = {one.transfer_syntax for one in found}
    if len(found) == 1:
        syntaxes |= transcoded.targets(archive, found[0])
    named = [
        MediaRange(offer.type, offer.multipart, parameters={"transfer-syntax": syntax})
        for offer in offers
        if offer.type == DICOM
        for syntax in ("*", *sorted(syntaxes))
    ]
    return refusal([*named, MediaRange(ZIP)], "The instances")
