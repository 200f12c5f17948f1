"""Work of several stages: its result, its errors, and what becomes of it when nobody waits."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from ansatz.server.relay import relay


def test_each_stage_receives_the_result_of_the_one_before():
    def work(pool):
        four = yield pool.submit(pow, 2, 2)
        sixteen = yield pool.submit(pow, four, 2)
        return four + sixteen

    async def story():
        with ThreadPoolExecutor(1) as pool:
            return await relay(work(pool))

    assert asyncio.run(story()) == 20


def test_the_event_loop_is_not_needed_between_stages():
    ended = threading.Event()

    def work(pool):
        yield pool.submit(int)
        yield pool.submit(int)
        yield pool.submit(ended.set)

    async def story():
        with ThreadPoolExecutor(1) as pool:
            goal = relay(work(pool))
            finished = ended.wait(10)  # blocks the loop
            await goal
            return finished

    assert asyncio.run(story())


def test_an_error_of_a_stage_is_raised_where_the_work_waits_for_it():
    def work(pool):
        try:
            yield pool.submit(divmod, 1, 0)
        except ZeroDivisionError:
            return (yield pool.submit(str, "caught"))

    async def story():
        with ThreadPoolExecutor(1) as pool:
            return await relay(work(pool))

    assert asyncio.run(story()) == "caught"


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_an_error_of_the_work_itself_reaches_who_awaits_it(stages):
    def work(pool):
        for _ in range(stages):
            yield pool.submit(int)
        raise LookupError("lost")

    async def story():
        with ThreadPoolExecutor(1) as pool:
            await relay(work(pool))

    with pytest.raises(LookupError, match="lost"):
        asyncio.run(story())


def test_who_leaves_cancels_the_present_stage_and_starts_no_other():
    first, second = Future(), Future()
    begun = []

    def work():
        for stage in (first, second):
            begun.append(stage)
            yield stage

    async def story():
        goal = relay(work())
        goal.cancel()
        await asyncio.sleep(0)

    asyncio.run(story())

    assert first.cancelled()
    assert begun == [first]


def test_a_stage_that_cannot_be_cancelled_is_the_last():
    first = Future()
    first.set_running_or_notify_cancel()
    begun = []

    def work():
        begun.append((yield first))

    async def story():
        goal = relay(work())
        goal.cancel()
        await asyncio.sleep(0)
        first.set_result(1)

    asyncio.run(story())

    assert begun == []


def test_a_stage_begun_while_its_caller_left_is_cancelled_too():
    first, second = Future(), Future()
    goals = []

    def work():
        yield first
        goals[0].cancel()
        yield second

    async def story():
        goals.append(relay(work()))
        first.set_result(None)

    asyncio.run(story())

    assert second.cancelled()


def test_nobody_waits_for_a_stage_that_was_cancelled():
    first = Future()

    def work():
        yield first

    async def story():
        goal = relay(work())
        first.cancel()
        await goal

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(story())
