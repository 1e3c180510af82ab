"""Long texts without punctuation, which an engine takes for one sentence."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.client import Client
from bench.pairs import Arm, Plan, Row, interleaved
from bench.results import Findings, Series, at_most, level, ratio
from bench.servers import PiperServer, Service, piper_server, service
from bench.texts import SENTENCES, unpunctuated

SHORT, LONG = 3_000, 10_000


def _unit(name: str) -> str:
    return "MB" if name.endswith("growth") else "s"


def measure(plan: Plan) -> Findings:
    short, long = (200, 400) if plan.reduced else (SHORT, LONG)

    def arm(
        start: Callable[[], AbstractContextManager[Service | PiperServer]], characters: int, *, stream: bool
    ) -> Arm:
        text = unpunctuated(characters)

        def measured() -> dict[str, float]:
            with start() as server, Client(server) as client:
                client.speak(SENTENCES[0])  # warm
                before = server.resident_megabytes
                spoken = client.speak(text, stream=stream)
                name = f"{server.name}, {characters} characters"
                return {
                    f"{name}, first audio": spoken.first_audio,
                    f"{name}, whole": spoken.total,
                    f"{name}, memory growth": server.peak_megabytes - before,
                }

        return measured

    arms = [
        arm(service, short, stream=True),
        arm(piper_server, short, stream=False),
        arm(service, long, stream=True),
    ]
    series = interleaved(arms, plan.pairs, _unit, "adversarial")

    def ours(characters: int, figure: str) -> Series:
        return series[f"service, {characters} characters, {figure}"]

    claims = [
        ratio(
            f"{figure} at {short} characters: service / piper.http_server",
            ours(short, figure),
            series[f"piper.http_server, {short} characters, {figure}"],
            at_most(1.0),
        )
        for figure in ("first audio", "whole", "memory growth")
    ]
    claims += [
        level(f"service: {figure} at {characters} characters", ours(characters, figure))
        for characters in (short, long)
        for figure in ("first audio", "whole", "memory growth")
    ]
    return Findings(series, claims)


ROW = Row(
    "adversarial",
    f"{SHORT} and {LONG} characters without punctuation, streamed: first audio, whole and the most "
    f"memory over a fresh server's, none above piper.http_server's at {SHORT}",
    measure,
)
