"""What a format costs."""

from bench.crowd import Crowd, clients_named
from bench.pairs import Arm, Plan, Row, interleaved
from bench.results import Claim, Findings, Series, at_least, ratio
from bench.servers import service
from bench.texts import SENTENCES

FORMATS = ("pcm", "wav", "mp3", "opus", "aac", "flac")
ASKED = {"wav": at_least(0.9), "mp3": at_least(0.9)}


def measure(plan: Plan) -> Findings:
    formats = FORMATS[:3] if plan.reduced else FORMATS
    series: dict[str, Series] = {}
    claims: list[Claim] = []
    with service() as ours:
        for clients in (1,) if plan.reduced else (1, 4):
            with Crowd(ours, clients) as crowd:

                def arm(audio_format: str, crowd: Crowd = crowd, clients: int = clients) -> Arm:
                    name = f"{audio_format}, {clients_named(clients)}"
                    return lambda: {name: crowd.rate(SENTENCES, plan.slice_seconds, audio_format)}

                arms = [arm(name) for name in formats]
                for each in arms:  # warm
                    each()
                series |= interleaved(arms, plan.pairs, "requests/s", f"formats, {clients_named(clients)}")
            raw = series[f"pcm, {clients_named(clients)}"]
            for name in formats[1:]:
                rate = series[f"{name}, {clients_named(clients)}"]
                claims.append(ratio(f"{clients_named(clients)}: {name} / pcm", rate, raw, ASKED.get(name)))
    return Findings(series, claims)


ROW = Row(
    "formats",
    "Requests a second with one sentence: mp3 and wav at most 10 % behind pcm, at 1 and 4 clients",
    measure,
    slice_seconds=2.0,
)
