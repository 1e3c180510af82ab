"""Who runs when: a bounded number of requests in the house, fewer on the engines, turn by turn."""

import asyncio
import contextvars
import functools
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from service.engines.base import Cancellation
from service.engines.priority import yield_to_others
from service.errors import Draining, Overloaded
from telemetry import metrics
from telemetry.clock import BusySpan

Item = TypeVar("Item")

RETRY_AFTER_SECONDS: Final = 1


class Scheduler:
    """Runs blocking generators in worker threads, one step a turn, turns first come first served.

    A turn is held only while a step is made, never while its result is being delivered, so a slow reader
    holds up nobody. From the second on, one step is made ahead of the reader and no more.

    Args:
        concurrency: steps that run at once.
        max_requests: requests that may be in the house; more are refused.
    """

    def __init__(self, concurrency: int, max_requests: int) -> None:
        self._threads = ThreadPoolExecutor(concurrency, "speech", initializer=yield_to_others)
        self._side_threads = ThreadPoolExecutor(concurrency, "codec")
        self._turns = asyncio.Semaphore(concurrency)
        self._max_requests = max_requests
        self._requests = 0
        self._retiring: set[asyncio.Task[None]] = set()
        self.draining = False

    @property
    def full(self) -> bool:
        return self._requests >= self._max_requests

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Be one of the requests in the house.

        Raises:
            Overloaded: there are too many.
            Draining: the service is shutting down.
        """
        if self.draining:
            metrics.REJECTED.labels("draining").inc()
            raise Draining("The service is shutting down, try another one", retry_after=RETRY_AFTER_SECONDS)
        if self.full:
            metrics.REJECTED.labels("overloaded").inc()
            raise Overloaded("Too many requests are waiting, try again", retry_after=RETRY_AFTER_SECONDS)
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def run(
        self, work: Generator[Item, None, Item | None], waiting: BusySpan, cancellation: Cancellation
    ) -> AsyncGenerator[Item, None]:
        """Drive `work` in worker threads.

        Args:
            work: makes one item a step; closed at the end, in any case. The last item may be returned, which
                saves the turn in which a generator finds out that there is no more.
            waiting: the queue's span, entered while a step waits for its turn.
            cancellation: cancelled when the reader goes away, so that a step under way stops.
        """
        steps = _Steps(self, work, waiting)
        ahead = asyncio.ensure_future(steps.make())
        try:
            step = await ahead
            # The first result leaves alone: the next step would take the cores that its delivery needs.
            if not step.last:
                yield step.item
                ahead = asyncio.ensure_future(steps.make())
                step = await ahead
            while not step.last:
                ahead = asyncio.ensure_future(steps.make())
                yield step.item
                step = await ahead
            if step.item is not None:
                yield step.item
        finally:
            cancellation.cancel()
            ahead.cancel()
            retiring = asyncio.ensure_future(steps.retire(ahead))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
            # Whoever waits for the end of the reading waits for the end of the work.
            await asyncio.shield(retiring)

    async def aside(self, function: Callable[..., Item], *arguments: object) -> Item:
        """Run something short in a thread beside the engines, such as a codec. It needs no turn."""
        loop = asyncio.get_running_loop()
        call = functools.partial(contextvars.copy_context().run, function, *arguments)
        return await loop.run_in_executor(self._side_threads, call)

    async def close(self) -> None:
        """Wait for what is still running, then let the threads go."""
        if self._retiring:
            await asyncio.wait(self._retiring)
        self._threads.shutdown(wait=False)
        self._side_threads.shutdown(wait=False)


@dataclass(frozen=True, slots=True)
class _Step(Generic[Item]):
    """What one step made; the last one may have made nothing."""

    item: Item
    last: bool


class _Steps(Generic[Item]):
    """The steps of one generator."""

    def __init__(
        self, scheduler: Scheduler, work: Generator[Item, None, Item | None], waiting: BusySpan
    ) -> None:
        self._scheduler = scheduler
        self._work = work
        self._waiting = waiting
        self._context = contextvars.copy_context()
        self._running: asyncio.Future[_Step[Item]] | None = None

    async def make(self) -> _Step[Item]:
        scheduler = self._scheduler
        metrics.QUEUE_DEPTH.inc()
        try:
            with self._waiting:
                await scheduler._turns.acquire()
        finally:
            metrics.QUEUE_DEPTH.dec()
        metrics.QUEUE_RUNNING.inc()
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(scheduler._threads, self._context.run, self._step)
        self._running.add_done_callback(self._give_back)
        # Shielded: a thread can't be stopped, and its turn is not over before it is.
        return await asyncio.shield(self._running)

    def _step(self) -> _Step[Item]:
        try:
            return _Step(next(self._work), last=False)
        except StopIteration as stop:
            return _Step(stop.value, last=True)

    def _give_back(self, step: "asyncio.Future[_Step[Item]]") -> None:
        metrics.QUEUE_RUNNING.dec()
        self._scheduler._turns.release()
        if not step.cancelled():
            step.exception()  # retrieved here, since the reader may have left

    async def retire(self, ahead: "asyncio.Future[_Step[Item]]") -> None:
        await asyncio.wait([ahead])
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running])
        self._work.close()
