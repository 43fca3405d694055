"""/metrics: Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text
from starlette.requests import Request
from starlette.responses import Response

from overread.kit import jobs, observed
from overread.kit.observed import BOUNDS, Latencies
from overread.services import Services
from pacs.index.models import Instance, Study
from pacs.index.scope import ORIGINAL
from pacs.store.damage import DamagedBlob


def metrics(services: Services) -> Callable[[Request], Response]:
    """The handler; it counts in the database, or in memory that workers share: each of them gives the same numbers."""

    def handler(request: Request) -> Response:
        registry = CollectorRegistry()
        if (seen := observed.of(request.scope)) is not None:
            registry.register(_Durations(seen.latencies))
            # This one is under way, too.
            under_way = Gauge("overread_http_requests_under_way", "HTTP requests that are served", registry=registry)
            under_way.set(seen.latencies.under_way)
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
                    select(func.count())
                    .select_from(text("procrastinate_jobs"))
                    .where(text(f"status = 'todo' AND queue_name <> '{jobs.PARKED}'")),
                ),
                "overread_jobs_parked": (
                    "Jobs that nobody here knows",
                    select(func.count())
                    .select_from(text("procrastinate_jobs"))
                    .where(text(f"queue_name = '{jobs.PARKED}'")),
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


class _Durations(Collector):
    """How long requests took, from their head to the last byte of their answer."""

    def __init__(self, latencies: Latencies) -> None:
        self._latencies = latencies

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As a histogram for each method and route that was asked for."""
        what = "Seconds from a request's head to the end of its answer"
        found = HistogramMetricFamily("overread_http_request_seconds", what, labels=["method", "route"])
        bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        for method, template, buckets, seconds in self._latencies.rows():
            found.add_metric([method, template], list(zip(bounds, buckets, strict=True)), seconds)
        yield found
