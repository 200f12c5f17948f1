"""What the server adds to a model: CPU time per request, latency, and what a burst comes to.

    OMP_NUM_THREADS=1 python benchmarks/server_overhead.py [rounds]

A server in a process of its own answers with a model that does nothing, so all of its CPU time is
overhead: sockets, forms, queue, threads, archive. It is measured in rounds of 500 requests, one
after the other, and printed as [min, median] of the rounds. Then a model of 50 ms with a queue of
16 meets 100 clients at once: each must be answered or told when to come back. Prints JSON.
"""

import concurrent.futures
import io
import json
import multiprocessing
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from ansatz.core.artifacts import machine, versions
from ansatz.core.recipe import Encoded
from ansatz.server.client import Client
from ansatz.server.process import serve
from ansatz.server.service import Service
from ansatz.server.settings import Settings

REQUESTS = 500  # per round; CPU time is told in steps of 10 ms, 0.02 ms per request
ROUTE = "/v1/models/bench/echo/infer"


@dataclass(frozen=True)
class Row:
    """One row of numbers."""

    values: Path | NDArray[np.float64]
    factor: float = 1.0


@dataclass(frozen=True)
class Echoed:
    """What comes back."""

    values: torch.Tensor

    def summary(self) -> dict[str, float | int | str]:
        """How much came back."""
        return {"count": len(self.values)}

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Nothing is worth keeping."""
        return []


@dataclass(frozen=True)
class Echo:
    """A model that does nothing, for as long as it is told."""

    seconds: float
    row: torch.Tensor = field(default_factory=lambda: torch.zeros(16))

    def encode(self, request: Row) -> Encoded[None]:
        """The same row for everyone."""
        return Encoded({"x": self.row}, None)

    def forward(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Sleep."""
        if self.seconds:
            time.sleep(self.seconds)
        return tensors

    def decode(self, outputs: dict[str, torch.Tensor], encoded: Encoded[None]) -> Echoed:
        """Wrap the row."""
        return Echoed(outputs["x"])


def serve_echo(port: int, seconds: float, queue_size: int) -> None:
    torch.set_num_threads(1)
    service = Service("bench/echo", "0", Echo(seconds), Row)
    serve(service, Settings(port=port, queue_size=queue_size))


@contextmanager
def server(seconds: float, queue_size: int) -> Iterator[tuple[str, psutil.Process]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve_echo, args=(port, seconds, queue_size))
    process.start()
    url = f"http://127.0.0.1:{port}"
    try:
        Client(url).wait_ready(120)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()  # SIGTERM: the server finishes and leaves
        process.join()


def overhead(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Server CPU per request (user and system) and latency seen by one client, ms."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(16))
    kinds = {
        "json": {"json": {"values": [0.0] * 16, "factor": 2.0}},
        "multipart": {"files": {"values": buffer.getvalue()}, "data": {"factor": "2.0"}},
    }
    found = {}
    with server(0.0, 64) as (url, process), httpx.Client(base_url=url) as http:
        for kind, content in kinds.items():
            measured = [one_round(http, process, content) for _ in range(rounds + 1)][1:]
            found[kind] = {
                name: [round(min(values), 3), round(statistics.median(values), 3)]
                for name, values in zip(
                    ("cpu_ms", "p50_ms"), zip(*measured, strict=True), strict=True
                )
            }
    return found


def one_round(
    http: httpx.Client, process: psutil.Process, content: dict[str, Any]
) -> tuple[float, float]:
    before, waits = sum(process.cpu_times()[:2]), []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        http.post(ROUTE, **content).raise_for_status()
        waits.append(time.perf_counter() - start)
    cpu = sum(process.cpu_times()[:2]) - before
    return 1e3 * cpu / REQUESTS, 1e3 * statistics.median(waits)


def burst(clients: int = 100, seconds: float = 0.05, queue_size: int = 16) -> dict[str, object]:
    """The statuses that clients get who ask all at once; a lost one would raise."""
    limits = httpx.Limits(max_connections=clients)
    with (
        server(seconds, queue_size) as (url, _),
        httpx.Client(base_url=url, limits=limits, timeout=60) as http,
        concurrent.futures.ThreadPoolExecutor(clients) as pool,
    ):
        asked = [pool.submit(http.post, ROUTE, json={"values": [1.0]}) for _ in range(clients)]
        replies = [future.result() for future in asked]
    codes = Counter(str(reply.status_code) for reply in replies)
    told = all("retry-after" in reply.headers for reply in replies if reply.status_code == 429)
    return {"clients": clients, "statuses": dict(codes), "refused_know_when": told}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    names = ("fastapi", "starlette", "uvicorn", "httptools", "python-multipart")
    result = {
        "machine": machine(),
        "versions": versions() | {name: version(name) for name in names},
        "requests": rounds * REQUESTS,
        "overhead": overhead(rounds),
        "burst": burst(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
