"""All bulk data, or all pixel data, of a study, a series or an instance (PS3.18 10.4.1.1.5, 10.4.1.1.6).

Each part says by its Content-Location which BulkDataURI of the metadata it is the value of (10.4.3.3.5, 10.4.3.3.6).
Compressed frames are a part each, one behind the other under the same address.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.bulkdata import Value
from dicomweb.context import Context
from dicomweb.media import OCTETS, MediaRange, accepts, refusal
from dicomweb.partial import here
from dicomweb.wado import address, locate
from overread.kit import log
from overread.kit.errors import NotFound, OverreadError
from overread.kit.language import gettext
from pacs.dicom.elements import Unreadable
from pacs.pixels.errors import CannotDecode
from pacs.serve import bulk, metadata, retrieve
from pacs.serve.retrieve import Located

_logger = log.get(__name__)
_OFFERS = [MediaRange(kind, multipart=True) for kind in (OCTETS, "image/*", "video/*")]


def _all(what: str, context: Context, request: Request) -> Response:
    """The values in the types that the client takes; one that can't be had in any of them is left out (8.7.8.1)."""
    ranges = [one for one in accepts(request) if one.multipart or one.type == "*/*"]
    if not any(one.quality for one in ranges):
        raise refusal(_OFFERS, f"All {what} of this resource")
    _, _, located = locate(context, request, "pixels")
    found, left = here(context, located)
    root = context.root(request)
    validator = answers.etag(what, [one.tag for one in found], root, ranges)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    values = _values(what, context, root, found, ranges)
    # What can't be had is said before the answer begins.
    first: list[Body] = []
    known = False
    for first in values:
        known = True
        if first:
            break
    if not known:
        raise NotFound(f"no {what}", safe=gettext("There is no %(what)s here.", what=what))
    if not first:
        raise refusal(_OFFERS, f"All {what} of this resource")
    kind = first[0].headers["Content-Type"].partition(";")[0]
    bodies = chain(first, chain.from_iterable(values))
    return left.told(answers.multipart(request, context.archive.blobs, kind, bodies, validator))


#: Every value that the metadata of the level gives a BulkDataURI.
all_bulk_data = partial(_all, "bulk data")
#: The pixel data of every instance of the level, float and double too; not that of icons.
all_pixel_data = partial(_all, "pixel data")


def _values(
    what: str, context: Context, root: str, found: list[Located], ranges: list[MediaRange]
) -> Iterator[list[Body]]:
    """The bodies of each value, none where it can't be had; made as they are sent."""
    for one in found:
        try:
            paths = _paths(what, context, one)
        except Unreadable as error:
            if len(found) == 1:
                raise
            _left_out(one, error)
            yield []
            continue
        for path in paths:
            try:
                value = Value(context.archive, one, path)
                answer = value.best(ranges, single=False)
                bodies = value.bodies(answer, f"{address(root, one)}/bulkdata/{'/'.join(path)}") if answer else []
            except (Unreadable, CannotDecode) as error:
                if len(found) == 1:
                    raise
                _left_out(one, error)
                bodies = []
            yield bodies


def _left_out(one: Located, error: OverreadError) -> None:
    _logger.error("bulk_data_left_out", instance=one.sop_uid, blob=one.blob, reason=str(error))


def _paths(what: str, context: Context, one: Located) -> list[list[str]]:
    if what == "pixel data":
        with retrieve.opened(context.archive, one) as instance:
            return bulk.pixel_paths(instance)
    with context.archive.db.transaction() as tx:
        return bulk.paths(metadata.of_instance(tx, one))
