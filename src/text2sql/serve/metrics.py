"""What the service counts, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one app, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter(
            "text2sql_requests", "Requests by path and status", ["path", "status"], registry=own
        )
        self.seconds = Histogram(
            "text2sql_request_seconds", "Time to answer", ["path"], buckets=SECONDS, registry=own
        )
        self.batch_size = Histogram(
            "text2sql_batch_size", "Questions answered together", buckets=SIZES, registry=own
        )
        self.tokens = Counter("text2sql_tokens", "Tokens the model wrote", registry=own)
        self.waiting = Gauge("text2sql_waiting", "Questions that wait for the model", registry=own)
        self.answers = Counter(
            "text2sql_answers", "Answers by what came of them", ["outcome"], registry=own
        )

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self.registry)
