"""Who runs when."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import aclosing, asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context

from service.engines.base import Cancellation
from service.errors import Draining, Overloaded
from service.scheduling.scheduler import Scheduler
from telemetry import metrics
from telemetry.clock import BusySpan
from telemetry.spans import Stage


@asynccontextmanager
async def scheduling(concurrency: int, max_requests: int = 100) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(concurrency, max_requests)
    try:
        yield scheduler
    finally:
        await scheduler.close()


def queue_span() -> BusySpan:
    return BusySpan(Stage.QUEUE, Context())


async def read(scheduler: Scheduler, work: Generator[int, None, None], limit: int | None = None) -> list[int]:
    """Read all, or `limit` items and then leave."""
    items: list[int] = []
    async with aclosing(scheduler.run(work, queue_span(), Cancellation())) as reading:
        async for item in reading:
            items.append(item)
            if len(items) == limit:
                break
    return items


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def body() -> None:
        await main()

    asyncio.run(body())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until a worker thread has made it true."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (a thread can't set an asyncio.Event)
            await asyncio.sleep(0)


def gauges() -> tuple[float, float]:
    return metrics.QUEUE_DEPTH._value.get(), metrics.QUEUE_RUNNING._value.get()


class Bench:
    """Work that notes how much of it runs at once, and whether it was closed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = self.most = self.closed = self.made = 0

    def work(self, items: int, fails_after: int | None = None) -> Generator[int, None, None]:
        try:
            for item in range(items):
                with self.lock:
                    self.running += 1
                    self.most = max(self.most, self.running)
                threading.Event().wait(0.0005)  # lets the others in
                with self.lock:
                    self.running -= 1
                    self.made += 1
                if item == fails_after:
                    raise ValueError("broken")
                yield item
        finally:
            with self.lock:
                self.closed += 1


@given(
    concurrency=st.integers(1, 4),
    readers=st.lists(
        st.tuples(st.integers(0, 6), st.integers(1, 8), st.integers(0, 8)), min_size=1, max_size=6
    ),
)
@settings(max_examples=60, deadline=None)
def test_everybody_gets_their_items_in_order(concurrency: int, readers: list[tuple[int, int, int]]) -> None:
    """Whoever else leaves early or fails. A reader: items, read at most, fails after."""
    bench = Bench()

    async def main() -> None:
        async with scheduling(concurrency) as scheduler:
            reading = [
                read(scheduler, bench.work(items, fails_after), limit)
                for items, limit, fails_after in readers
            ]
            results = await asyncio.gather(*reading, return_exceptions=True)
        for (items, limit, fails_after), result in zip(readers, results, strict=True):
            if fails_after < min(items, limit):
                assert isinstance(result, ValueError)
            else:
                assert result == list(range(min(items, limit)))

    run(main)
    assert bench.most <= concurrency
    assert bench.running == 0
    assert bench.closed == len(readers)
    assert gauges() == (0, 0)


def test_one_step_is_made_ahead_and_no_more() -> None:
    bench = Bench()

    async def main() -> None:
        async with (
            scheduling(2) as scheduler,
            aclosing(scheduler.run(bench.work(10), queue_span(), Cancellation())) as reading,
        ):
            assert await anext(reading) == 0
            for _ in range(100):
                await scheduler.aside(lambda: None)
            assert bench.made == 1, "the first result leaves alone"
            assert await anext(reading) == 1
            await until(lambda: bench.made == 3)
            for _ in range(100):
                await scheduler.aside(lambda: None)
            assert bench.made == 3

    run(main)


def test_a_slow_reader_holds_no_turn() -> None:
    async def main() -> None:
        async with scheduling(1) as scheduler:
            lazy = scheduler.run(Bench().work(10), queue_span(), Cancellation())
            async with aclosing(lazy):
                await anext(lazy)
                assert await read(scheduler, Bench().work(5)) == [0, 1, 2, 3, 4]

    run(main)


def test_turns_are_first_come_first_served() -> None:
    order: list[str] = []

    def work(name: str) -> Generator[int, None, None]:
        for item in range(3):
            order.append(name)
            yield item

    async def main() -> None:
        async with scheduling(1) as scheduler:
            await asyncio.gather(*(read(scheduler, work(name)) for name in "abc"))

    run(main)
    assert sorted(order) == list("aaabbbccc")
    assert [order.index(name) for name in "abc"] == [0, 1, 2]
    # Nobody is served twice while another waits: between two turns of one, everybody else had one.
    assert order[:6] == list("abcabc")


def test_leaving_cancels_the_step_under_way_and_waits_for_its_end() -> None:
    begun, cancellation = threading.Event(), Cancellation()
    told = threading.Event()
    ended: list[bool] = []

    def work() -> Generator[int, None, None]:
        try:
            with cancellation.interrupts(told.set):
                begun.set()
                ended.append(told.wait(timeout=30))
            yield 1
        finally:
            ended.append(True)

    async def main() -> None:
        async with scheduling(1) as scheduler:
            reading = scheduler.run(work(), queue_span(), cancellation)
            first = asyncio.ensure_future(anext(reading))
            await until(begun.is_set)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert ended == [True, True]
            assert await read(scheduler, Bench().work(1)) == [0], "the turn was given back"

    run(main)
    assert cancellation.cancelled
    assert gauges() == (0, 0)


def test_leaving_while_waiting_gives_up_the_place() -> None:
    release = threading.Event()

    def blocking() -> Generator[int, None, None]:
        release.wait(timeout=30)
        yield 1

    async def main() -> None:
        async with scheduling(1) as scheduler:
            first = asyncio.ensure_future(read(scheduler, blocking()))
            await until(lambda: gauges()[1] == 1)
            bench = Bench()
            second = asyncio.ensure_future(read(scheduler, bench.work(1)))
            await until(lambda: gauges()[0] == 1)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert gauges() == (0, 1)
            release.set()
            assert await first == [1]
            assert bench.made == 0

    run(main)


def test_more_requests_than_allowed_are_refused() -> None:
    async def main() -> None:
        async with scheduling(1, max_requests=2) as scheduler:
            with scheduler.admit(), scheduler.admit():
                assert scheduler.full
                with pytest.raises(Overloaded) as caught, scheduler.admit():
                    pass
                assert caught.value.retry_after == 1
            assert not scheduler.full
            with pytest.raises(KeyError), scheduler.admit():
                raise KeyError
            with scheduler.admit(), scheduler.admit():
                pass

    run(main)


def test_a_draining_service_takes_nothing_new_and_ends_what_it_has() -> None:
    async def main() -> None:
        async with scheduling(1) as scheduler:
            with scheduler.admit():
                scheduler.draining = True
                with pytest.raises(Draining) as caught, scheduler.admit():
                    pass
                assert caught.value.retry_after == 1
                assert await read(scheduler, Bench().work(3)) == [0, 1, 2]

    run(main)


def test_aside_needs_no_turn() -> None:
    release = threading.Event()

    def blocking() -> Generator[int, None, None]:
        release.wait(timeout=30)
        yield 1

    async def main() -> None:
        async with scheduling(1) as scheduler:
            reading = asyncio.ensure_future(read(scheduler, blocking()))
            await until(lambda: gauges()[1] == 1)
            assert await scheduler.aside(max, 3, 4) == 4
            with pytest.raises(ZeroDivisionError):
                await scheduler.aside(divmod, 1, 0)
            release.set()
            assert await reading == [1]

    run(main)
