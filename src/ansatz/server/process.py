"""The process around the application: its socket, its signals and its end.

On SIGTERM or SIGINT the server stops being ready, finishes what is in progress and exits, so that
a rolling update loses no request.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from ansatz.server.app import create_app
from ansatz.server.desk import Desk
from ansatz.server.service import Service
from ansatz.server.settings import Settings

log = logging.getLogger("ansatz.server")
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(service: Service, settings: Settings) -> None:
    """Serve a model until a signal says stop.

    Args:
        service: The model.
        settings: Where and how.

    Raises:
        OSError: If the address cannot be bound.
    """
    with _listening(settings) as listener:
        app = create_app(service, settings)
        log.info("%s on %s", service.name, _url(listener))
        # Modules and weights outlive every request; searching them for garbage again and again
        # cost a fifth of the CPU time of small requests.
        gc.collect()
        gc.freeze()
        asyncio.run(_serve(_server(app, settings), app.state.desk, listener))


@contextlib.contextmanager
def running(service: Service, settings: Settings | None = None) -> Iterator[str]:
    """Serve a model from a thread of this process, as notebooks and tests do.

    Args:
        service: The model.
        settings: Where and how; by default on a free port of this machine only.

    Yields:
        The URL of the server, which is live; `Client.wait_ready` waits for its self-test.

    Raises:
        OSError: If the address cannot be bound.
    """
    settings = settings or Settings(port=0)
    with _listening(settings) as listener:
        server = _server(create_app(service, settings), settings)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join()


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = (settings.host, settings.port)
    try:
        listener = socket.create_server(address, family=family, backlog=2048)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        raise OSError(f"cannot listen on {where}: {error}; choose another port") from error
    # Connections inherit it. Without it an answer of two writes waits 40 ms for the client's
    # delayed acknowledgment, since asyncio sets it only on sockets made in its own way.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    return uvicorn.Server(config)


async def _serve(server: uvicorn.Server, desk: Desk, listener: socket.socket) -> None:
    serving = asyncio.create_task(server.serve([listener]))
    await asyncio.sleep(0)  # uvicorn's first step sets its own handlers; ours come after
    stop = asyncio.Event()
    for number in SIGNALS:
        # Where loops cannot take signals (Windows), uvicorn's own handling stays: it finishes
        # what is in progress too, but closes its socket first, so probes see no 503.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    await desk.drain(desk.settings.drain_seconds)
    server.should_exit = True
    await serving
