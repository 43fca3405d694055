"""/metrics: Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select, text
from starlette.requests import Request
from starlette.responses import Response

from overread.services import Services
from pacs.damage import DamagedBlob
from pacs.models import Instance, Study
from pacs.scope import ORIGINAL


def metrics(services: Services) -> Callable[[Request], Response]:
    """The handler; it counts in the database, so that every worker gives the same numbers."""

    def handler(_request: Request) -> Response:
        registry = CollectorRegistry()
        with services.db.transaction() as tx:
            numbers = {
                "overread_studies": ("Original studies", select(func.count()).where(Study.view_id == ORIGINAL)),
                "overread_instances": ("Original instances", select(func.count()).where(Instance.view_id == ORIGINAL)),
                "overread_instance_bytes": (
                    "Bytes of original instances",
                    select(func.coalesce(func.sum(Instance.blob_size), 0)).where(Instance.view_id == ORIGINAL),
                ),
                "overread_damaged_blobs": (
                    "Blobs that are missing or damaged",
                    select(func.count()).select_from(DamagedBlob),
                ),
                "overread_jobs_waiting": (
                    "Jobs that wait",
                    select(func.count()).select_from(text("procrastinate_jobs")).where(text("status = 'todo'")),
                ),
                "overread_jobs_failed": (
                    "Jobs that failed for good",
                    select(func.count()).select_from(text("procrastinate_jobs")).where(text("status = 'failed'")),
                ),
            }
            for name, (what, statement) in numbers.items():
                Gauge(name, what, registry=registry).set(float(tx.scalar(statement) or 0))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return handler
