"""How long a listener waits for the first sound of a paragraph."""

from bench.client import Client
from bench.engine import Engine
from bench.pairs import Arm, Plan, Row, interleaved
from bench.results import Findings, at_most, ratio
from bench.servers import piper_server, service
from bench.texts import PARAGRAPH

FORMATS = ("wav", "pcm", "mp3")
SHARE = 1 / 8


def measure(plan: Plan) -> Findings:
    with (
        service() as ours,
        piper_server() as peer,
        Engine() as engine,
        Client(ours) as our_client,
        Client(peer) as peer_client,
    ):

        def streamed(audio_format: str) -> Arm:
            def arm() -> dict[str, float]:
                spoken = our_client.speak(PARAGRAPH, audio_format, stream=True)
                return {
                    f"service, {audio_format} stream, first audio": spoken.first_audio,
                    f"service, {audio_format} stream, whole": spoken.total,
                }

            return arm

        def peer_arm() -> dict[str, float]:
            return {"piper.http_server, whole": peer_client.speak(PARAGRAPH).total}

        def engine_arm() -> dict[str, float]:
            times = engine.speak(PARAGRAPH)
            return {"bare engine, first sentence": times.first_audio, "bare engine, whole": times.total}

        arms = [*map(streamed, FORMATS), peer_arm, engine_arm]
        for arm in arms:  # warm
            arm()
        series = interleaved(arms, plan.pairs, "s", "first_audio")
    whole, sentence = series["piper.http_server, whole"], series["bare engine, first sentence"]
    claims = []
    for name in FORMATS:
        first = series[f"service, {name} stream, first audio"]
        claims.append(ratio(f"{name}: first audio / piper.http_server's whole", first, whole, at_most(SHARE)))
    for name in FORMATS:
        first = series[f"service, {name} stream, first audio"]
        claims.append(ratio(f"{name}: first audio / bare engine's first sentence", first, sentence))
    for name in FORMATS:
        total = series[f"service, {name} stream, whole"]
        claims.append(ratio(f"{name}: whole / piper.http_server's whole", total, whole))
    return Findings(series, claims)


ROW = Row(
    "first_audio",
    "First audio of a ten-sentence paragraph within 1/8 of the time piper.http_server takes for all of it",
    measure,
)
