"""The desk: where questions for one model are taken, worked on and handed back.

    form --decode, encode--> tensors --forward--> tensors --decode, encode--> body
         host threads                device thread        host threads

Reading a geometry and writing an archive take longer than many a network, so they overlap with
the device's work on other requests.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from ansatz.core.recipe import Encoded
from ansatz.server.batcher import Batcher, QueueFullError, Served, StoppedError
from ansatz.server.dialect import Dialect, Form, Stream
from ansatz.server.errors import HttpError
from ansatz.server.metrics import open_metrics
from ansatz.server.relay import Work, relay
from ansatz.server.reply import Packed, pack
from ansatz.server.service import Service, Tensors
from ansatz.server.settings import Settings

log = logging.getLogger("ansatz.server")
Phase = Literal["starting", "ready", "failed", "draining"]


@dataclass(frozen=True)
class Question:
    """A request that has been read.

    Attributes:
        request: As the model takes it.
        encoded: The same, ready for the device.
        tag: Digest of model and question: equal questions have equal tags.
        seconds: That reading took.
    """

    request: Any
    encoded: Encoded[Any]
    tag: str
    seconds: float


@dataclass(frozen=True)
class Reply:
    """An answer that is ready to be sent, with the tag of its question."""

    packed: Packed
    tag: str


class Desk:
    """One model, its threads and its state.

    Attributes:
        service: What is served.
        settings: How.
        phase: Whether questions are taken; `reason` says why not.
        metrics: What has happened so far.
        in_progress: Questions being worked on.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        forward = service.predictor.forward
        many = service.forward_many
        self.service = service
        self.settings = settings
        self.phase: Phase = "starting"
        self.reason = "the self-test is running"
        self.in_progress = 0
        self._hosts = ThreadPoolExecutor(settings.host_threads, "ansatz-host")
        self._batcher: Batcher[Tensors, Tensors] = Batcher(
            many or (lambda batch: [forward(tensors) for tensors in batch]),
            queue_size=settings.queue_size,
            max_batch=settings.max_batch if many else 1,
            max_cost=min(settings.max_cost, service.max_cost),
            cost=service.cost,
        )
        self.metrics = open_metrics(
            service.name, service.version, lambda: self._batcher.waiting, lambda: self.in_progress
        )

    # --------------------------------------------------------------------------- life
    async def start(self) -> None:
        """Run the self-test; the desk is ready if it returns, and says why if it raises."""
        test = self.service.self_test or (lambda: None)
        running = asyncio.get_running_loop().run_in_executor(self._hosts, test)
        (outcome,) = await asyncio.gather(running, return_exceptions=True)
        failed = isinstance(outcome, BaseException)
        if self.service.self_test is not None:
            self.metrics.check("self_test", not failed)
        if failed:
            log.error("the self-test of %s failed: %s", self.service.name, outcome)
            self.phase, self.reason = "failed", f"the self-test failed: {outcome}"
        elif self.phase == "starting":
            self.phase, self.reason = "ready", ""

    async def drain(self, seconds: float) -> None:
        """Take no more questions, and wait until those in progress are answered."""
        self.phase, self.reason = "draining", "the server is stopping"
        end = time.monotonic() + seconds
        while self.in_progress and time.monotonic() < end:
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        """End the threads. Not to be called from the event loop's own thread."""
        self._batcher.stop(self.settings.drain_seconds)
        self._hosts.shutdown(wait=False, cancel_futures=True)

    # ---------------------------------------------------------------------- questions
    def refusal(self) -> HttpError | None:
        """The error for a question that would come now, before its body has been read."""
        if self.phase != "ready":
            return HttpError(503, f"{self.service.name} is not ready: {self.reason}", 5)
        if self._batcher.is_full or self.in_progress >= self.settings.max_concurrent:
            return HttpError(
                429,
                f"{self.in_progress} requests are in progress, as many as this server takes",
                self._batcher.retry_after,
            )
        return None

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Count a question as in progress."""
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1

    async def requests(self, stream: Stream, dialect: Dialect, form: Form) -> list[Any]:
        """Cut a question into the requests that are answered one after the other.

        Raises:
            HttpError: 400 for a form that the dialect cannot read.
        """

        def cut() -> list[Any]:
            return list(stream.parts(_decoded(dialect, form)))

        return await asyncio.get_running_loop().run_in_executor(self._hosts, cut)

    async def answer(self, dialect: Dialect, form: Form, part: Any = None) -> Reply:
        """Answer a question.

        Args:
            dialect: In which it is asked.
            form: The question.
            part: One of its `requests`, to answer this alone.

        Returns:
            The answer, ready to be sent.

        Raises:
            HttpError: 400 for a form that the dialect cannot read, 422 for a request that the
                model cannot answer, 429 or 503 where the device takes no more.
        """
        question, served, packed, seconds = await relay(self._work(dialect, form, part))
        # Here and not in the threads, since an answer that nobody waited for is not counted.
        self.metrics.served(served, question.seconds, seconds)
        return Reply(packed, question.tag)

    def _work(
        self, dialect: Dialect, form: Form, part: Any
    ) -> Work[tuple[Question, Served[Tensors], Packed, float]]:
        question: Question = yield self._hosts.submit(self._read, dialect, form, part)
        try:
            queued = self._batcher.submit(question.encoded.tensors)
        except QueueFullError as error:
            raise HttpError(429, str(error), error.retry_after) from None
        except StoppedError as error:
            raise HttpError(503, str(error), 5) from None
        served: Served[Tensors] = yield queued
        packed, seconds = yield self._hosts.submit(
            self._write, dialect, form, question, served.result
        )
        return question, served, packed, seconds

    def _read(self, dialect: Dialect, form: Form, part: Any) -> Question:
        start = time.perf_counter()
        request = _decoded(dialect, form) if part is None else part
        try:
            encoded = self.service.predictor.encode(request)
        except (ValueError, LookupError) as error:
            raise HttpError(422, str(error)) from error
        return Question(request, encoded, self._tag(form), time.perf_counter() - start)

    def _write(
        self, dialect: Dialect, form: Form, question: Question, outputs: Tensors
    ) -> tuple[Packed, float]:
        start = time.perf_counter()
        answer = self.service.predictor.decode(outputs, question.encoded)
        packed = pack(dialect.encode(answer, question.request, form))
        return packed, time.perf_counter() - start

    def _tag(self, form: Form) -> str:
        total = hashlib.sha256()
        about = (self.service.name, self.service.version, self.service.arithmetic)
        words = (*about, *self.service.assets, form.path)
        for text in (
            *words,
            form.accept,
            *(w for pair in sorted(form.texts.items()) for w in pair),
        ):
            total.update(f"{len(text)}:{text}".encode())
        for name, data in sorted(form.files.items()):
            total.update(f"{len(name)}:{name}{len(data)}:".encode())
            total.update(data)
        return total.hexdigest()[:32]


def _decoded(dialect: Dialect, form: Form) -> Any:
    try:
        return dialect.decode(form)
    except (ValueError, LookupError) as error:
        raise HttpError(400, str(error)) from error
