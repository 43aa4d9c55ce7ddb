"""What is counted, for Prometheus. A registry for each Watchword: two in a process don't meet."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


class Metrics:
    """The counters and gauges of one Watchword."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "watchword_requests",
            "Requests by route template, method and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "watchword_request_seconds",
            "Seconds a request took, by route template",
            ("method", "route"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.events = Counter(
            "watchword_events",
            "Security events that were recorded, by kind",
            ("event",),
            registry=self.registry,
        )
        self.sign_ins = Counter(
            "watchword_sign_ins",
            "Sign-ins by outcome: succeeded, refused, limited, busy, inactive",
            ("outcome",),
            registry=self.registry,
        )
        self.hash_queue = Gauge(
            "watchword_hash_queue",
            "Passwords being hashed or waiting for it",
            registry=self.registry,
        )
        self.outbox = Gauge(
            "watchword_outbox_waiting", "Mails waiting to be sent", registry=self.registry
        )
        self.revocations = Gauge(
            "watchword_revocations", "Live revocations in memory", registry=self.registry
        )
        self.background_failures = Counter(
            "watchword_background_failures",
            "Failed rounds of a background task",
            ("task",),
            registry=self.registry,
        )

    def exposition(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
