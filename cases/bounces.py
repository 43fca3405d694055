"""What a mail server reports later of a mail that it had taken: a delivery status notification (RFC 3464).

It names the mail by its Message-ID, which holds the identifier that nobody but its reader was told. Whatever else
comes, as a holiday notice, is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import models, outbox
from overread.kit.errors import BadInput

#: As much as is read of a report: it may bring the whole mail back.
MOST_BYTES = 1 << 20
_MOST_PARTS, _MOST_RECIPIENTS = 50, 50


def take(tx: Session, content: bytes) -> bool:
    """Note what a report tells of; whether it tells that a mail of ours did not arrive. Idempotent.

    Raises BadInput where it is too large or can't be read.
    """
    if len(content) > MOST_BYTES:
        raise BadInput("a report that is too large", safe=f"A report has {MOST_BYTES >> 20} MB at most.")
    try:
        report = message_from_bytes(content)
        parts = [part for part, _ in zip(report.walk(), range(_MOST_PARTS), strict=False)]
        reason, message_id = _reason(parts), _message_id(parts)
    except (RecursionError, ValueError, LookupError) as error:
        # What is nested too deep, or says of itself what it is not.
        raise BadInput(f"no mail: {type(error).__name__}", safe="This can’t be read as a mail.") from error
    if reason is None or message_id is None:
        return False
    query = select(models.Message).where(models.Message.id == message_id).with_for_update()
    message = tx.scalars(query).one_or_none()
    if message is None or message.sent_at is None:
        return False
    if message.failed_at is None:
        outbox.give_up(tx, message, reason)
    return True


def _reason(parts: list[Message]) -> str | None:
    """Why delivery failed for good (RFC 3464 2.3.3, 2.3.4), in the server's words; None where it did not."""
    for part in parts:
        if part.get_content_type() != "message/delivery-status":
            continue
        for fields in _blocks(part):
            action = str(fields.get("Action", "")).strip().lower()
            status = str(fields.get("Status", "")).strip()
            if action == "failed" and status.startswith("5."):
                return str(fields.get("Diagnostic-Code", "")).partition(";")[2].strip() or status
    return None


def _blocks(part: Message) -> Iterator[Message]:
    """What is in a part: of a status the fields of the message, then those of each recipient; or a mail."""
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (one for one in payload[:_MOST_RECIPIENTS] if isinstance(one, Message))


def _message_id(parts: list[Message]) -> UUID | None:
    """The mail that a report brings back, whole or by its header (RFC 3462 2)."""
    for part in parts:
        kind = part.get_content_type()
        if kind == "text/rfc822-headers":
            raw = part.get_payload(decode=True)
            returned = message_from_bytes(raw if isinstance(raw, bytes) else b"")
        elif kind == "message/rfc822" and part.is_multipart():
            [returned, *_] = _blocks(part)
        else:
            continue
        try:
            return UUID(str(returned.get("Message-ID", "")).strip().strip("<>").partition("@")[0])
        except ValueError:
            continue
    return None
