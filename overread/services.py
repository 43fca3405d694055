"""The rooms' parts, put together once a process."""

from __future__ import annotations

from dataclasses import dataclass

from billing import stripe_gateway
from billing.gateway import Gateway
from billing.unconfigured import Unconfigured
from cases.mail import Mailer, mailer
from overread import models
from overread.kit.db import Database
from overread.kit.errors import OverreadError
from overread.kit.settings import Settings
from pacs.store.archive import Archive, open_archive


@dataclass(frozen=True)
class Services:
    """What routes, pages and handlers work with."""

    settings: Settings
    db: Database
    archive: Archive
    gateway: Gateway
    mailer: Mailer


def build(settings: Settings, *, pool_size: int = 8) -> Services:
    """The services of a process; the database must be running. Raises OverreadError where none is named."""
    if settings.database_url is None:
        raise OverreadError("no database: OVERREAD_DATABASE_URL is not set")
    models.load()
    db = Database(settings.database_url, pool_size=pool_size)
    gateway: Gateway = stripe_gateway.from_settings(settings) or Unconfigured()
    return Services(settings, db, open_archive(settings, db), gateway, mailer(settings))
