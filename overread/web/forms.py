"""Forms as browsers send them: read with caps, checked by field.

They are application/x-www-form-urlencoded (WHATWG URL 5.1), or multipart/form-data (RFC 7578) where a file comes along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from overread.kit import addresses, whole_body, zones
from overread.kit.errors import BadInput, OverreadError, Unprocessable, UnsupportedMedia
from overread.kit.language import gettext
from overread.kit.money import formatted
from overread.kit.multipart import PartParser

#: Twenty questions, a story and a history of 20,000 characters each fit, percent-encoded, with room.
MAX_BYTES = 1 << 20
MAX_FIELDS = 500
#: The longest that a form with a file may take, in seconds.
_FILE_SECONDS = 300.0


class FieldErrors(Unprocessable):
    """What is wrong with a form: a sentence for each field; "form" is the whole of it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(f"form refused: {', '.join(fields)}", safe=" ".join(fields.values()))
        self.fields = dict(fields)


class Form:
    """The fields of a form; a field may come several times. Values but passwords are stripped; none holds a NUL."""

    def __init__(
        self, pairs: Sequence[tuple[str, str]] = (), files: Mapping[str, Sequence[tuple[str, bytes]]] | None = None
    ) -> None:
        self._files = {name: list(several) for name, several in (files or {}).items()}
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            # Browsers send CRLF (HTML 4.10.22.4); PostgreSQL's text knows no NUL.
            value = value.replace("\r\n", "\n").replace("\x00", "")
            self._values.setdefault(name, []).append(value if "password" in name else value.strip())

    def text(self, name: str) -> str:
        """The first value of a field, or ""."""
        return self._values.get(name, [""])[0]

    def given(self, name: str) -> str | None:
        """The first value of a field, or None where the form did not have it: then nothing is said about it."""
        return self._values.get(name, [None])[0]

    def file(self, name: str) -> bytes:
        """The content of the first file that came along, or b""."""
        return next((content for _, content in self.uploads(name)), b"")

    def uploads(self, name: str) -> list[tuple[str, bytes]]:
        """The files that came along, each with the name that the browser gave it; none that is empty and unnamed."""
        return [(called, content) for called, content in self._files.get(name, ()) if called or content]

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return list(self._values.get(name, ()))

    def names(self) -> list[str]:
        """The fields that came."""
        return list(self._values)

    def pairs(self) -> list[tuple[str, str]]:
        """Every field with each of its values, in the order of the fields."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def values(self, *repeated: str) -> dict[str, Any]:
        """What was typed, as templates take it: a str a field, a list of str for those named. No password."""
        kept = {name: values[0] for name, values in self._values.items() if "password" not in name}
        return kept | {name: self.all(name) for name in repeated}


class Check:
    """Collects what is wrong with a form's fields, so that everything is said at once."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.errors: dict[str, str] = {}

    def text(self, name: str, missing: str, most: int = 200) -> str:
        """A field that must be filled in; `missing` is the sentence where it is not."""
        value = self._form.text(name)
        if not value:
            self.errors[name] = missing
        elif len(value) > most:
            self.errors[name] = gettext("This is too long: %(most)s characters at most.", most=most)
        return value

    def one_of(self, name: str, allowed: Sequence[str], missing: str) -> str:
        """A choice."""
        value = self._form.text(name)
        if value not in allowed:
            self.errors[name] = missing
        return value

    def day(self, name: str, missing: str) -> date | None:
        """A day as an <input type=date> sends it, or None with an error."""
        try:
            return date.fromisoformat(self._form.text(name))
        except ValueError:
            self.errors[name] = missing
            return None

    def moment(self, name: str, missing: str) -> datetime | None:
        """A moment as an <input type=datetime-local> sends it, in the reader's zone; or None with an error."""
        try:
            typed = datetime.fromisoformat(self._form.text(name))
            at = typed.replace(tzinfo=zones.current()).astimezone(UTC)
            # One hour a year does not happen.
            good = typed.tzinfo is None and zones.local(at).replace(tzinfo=None) == typed
        except (ValueError, OverflowError):
            good = False
        if not good:
            self.errors[name] = missing
            return None
        return at

    def email(self, name: str) -> str:
        """An e-mail address, as far as its form tells."""
        value = self._form.text(name)
        if not addresses.is_address(value):
            self.errors[name] = gettext("Please give an e-mail address, such as jane@example.org.")
        return value

    def number(self, name: str, low: int, high: int, missing: str) -> int:
        """A whole number within bounds."""
        value = self._form.text(name)
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else low - 1
        if not low <= number <= high:
            self.errors[name] = missing
        return number

    def amount(self, name: str, currency: str, missing: str) -> int:
        """An amount of money as people type it ("390", "390.50"), in minor units of the currency (ISO 4217)."""
        places = len(formatted(0, currency).partition(".")[2])
        whole, point, part = self._form.text(name).partition(".")
        digits = whole + part.ljust(places, "0")
        good = (
            whole.isdecimal() and digits.isascii() and digits.isdecimal() and len(part) <= places and len(digits) < 12
        )
        if not good or (point and not part):
            self.errors[name] = missing
            return 0
        return int(digits)

    def done(self) -> None:
        """Raises FieldErrors where anything is wrong."""
        if self.errors:
            raise FieldErrors(self.errors)


