"""Prometheus metrics of one installation, in a registry of its own so that several live in one process (tests)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from issuers.reports.funding import FundingWait
from issuers.reports.stages import PipelineView
from ledger.outbox.liveness import Liveness
from ledger.standard.ids import ProgrammeSlug

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """What is counted, and gauges that are read when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # What is counted lies in files of a folder where several processes share one, and is read from all of them.
        self._is_shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        counted = CollectorRegistry() if self._is_shared else self.registry
        self._requests = Counter(
            "tongdui_http_requests", "Requests answered", ["method", "route", "status"], registry=counted
        )
        self._seconds = Histogram(
            "tongdui_http_request_seconds",
            "Time to answer",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
            registry=counted,
        )
        self._policy_reports = Counter(
            "tongdui_policy_reports", "Reports of pages that broke their policy", registry=self.registry
        )

    def policy_report(self) -> None:
        """Count a browser's report that a page broke its policy."""
        self._policy_reports.inc()

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is the template, so that ids make no series."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read at each scrape."""
        self.collect(lambda: [GaugeMetricFamily(name, help_text, value=read())])

    def collect(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Add families of metrics that are read together at each scrape."""
        self.registry.register(_Read(read))

    def render(self) -> bytes:
        """Return the exposition text."""
        if not self._is_shared:
            return generate_latest(self.registry)
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(self.registry)


class _Read(Collector):
    """A collector around one function."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Read now."""
        return self._read()

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: registering must not ask the database."""
        return []


def liveness_metrics(liveness: Liveness, gas_budget: int) -> list[Metric]:
    """Return whether what was sent gets an outcome, and how much gas is under way."""
    values = (
        ("tongdui_final_block_age_seconds", "For how long the final block has been the last", liveness.final_age_s),
        (
            "tongdui_oldest_unsettled_seconds",
            "For how long the oldest transaction has had no outcome",
            liveness.oldest_age_s,
        ),
        ("tongdui_stalled", "1 while what waits gets no outcome", float(liveness.stall is not None)),
        ("tongdui_gas_in_flight", "Gas limits of all transactions under way", liveness.waiting.gas),
        ("tongdui_gas_budget", "Gas that may be under way now", gas_budget),
    )
    return [GaugeMetricFamily(name, help_text, value=value) for name, help_text, value in values]


def issuance_metrics(
    views: Mapping[ProgrammeSlug, PipelineView], waits: Mapping[ProgrammeSlug, FundingWait]
) -> list[Metric]:
    """Return what the issuers' pipeline did, refused and keeps waiting, by programme and stage."""
    done = GaugeMetricFamily("tongdui_issuance_done", "What a stage has done", labels=["programme", "stage"])
    refused = GaugeMetricFamily("tongdui_issuance_refused", "Open refusals", labels=["programme", "stage", "code"])
    waiting = GaugeMetricFamily(
        "tongdui_issuance_waiting", "What waits, by what for", labels=["programme", "stage", "for"]
    )
    reading = GaugeMetricFamily("tongdui_issuance_reading", "Deliveries being read", labels=["programme"])
    missing = GaugeMetricFamily(
        "tongdui_issuance_missing_fen", "What has to be appropriated for all that waits", labels=["programme"]
    )
    for slug, view in views.items():
        reading.add_metric([slug], len(view.reading))
        missing.add_metric([slug], waits[slug].missing_fen if slug in waits else 0)
        for stage in view.stages:
            if stage.done is not None:
                done.add_metric([slug, stage.name], stage.done)
            for code, count in stage.refusals.items():
                refused.add_metric([slug, stage.name, code], count)
            for what, count in stage.waits.items():
                waiting.add_metric([slug, stage.name, what], count)
    return [done, refused, waiting, reading, missing]
