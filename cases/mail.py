"""The mail port and its two ends: an SMTP server, or a folder of .eml files where none is set."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import NoReturn, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from cases.kept import over
from cases.mail_rendering import Mail
from cases.models import Message
from overread.kit import clock, log
from overread.kit.errors import Unavailable
from overread.kit.settings import Settings

_logger = log.get(__name__)
_TIMEOUT = 20.0
#: How long it can be told that a mail was sent.
KEPT = timedelta(days=90)


class Bounced(Exception):
    """A mail that its server refuses for good (RFC 5321 4.2.1), in the server's words."""

    def __init__(self, reason: str) -> None:
        super().__init__("a mail was refused")
        self.reason = reason


class Mailer(Protocol):
    """Sends one mail.

    Raises Bounced where it will never arrive, Unavailable where it can't be sent now; it is tried again then.
    """

    def send(self, mail: Mail) -> None:
        """Hand the mail over."""

    def forget(self, message_ids: Sequence[str]) -> None:
        """Keep nothing of these mails."""


class SmtpMailer:
    """Sends through smtp://USER:PASSWORD@HOST:PORT (STARTTLS where the server offers it) or smtps:// (TLS)."""

    def __init__(self, url: str, sender: str, bounces: str = "") -> None:
        self._url = urlsplit(url)
        self._sender = sender
        # RFC 5321 4.4: to whom servers report what they can't deliver after all.
        self._bounces = bounces or None

    def send(self, mail: Mail) -> None:
        """Deliver to the server; it has the mail when this returns."""
        url = self._url
        tls = url.scheme == "smtps"
        host, port = url.hostname or "localhost", url.port or (465 if tls else 587)
        try:
            if tls:
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    host, port, timeout=_TIMEOUT, context=ssl.create_default_context()
                )
            else:
                server = smtplib.SMTP(host, port, timeout=_TIMEOUT)
            with server:
                server.ehlo()
                if not tls and server.has_extn("starttls"):
                    server.starttls(context=ssl.create_default_context())
                    server.ehlo()
                if url.username:
                    server.login(unquote(url.username), unquote(url.password or ""))
                server.send_message(_message(mail, self._sender), from_addr=self._bounces, to_addrs=[mail.recipient])
        except smtplib.SMTPRecipientsRefused as error:
            [(code, said)] = error.recipients.values()
            _refused(code, said, error)
        except smtplib.SMTPDataError as error:
            _refused(error.smtp_code, error.smtp_error, error)
        except (smtplib.SMTPNotSupportedError, ValueError) as error:
            # An address that this server can't be told (RFC 6531), or that is none.
            raise Bounced("the mail server can’t write to this address") from error
        except (OSError, smtplib.SMTPException) as error:
            # The server's text may repeat the recipient: only its kind goes to the log.
            raise Unavailable(f"mail could not be sent: {type(error).__name__}") from error

    def forget(self, message_ids: Sequence[str]) -> None:
        """Nothing is kept of what was handed over."""


class FolderMailer:
    """Writes every mail as an .eml file, for demonstrations and tests."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """Write the file, named by the mail's id: one that is sent again is written over."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = mail.message_id.strip("<>").partition("@")[0]
        (self._folder / f"{name}.eml").write_bytes(_message(mail, self._sender).as_bytes(policy=SMTP))
        _logger.info("mail_written", file=f"{name}.eml")

    def forget(self, message_ids: Sequence[str]) -> None:
        """Remove their files."""
        for message_id in message_ids:
            (self._folder / f"{UUID(message_id)}.eml").unlink(missing_ok=True)


def sweep(mailer: Mailer, tx: Session, most: int) -> int:
    """Delete some of the mails that were sent, or given up, long ago, and their files; how many.

    Those of a case that goes on, or that a legal hold keeps, stay.
    """
    old = select(Message.id).where(
        func.coalesce(Message.sent_at, Message.failed_at) < clock.now() - KEPT,
        or_(Message.case_id.is_(None), Message.case_id.in_(over())),
    )
    gone = list(tx.scalars(old.limit(most).with_for_update(skip_locked=True)))
    tx.execute(delete(Message).where(Message.id.in_(gone)))
    # Whoever erases the case later knows of none of them any more.
    mailer.forget([str(one) for one in gone])
    return len(gone)


def mailer(settings: Settings) -> Mailer:
    """The mailer of these settings."""
    if settings.smtp_url is not None:
        return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from, settings.mail_bounces)
    return FolderMailer(settings.mail_dir, settings.mail_from)


def _refused(code: int, said: bytes | str, error: Exception) -> NoReturn:
    """What a server answers to one mail: for good, or for now."""
    if code // 100 == 5:
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise Bounced(f"{code} {text}") from error
    raise Unavailable(f"mail could not be sent: {type(error).__name__} {code}") from error


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address(mail.sender, addr_spec=parseaddr(sender)[1]) if mail.sender else sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = clock.now()
    message["Message-ID"] = mail.message_id
    # RFC 3834 5: nobody's holiday notice should answer it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