def typed(minor: int, currency: str) -> str:
    """An amount in minor units as `Check.amount` reads it: 39000, "USD" -> "390.00"."""
    places = len(formatted(0, currency).partition(".")[2])
    whole, part = divmod(minor, 10**places)
    return f"{whole}.{part:0{places}d}" if places else str(whole)


def errors_of(error: OverreadError) -> dict[str, str]:
    """An error as a template takes it."""
    return error.fields if isinstance(error, FieldErrors) else {"form": error.safe}


def is_plain(request: Request) -> bool:
    """Whether a request brings a form without files."""
    return _kind(request) == "application/x-www-form-urlencoded"


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read(request: Request, *, files: int = 0) -> Form:
    """The form in a request's body, with files of `files` bytes in all.

    Raises TooLarge, UnsupportedMedia, BadInput.
    """
    declared = request.headers.get("content-type", "")
    kind = _kind(request)
    with_files = bool(files) and kind == "multipart/form-data"
    most = MAX_BYTES + (files if with_files else 0)
    much = gettext("The file is too large: %(number)s megabytes at most.", number=files >> 20)
    body = await whole_body.read(
        request,
        most,
        safe=much if with_files else gettext("This is too much text for one form."),
        seconds=_FILE_SECONDS if with_files else whole_body.MOST_SECONDS,
    )
    if with_files:
        return _multipart(declared, body)
    if body and kind != "application/x-www-form-urlencoded":
        raise UnsupportedMedia(f"a form as {kind[:80]!r}")
    try:
        return Form(
            parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                max_num_fields=MAX_FIELDS,
                encoding="utf-8",
                errors="strict",
            )
        )
    except ValueError as error:
        raise BadInput(f"a form that can't be read: {type(error).__name__}") from error


def _multipart(declared: str, body: bytes) -> Form:
    """RFC 7578: a part a field, named by its Content-Disposition; one with a file name is a file."""
    parser = PartParser(str(_parameters(declared).get_param("boundary", "")), max_parts=MAX_FIELDS)
    pairs: list[tuple[str, str]] = []
    files: dict[str, list[tuple[str, bytes]]] = {}
    name: str
    called: str | None
    name, called, content = "", None, bytearray()
    for event in parser.feed(body):
        if isinstance(event, dict):
            disposition = _parameters(event.get("content-disposition", ""))
            name, called = str(disposition.get_param("name", "")), _file_name(disposition)
            content = bytearray()
        elif event is not None:
            content += event
        elif called is not None:
            files.setdefault(name, []).append((called, bytes(content)))
        else:
            try:
                pairs.append((name, content.decode()))
            except UnicodeDecodeError as error:
                raise BadInput("a form's field that is no UTF-8") from error
    parser.close()
    return Form(pairs, files)


def _file_name(disposition: Message) -> str | None:
    """What the browser calls a file; None where a part is none. It writes UTF-8 as it is (HTML 4.10.22.8)."""
    given = disposition.get_param("filename")
    if given is None:
        return None
    if isinstance(given, tuple):
        return str(given[2])
    try:
        return given.encode("latin-1").decode()
    except UnicodeError:
        return given


def _parameters(header: str) -> Message:
    """A header with parameters, read as `email` reads a Content-Type (RFC 2045 5.1)."""
    message = Message()
    message["Content-Type"] = header
    return message
