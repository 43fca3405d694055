"""Every setting, its default and its meaning. Each has an environment variable `OVERREAD_<NAME>`."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from overread.kit.atomic_file import write_once
from overread.kit.errors import OverreadError


class Settings(BaseSettings):
    """The effective settings: environment variables over defaults; command-line flags set the variables."""

    model_config = SettingsConfigDict(env_prefix="OVERREAD_", extra="ignore")

    data_dir: Path = Field(Path("overread-data"), description="Folder of blobs, secrets and the embedded database")
    database_url: str | None = Field(None, description="postgresql:// URL; without it a PostgreSQL runs in data_dir")
    http: str = Field("127.0.0.1:8042", description="HOST:PORT of DICOMweb, API and portal")
    viewer: str = Field("127.0.0.1:8043", description="HOST:PORT of the hosted viewer, an origin of its own")
    dicom: str = Field("127.0.0.1:11112", description="HOST:PORT of the DICOM listener")
    workers: int = Field(2, ge=1, le=64, description="Number of web worker processes")
    ae_title: str = Field("OVERREAD", max_length=16, description="Our own AE title")
    dimse_processes: int = Field(1, ge=1, le=64, description="Number of DICOM listener processes")
    dimse_max_associations: int = Field(128, ge=1, le=4096, description="Associations at once, in one listener process")
    dimse_max_per_peer: int = Field(16, ge=1, le=4096, description="Associations of one peer, in one listener process")
    dimse_max_moves: int = Field(16, ge=1, le=4096, description="C-MOVEs at once, in one listener process")
    dimse_max_moves_per_peer: int = Field(4, ge=1, le=4096, description="C-MOVEs of one peer, in one listener process")
    dimse_max_pdu_bytes: int = Field(1 << 20, ge=4096, le=1 << 27, description="Largest DIMSE PDU taken, in bytes")
    dimse_artim_seconds: float = Field(15, gt=0, description="Longest wait for a connection's association request")
    dimse_idle_seconds: float = Field(60, gt=0, description="Longest silence on an association, in a message too")
    dimse_transfer_seconds: float = Field(3600, gt=0, description="Longest time that one DIMSE message may take")
    dimse_tls_certificate: Path | None = Field(
        None, description="PEM chain; with it the DICOM listener speaks TLS only"
    )
    dimse_tls_key: Path | None = Field(None, description="PEM key, where it is not in the certificate's file")
    dimse_tls_client_ca: Path | None = Field(None, description="PEM CA that a DICOM peer's certificate must be of")
    public_url: str | None = Field(None, description="Address of the portal as people see it (behind a proxy)")
    viewer_url: str | None = Field(None, description="Address of the hosted viewer as people see it")
    host_names: str = Field(
        "", description="More hosts, parted by commas, by which clients reach this server: links may name them"
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies, parted by commas, whose Forwarded and X-Forwarded-* count",
    )
    cors_origins: str = Field(
        "", description="Origins of other viewers, parted by commas, whose scripts may use DICOMweb (CORS)"
    )
    max_instance_bytes: int = Field(4 << 30, description="Largest DICOM instance taken, in bytes")
    max_request_seconds: int = Field(3600, description="Longest time that one upload request may take")
    max_draft_bytes: int = Field(
        8 << 30, ge=1, description="Images that a patient may store in an unpaid draft, in bytes"
    )
    max_draft_instances: int = Field(40_000, ge=1, description="Instances that a patient may store in an unpaid draft")
    max_case_bytes: int = Field(16 << 30, ge=1, description="Images that a patient may store in one case, in bytes")
    max_patient_bytes: int = Field(
        16 << 30, ge=1, description="Images that a patient may store in all cases that no specialist accepted, in bytes"
    )
    max_sign_ups_per_hour: int = Field(10, ge=1, description="Accounts that one network address may make in an hour")
    stripe_secret_key: SecretStr | None = Field(None, description="Stripe's secret key (sk_…)")
    stripe_webhook_secret: SecretStr | None = Field(None, description="Stripe's webhook signing secret (whsec_…)")
    stripe_api_base: str | None = Field(None, description="Other address of Stripe's API (the payment sandbox)")
    smtp_url: SecretStr | None = Field(
        None,
        description="smtp://USER:PASSWORD@HOST:PORT (smtps:// for TLS); without it mail is written to data_dir/mail",
    )
    mail_from: str = Field("Overread <no-reply@localhost>", description="Sender of mails")
    mail_bounces: str = Field(
        "", description="Address that mail servers report to (`overread bounce` reads what comes); else the sender's"
    )
    digest_minutes: int = Field(
        15, ge=0, le=1440, description="Minutes for which what coordinators are to look at is gathered into one mail"
    )
    audit_days: int = Field(
        3653, ge=365, description="Days for which the audit log is kept; what is under a legal hold is kept longer"
    )
    demo: bool = Field(False, description="Set by `overread demo`: sample people, and the payment sandbox")
    sandbox: str = Field("127.0.0.1:8044", description="HOST:PORT of the demo's payment sandbox")
    log_level: str = Field("INFO", description="Lowest level that is logged")

    @property
    def base_url(self) -> str:
        """The portal's address as people see it, without a slash at the end."""
        return (self.public_url or f"http://{self.http}").rstrip("/")

    @property
    def viewer_base_url(self) -> str:
        """The hosted viewer's address as people see it, without a slash at the end."""
        return (self.viewer_url or f"http://{self.viewer}").rstrip("/")

    @property
    def blob_dir(self) -> Path:
        """The folder of blobs."""
        return self.data_dir / "blobs"

    @property
    def keys_dir(self) -> Path:
        """The folder of the keys that erasing a case destroys, and of what was ended; no backup holds the keys.

        See docs/decisions/0026 and 0031.
        """
        return self.data_dir / "keys"

    @property
    def mail_dir(self) -> Path:
        """The folder that mails are written to where no SMTP server is set."""
        return self.data_dir / "mail"

    def masked(self) -> dict[str, object]:
        """Every setting as JSON values, with secrets (and a database URL's password) masked."""
        shown = self.model_dump(mode="json")
        if self.database_url:
            shown["database_url"] = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", self.database_url)
        return shown

    def server_key(self) -> bytes:
        """The server's own 256-bit key, made on first use in a file that only its owner can read."""
        path = self.data_dir / "server.key"
        try:
            return bytes.fromhex(path.read_text())
        except FileNotFoundError:
            if (self.data_dir / "postgres").exists():
                # With another key nothing that was sealed would ever open again.
                raise OverreadError(f"{path} is missing: bring it back from a backup") from None
            # Open to others: the embedded database runs as a user of its own, below it.
            self.data_dir.mkdir(parents=True, exist_ok=True)
            write_once(path, secrets.token_hex(32).encode())
            return bytes.fromhex(path.read_text())


def address(value: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` (`[::1]:80` for IPv6).

    Raises ValueError where there is no port.
    """
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{value!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
