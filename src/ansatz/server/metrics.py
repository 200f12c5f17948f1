"""What a server counts, for Prometheus: its own names, and Triton's for existing dashboards.

Triton's counters are sums of ours (microseconds instead of seconds), so they are read off ours
when somebody asks and cost nothing otherwise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ansatz.server.batcher import Served

R = TypeVar("R")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SIZES = (1, 2, 4, 8, 16, 32, 64)
COSTS = tuple(10.0**power for power in range(9))

# Triton's name, the sum of ours that it equals, and the factor between their units.
TRITON_SUMS = (
    ("nv_inference_count", "ansatz_queue_seconds_count", 1.0),
    ("nv_inference_exec_count", "ansatz_batch_size_count", 1.0),
    ("nv_inference_request_duration_us", "ansatz_request_seconds_sum", 1e6),
    ("nv_inference_queue_duration_us", "ansatz_queue_seconds_sum", 1e6),
    ("nv_inference_compute_input_duration_us", "ansatz_encode_seconds_sum", 1e6),
    ("nv_inference_compute_infer_duration_us", "ansatz_infer_seconds_sum", 1e6),
    ("nv_inference_compute_output_duration_us", "ansatz_decode_seconds_sum", 1e6),
    ("nv_inference_pending_request_count", "ansatz_queue_depth", 1.0),
)


@dataclass(frozen=True)
class Metrics:
    """The instruments of one server; no other server of the process shares them."""

    model: str
    registry: CollectorRegistry
    aliases: CollectorRegistry
    requests: Counter
    request_seconds: Histogram
    encode_seconds: Histogram
    queue_seconds: Histogram
    infer_seconds: Histogram
    decode_seconds: Histogram
    batch_size: Histogram
    batch_cost: Histogram
    checks: Counter

    def count(self, route: str, code: int, seconds: float) -> None:
        """Count a request that has been answered."""
        self.requests.labels(self.model, route, str(code)).inc()
        self.request_seconds.observe(seconds)

    def served(self, served: Served[R], encoding: float, decoding: float) -> None:
        """Count a result: the times before, on and after the device, s, and its batch once."""
        self.encode_seconds.observe(encoding)
        self.queue_seconds.observe(served.queued)
        self.decode_seconds.observe(decoding)
        if served.leads:
            self.infer_seconds.observe(served.ran)
            self.batch_size.observe(served.batch_size)
            self.batch_cost.observe(served.batch_cost)

    def check(self, name: str, passed: bool) -> None:
        """Count a check of the model."""
        self.checks.labels(self.model, name, "pass" if passed else "fail").inc()

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry) + generate_latest(self.aliases)


def open_metrics(
    model: str, version: str, waiting: Callable[[], int], in_progress: Callable[[], int]
) -> Metrics:
    """The instruments of a server.

    Args:
        model: Name of its recipe.
        version: Of its checkpoint.
        waiting: Requests in the queue of the device.
        in_progress: Requests that are being worked on, those in the queue included.

    Returns:
        The instruments, all at zero.
    """
    registry = CollectorRegistry()

    def histogram(name: str, about: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
        made = Histogram(f"ansatz_{name}", about, ["model"], registry=registry, buckets=buckets)
        return made.labels(model)

    def level(name: str, about: str, now: Callable[[], int]) -> None:
        Gauge(name, about, ["model"], registry=registry).labels(model).set_function(now)

    level("ansatz_queue_depth", "Requests waiting for the device", waiting)
    level("ansatz_requests_in_progress", "Requests being worked on", in_progress)
    info = Gauge("ansatz_model_info", "The model served", ["model", "version"], registry=registry)
    info.labels(model, version).set(1)
    metrics = Metrics(
        model,
        registry,
        # Apart, since they are read off the others while those are collected.
        CollectorRegistry(),
        Counter(
            "ansatz_requests", "Requests answered", ["model", "route", "code"], registry=registry
        ),
        histogram("request_seconds", "From the first byte of a request to its answer"),
        histogram("encode_seconds", "Reading and measuring a request, host"),
        histogram("queue_seconds", "Waiting for the device"),
        histogram("infer_seconds", "A batch on the device"),
        histogram("decode_seconds", "Writing an answer, host"),
        histogram("batch_size", "Requests in a batch", SIZES),
        histogram("batch_cost", "Cost of a batch", COSTS),
        Counter("ansatz_checks", "Checks", ["model", "check", "result"], registry=registry),
    )
    metrics.aliases.register(_Triton(metrics, version))
    return metrics


class _Triton(Collector):
    """Triton's names for what is counted already."""

    def __init__(self, metrics: Metrics, version: str) -> None:
        self._metrics = metrics
        self._labels = {"model": metrics.model, "version": version}

    def describe(self) -> list[Metric]:
        """No names in advance: asking for them would collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        answered = [
            (sample.labels["code"], sample.value)
            for family in self._metrics.requests.collect()
            for sample in family.samples
            if sample.name == "ansatz_requests_total"
        ]
        good = sum(value for code, value in answered if code < "400")
        yield self._metric("nv_inference_request_success", good)
        total = sum(value for _, value in answered)
        yield self._metric("nv_inference_request_failure", total - good)
        labels = {"model": self._metrics.model}
        for name, ours, factor in TRITON_SUMS:
            value = self._metrics.registry.get_sample_value(ours, labels) or 0.0
            yield self._metric(name, factor * value)

    def _metric(self, name: str, value: float) -> Metric:
        # Untyped: a counter of this library would be renamed to NAME_total.
        metric = Metric(name, f"As Triton's {name}", "unknown")
        metric.add_sample(name, self._labels, value)
        return metric
