"""What 64 callers at once cost in memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.client import Client
from bench.crowd import Crowd
from bench.pairs import Arm, Plan, Row, interleaved
from bench.results import Findings, at_most, level
from bench.servers import PiperServer, Server, Service, piper_server, service
from bench.texts import PARAGRAPH, SENTENCES, long_text

LIMIT_MEGABYTES = 300
PARAGRAPHS = 20
CLIENTS = 64
LONG_CLIENTS = 4
LONG_CHARACTERS = 10_000


def measure(plan: Plan) -> Findings:
    text = SENTENCES[0] if plan.reduced else PARAGRAPH
    paragraphs, clients = (2, 8) if plan.reduced else (PARAGRAPHS, CLIENTS)

    def speak_alone(server: Server) -> None:
        with Client(server) as client:
            for _ in range(paragraphs):
                client.speak(text)

    def crowded(start: Callable[[], AbstractContextManager[Service | PiperServer]]) -> Arm:
        def arm() -> dict[str, float]:
            with start() as server:
                figures = {"ready": server.resident_megabytes}
                speak_alone(server)
                alone = figures[f"after {paragraphs} paragraphs of one client"] = server.resident_megabytes
                for turn in ("", ", second time"):
                    with Crowd(server, clients) as crowd:
                        crowd.once(text)
                    figures[f"after {clients} clients at once{turn}"] = server.resident_megabytes
                    figures[f"peak with {clients} clients{turn}"] = server.peak_megabytes
                    figures[f"growth at {clients} clients{turn}"] = server.peak_megabytes - alone
                return {f"{server.name}, {name}": value for name, value in figures.items()}

        return arm

    def long_texts() -> dict[str, float]:
        with service() as server:
            speak_alone(server)
            alone = server.resident_megabytes
            with Crowd(server, LONG_CLIENTS) as crowd:
                crowd.once(long_text(len(text) if plan.reduced else LONG_CHARACTERS))
            return {f"service, growth at {LONG_CLIENTS} long texts": server.peak_megabytes - alone}

    arms = [crowded(service), crowded(piper_server), long_texts]
    series = interleaved(arms, plan.pairs, "MB", "memory")
    claims = [
        level(
            f"service: growth at {clients} clients{turn}",
            series[f"service, growth at {clients} clients{turn}"],
            at_most(LIMIT_MEGABYTES),
        )
        for turn in ("", ", second time")
    ]
    information = (
        f"piper.http_server, growth at {clients} clients",
        f"piper.http_server, growth at {clients} clients, second time",
        f"service, growth at {LONG_CLIENTS} long texts",
    )
    claims += [level(name, series[name]) for name in information]
    return Findings(series, claims)


ROW = Row(
    "memory",
    f"The most that is resident while {CLIENTS} clients ask for a paragraph each, over what is resident "
    f"after one client had {PARAGRAPHS}: at most {LIMIT_MEGABYTES} MB, at the second time too. Long texts: "
    f"{LONG_CLIENTS} clients with {LONG_CHARACTERS} characters each. A fresh server each time",
    measure,
    pairs=3,
)
