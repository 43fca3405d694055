"""One tree of errors; every error carries its HTTP status and two texts.

`str(error)` is for the log and may name what went wrong in detail; `error.safe` is the sentence that a
client may read and says what to do. An error without its own `safe` text shows the class's.

    OverreadError            500
      BadInput               400  the request can't be understood
        TooLarge             413
        UnsupportedMedia     415
        RangeNotSatisfiable  416  `extra["size"]` tells how many bytes there are
      NotSignedIn            401
      Forbidden              403  the principal is known and may not
      NotFound               404  absent, or hidden from this principal
      MethodNotAllowed       405
      NotAcceptable          406
      Conflict               409  the thing is in another state than the request supposes
      Unprocessable          422  well-formed, but a rule refuses it
      TooManyRequests        429
      Unavailable            503  try again later; nothing was changed
        Busy                 503  too many ask for it at once
        StorageFull          507
"""

from __future__ import annotations

from typing import Any

from overread.kit.language import Phrase


class OverreadError(Exception):
    """Something failed in a way that the program foresees.

    `text` goes to the log, `safe` to the client, `extra` is added to the problem document (RFC 9457 3.2).
    """

    status = 500
    title: str = Phrase("The server failed")
    #: Whether whoever asked may set it right in the form that it came from, or send that once more.
    may_try_again = False
    default_safe: str = Phrase("Something went wrong on our side. Nothing was lost; please try again.")

    def __init__(self, text: str = "", *, safe: str | None = None, **extra: Any) -> None:
        super().__init__(text or safe or self.default_safe)
        self.safe = str(safe or self.default_safe)
        self.extra = extra


class BadInput(OverreadError):
    """The request can't be understood."""

    status = 400
    title = Phrase("The request can't be understood")
    default_safe = Phrase("The request can't be understood.")


class TooLarge(BadInput):
    """The request is larger than the configured limit."""

    status = 413
    title = Phrase("The request is too large")
    default_safe = Phrase("The request is larger than this server allows.")


class UnsupportedMedia(BadInput):
    """The body's media type is not one that this resource takes."""

    status = 415
    title = Phrase("The media type is not supported")
    default_safe = Phrase("This resource does not take bodies of that media type.")


class RangeNotSatisfiable(BadInput):
    """No byte of the asked range is there, or more ranges are asked for than are given."""

    status = 416
    title = Phrase("The range can't be given")
    default_safe = Phrase("The range of bytes that was asked for is not there.")


class NotSignedIn(OverreadError):
    """No valid credential came with the request."""

    status = 401
    title = Phrase("Sign in first")
    default_safe = Phrase("Sign in, or send a valid bearer token.")


class Forbidden(OverreadError):
    """The principal is known and may not do this."""

    status = 403
    title = Phrase("Not allowed")
    default_safe = Phrase("Your role does not allow this.")


class NotFound(OverreadError):
    """The thing does not exist, or this principal may not know that it does."""

    status = 404
    title = Phrase("Not found")
    default_safe = Phrase("There is nothing here, or it is not yours to see.")


class MethodNotAllowed(OverreadError):
    """The resource does not know this method; the answer's Allow header says which it knows."""

    status = 405
    title = Phrase("Method not allowed")
    default_safe = Phrase("This resource does not know that method.")


class NotAcceptable(OverreadError):
    """None of the media types that the client accepts can be made."""

    status = 406
    title = Phrase("Not acceptable")
    default_safe = Phrase("None of the media types that you accept can be made of this.")


class Conflict(OverreadError):
    """The thing is in another state than the request supposes."""

    status = 409
    may_try_again = True
    title = Phrase("Not possible in the present state")
    default_safe = Phrase("This is not possible in the present state.")


class Unprocessable(OverreadError):
    """The request is well-formed, but a rule refuses it."""

    status = 422
    may_try_again = True
    title = Phrase("Refused by a rule")
    default_safe = Phrase("The request is well-formed, but a rule refuses it.")


class TooManyRequests(OverreadError):
    """The caller tried too often."""

    status = 429
    may_try_again = True
    title = Phrase("Too many tries")
    default_safe = Phrase("Too many tries. Wait a few minutes, then try again.")


class Unavailable(OverreadError):
    """A part that this needs is down; nothing was changed."""

    status = 503
    title = Phrase("Not available just now")
    default_safe = Phrase("This is not available just now. Nothing was changed; please try again in a minute.")


class Busy(Unavailable):
    """Too many ask at once for what costs much; `extra["retry_after"]` tells when to come again."""

    may_try_again = True


class StorageFull(Unavailable):
    """The disk has no room left."""

    status = 507
    title = Phrase("The storage is full")
    default_safe = Phrase("The server has no room left. Nothing of this request was stored; please try again later.")
