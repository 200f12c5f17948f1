"""The batcher loses nothing: each item gets its own result, its own error, or its refusal."""

import asyncio
import threading

import pytest

from ansatz.server.batcher import Batcher, QueueFullError, StoppedError


class Gate:
    """A device that records its batches and works only while it is open."""

    def __init__(self):
        self.open = threading.Event()
        self.entered = threading.Event()
        self.batches = []

    def run(self, items):
        self.batches.append(list(items))
        self.entered.set()
        self.open.wait()
        if "bad" in items:
            raise ArithmeticError("a bad item")
        return [item * 2 for item in items]


def ask(batcher, item):
    return asyncio.wrap_future(batcher.submit(item))


async def held(gate, batcher):
    """Occupy the device, so that what is submitted next has to wait."""
    first = ask(batcher, 0)
    await asyncio.to_thread(gate.entered.wait)
    return first


def test_whatever_waits_makes_the_next_batch_in_order():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run, max_batch=3)
        futures = [await held(gate, batcher), *(ask(batcher, n) for n in range(1, 6))]
        gate.open.set()
        served = await asyncio.gather(*futures)
        await asyncio.to_thread(batcher.stop)
        return gate.batches, served

    batches, served = asyncio.run(story())

    assert batches == [[0], [1, 2, 3], [4, 5]]
    assert [s.result for s in served] == [0, 2, 4, 6, 8, 10]
    assert [s.batch_size for s in served] == [1, 3, 3, 3, 2, 2]
    assert [s.leads for s in served] == [True, True, False, False, True, False]


def test_a_batch_stays_below_its_cost_and_a_dear_item_runs_alone():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run, max_cost=10.0, cost=float)
        futures = [await held(gate, batcher), *(ask(batcher, n) for n in (4, 6, 1, 50, 2))]
        gate.open.set()
        await asyncio.gather(*futures)
        await asyncio.to_thread(batcher.stop)
        return gate.batches

    assert asyncio.run(story()) == [[0], [4, 6], [1], [50], [2]]


def test_a_full_queue_refuses_and_says_when_to_come_back():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run, queue_size=2, max_batch=1)
        futures = [await held(gate, batcher), ask(batcher, 1), ask(batcher, 2)]
        with pytest.raises(QueueFullError, match="2 requests are waiting") as refused:
            batcher.submit(3)
        gate.open.set()
        results = [s.result for s in await asyncio.gather(*futures)]
        await asyncio.to_thread(batcher.stop)
        return results, refused.value.retry_after

    results, retry_after = asyncio.run(story())

    assert results == [0, 2, 4]
    assert retry_after >= 1


def test_a_cancelled_item_never_reaches_the_device_and_makes_room():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run, queue_size=1)
        first = await held(gate, batcher)
        batcher.submit(1).cancel()
        second = ask(batcher, 2)
        gate.open.set()
        await asyncio.gather(first, second)
        await asyncio.to_thread(batcher.stop)
        return gate.batches

    assert asyncio.run(story()) == [[0], [2]]


def test_a_queue_of_those_who_left_is_not_full():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run, queue_size=1)
        first = await held(gate, batcher)
        left = batcher.submit(1)
        before = batcher.is_full
        left.cancel()
        after = batcher.is_full
        gate.open.set()
        await first
        await asyncio.to_thread(batcher.stop)
        return before, after

    assert asyncio.run(story()) == (True, False)


def test_an_error_reaches_only_the_item_it_belongs_to():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run)
        futures = [await held(gate, batcher), *(ask(batcher, n) for n in (1, "bad", 2))]
        gate.open.set()
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        later = await ask(batcher, 9)
        await asyncio.to_thread(batcher.stop)
        return outcomes, later

    (zero, one, bad, two), later = asyncio.run(story())

    assert [s.result for s in (zero, one, two, later)] == [0, 2, 4, 18]
    assert isinstance(bad, ArithmeticError)


def test_a_device_that_drops_a_result_is_found_out():
    async def story():
        batcher = Batcher(lambda items: [])
        with pytest.raises(RuntimeError, match="1 items in a batch gave 0 results"):
            await ask(batcher, 1)
        await asyncio.to_thread(batcher.stop)

    asyncio.run(story())


def test_stopping_answers_what_waits_and_refuses_what_comes():
    async def story():
        gate = Gate()
        batcher = Batcher(gate.run)
        futures = [await held(gate, batcher), ask(batcher, 1)]
        stopping = asyncio.create_task(asyncio.to_thread(batcher.stop))
        await asyncio.sleep(0.02)
        with pytest.raises(StoppedError):
            batcher.submit(2)
        gate.open.set()
        results = [s.result for s in await asyncio.gather(*futures)]
        await stopping
        return results

    assert asyncio.run(story()) == [0, 2]


def test_a_batcher_without_a_queue_is_refused():
    with pytest.raises(ValueError, match="must be positive"):
        Batcher(list, queue_size=0)
