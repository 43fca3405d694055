"""Every room's tables: loaded together, so that the metadata is whole wherever it is used."""

from __future__ import annotations

from importlib import import_module

from sqlalchemy.orm import configure_mappers

_MODULES = (
    "overread.kit.principals",
    "overread.kit.attempts",
    "overread.kit.addresses",
    "overread.kit.audit",
    "overread.kit.ended",
    "pacs.index.models",
    "pacs.store.commitment",
    "pacs.store.damage",
    "pacs.ups.models",
    "pacs.store.non_patient",
    "viewer_bridge.models",
    "billing.models",
    "cases.models",
    "cases.acting_models",
    "cases.referral_models",
    "cases.physician_models",
    "cases.document_models",
    "cases.desk_models",
    "cases.asked_models",
    "cases.finding_models",
    "cases.licence_models",
    "cases.mail_models",
    "cases.version_models",
    "cases.feedback_models",
)


def load() -> None:
    """Import every module that defines tables, and work out at once what the first query would."""
    for module in _MODULES:
        import_module(module)
    configure_mappers()
