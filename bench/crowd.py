"""Several callers at once, each asking again as soon as it is answered (a closed loop)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle, islice
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Self

from bench.client import Client, Spoken
from bench.servers import Server


def clients_named(count: int) -> str:
    return f"{count} client{'s' if count > 1 else ''}"


class Crowd:
    """So many clients of one server, each with a kept connection and a thread.

    They live in the bench's process, apart from the servers, and do nothing but read bytes.
    """

    def __init__(self, server: Server, clients: int) -> None:
        self._stack = ExitStack()
        self._clients = [self._stack.enter_context(Client(server)) for _ in range(clients)]
        self._threads = self._stack.enter_context(ThreadPoolExecutor(clients))

    def rate(
        self, texts: Sequence[str], seconds: float, audio_format: str = "wav", *, stream: bool = False
    ) -> float:
        """Requests a second over so many seconds.

        A request that the end cuts counts by the share of its time before it. Everybody goes on asking until
        nobody is in a request that began before the end, so the last ones run under the same load.
        """
        end = perf_counter() + seconds
        lock = Lock()
        still_before_the_end = len(self._clients)

        def call(client: Client, number: int) -> float:
            nonlocal still_before_the_end
            done, passed = 0.0, False
            for text in islice(cycle(texts), number, None):
                with lock:
                    if not still_before_the_end:
                        return done
                began = perf_counter()
                try:
                    client.speak(text, audio_format, stream=stream)
                except BaseException:
                    with lock:
                        still_before_the_end = 0  # nobody waits for one that has failed
                    raise
                ended = perf_counter()
                if began < end:
                    done += min((end - began) / (ended - began), 1.0)
                if ended >= end and not passed:
                    passed = True
                    with lock:
                        still_before_the_end = max(still_before_the_end - 1, 0)
            raise AssertionError("a cycle has no end")

        calls = [self._threads.submit(call, client, number) for number, client in enumerate(self._clients)]
        return sum(each.result() for each in calls) / seconds

    def once(self, text: str, audio_format: str = "wav", *, stream: bool = False) -> list[Spoken]:
        """Everybody asks once, at the same time."""
        calls = [
            self._threads.submit(client.speak, text, audio_format, stream=stream) for client in self._clients
        ]
        return [each.result() for each in calls]

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
