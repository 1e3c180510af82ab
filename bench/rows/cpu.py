"""What a second of speech costs in CPU time, everything switched on."""

from time import sleep

from bench.audio import spoken_seconds, wav_samples
from bench.client import Client
from bench.engine import Engine
from bench.pairs import Arm, Plan, Row, interleaved
from bench.results import Findings, at_most, ratio
from bench.servers import Server, piper_server, service
from bench.texts import PARAGRAPH

LIMIT = 1.05
SETTLE_SECONDS = 0.1
"""ONNX Runtime's threads spin for a while after a call; what they burn belongs to it."""


def measure(plan: Plan) -> Findings:
    with (
        service() as ours,
        service({"telemetry": {"enabled": False}}) as quiet,
        piper_server() as peer,
        Engine() as engine,
        Client(ours) as our_client,
        Client(quiet) as quiet_client,
        Client(peer) as peer_client,
    ):

        def of(server: Server, client: Client, name: str) -> Arm:
            def arm() -> dict[str, float]:
                before = server.cpu_seconds
                spoken = client.speak(PARAGRAPH)
                sleep(SETTLE_SECONDS)
                used = server.cpu_seconds - before
                return {name: used / spoken_seconds(*wav_samples(spoken.audio))}

            return arm

        def engine_arm() -> dict[str, float]:
            before = engine.cpu_seconds
            engine.speak(PARAGRAPH)
            sleep(SETTLE_SECONDS)
            used = engine.cpu_seconds - before
            return {"bare engine": used / engine.speech_seconds()}

        arms = [
            of(ours, our_client, "service"),
            engine_arm,
            of(quiet, quiet_client, "service, telemetry.enabled=false"),
            of(peer, peer_client, "piper.http_server"),
        ]
        for each in arms:  # warm
            each()
        series = interleaved(arms, plan.pairs, "CPU s/audio s", "cpu")
    service_series = series["service"]
    return Findings(
        series,
        [
            ratio("service / bare engine", service_series, series["bare engine"], at_most(LIMIT)),
            ratio(
                "service / service without telemetry",
                service_series,
                series["service, telemetry.enabled=false"],
            ),
            ratio("service / piper.http_server", service_series, series["piper.http_server"]),
        ],
    )


ROW = Row(
    "cpu",
    "CPU seconds for a second of speech (inserted pauses not counted), telemetry and logs on: "
    "at most 1.05 of the bare engine's",
    measure,
)
