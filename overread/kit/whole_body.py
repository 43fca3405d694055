"""The whole body of a request, within a number of bytes and of seconds: for forms, JSON and data sets, not for uploads.

`overread.connections` gives up a body that stops; one that trickles has an end here.
"""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from overread.kit.errors import BadInput, TooLarge
from overread.kit.language import gettext

#: The longest that a body of some megabytes may take, in seconds.
MOST_SECONDS = 30.0


async def read(request: Request, most: int, *, safe: str | None = None, seconds: float = MOST_SECONDS) -> bytes:
    """The body. Raises TooLarge, which says `safe`, beyond `most` bytes; BadInput where it takes too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    safe = safe or f"The body may have at most {most} bytes."
                    raise TooLarge(f"a body of over {most} bytes", safe=safe)
    except ClientDisconnect as error:
        raise BadInput("the client went away in the middle of the body") from error
    except TimeoutError as error:
        raise BadInput("the body arrives too slowly", safe=gettext("The body arrived too slowly.")) from error
    return bytes(body)
