"""Whether the event loop answers while the engine has all the cores."""

from collections.abc import Sequence
from itertools import chain

from prometheus_client.parser import text_string_to_metric_families

from bench import statistics
from bench.crowd import Crowd
from bench.pairs import Plan, Row, interleaved
from bench.prober import Prober, Probes
from bench.results import Claim, Findings, at_most
from bench.servers import Server, piper_server, service
from bench.texts import PARAGRAPH, SENTENCES

LIMIT_SECONDS = 0.02
SHARE = 0.99
CLIENTS = 8
METRIC = "process_event_loop_lag_seconds"

Buckets = list[tuple[float, float]]
"""Upper edges in seconds with cumulative counts."""


def _buckets(server: Server) -> Buckets:
    _, text = server.get("/metrics")
    return [
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{METRIC}_bucket"
    ]


def _difference(after: Buckets, before: Buckets) -> Buckets:
    return [(edge, late - early) for (edge, late), (_, early) in zip(after, before, strict=True)]


def _lag(rounds: Sequence[Buckets]) -> float:
    """p99 over all rounds, in seconds."""
    pooled = [(same[0][0], sum(count for _, count in same)) for same in zip(*rounds, strict=True)]
    return statistics.histogram_quantile(SHARE, pooled)


def _p99(rounds: Sequence[Sequence[float]]) -> float:
    return statistics.quantile(list(chain.from_iterable(rounds)), SHARE)


def measure(plan: Plan) -> Findings:
    text = SENTENCES[0] if plan.reduced else PARAGRAPH
    lags: list[Buckets] = []
    probes: dict[str, list[Probes]] = {}

    with (
        service() as ours,
        piper_server() as peer,
        Crowd(ours, CLIENTS) as crowd,
        Crowd(peer, CLIENTS) as others,
    ):

        def probed(server: Server, clients: Crowd, *, stream: bool) -> dict[str, float]:
            with Prober(server) as prober:
                clients.rate([text], plan.slice_seconds, stream=stream)
            found = prober.result
            probes.setdefault(server.name, []).append(found)
            return {
                f"{server.name}, {server.cheap_path} p99": _p99([found.latencies]),
                f"{server.name}, prober woken late p99": _p99([found.wake_ups]),
            }

        def our_arm() -> dict[str, float]:
            before = _buckets(ours)
            figures = probed(ours, crowd, stream=True)
            lags.append(_difference(_buckets(ours), before))
            return figures | {"service, loop lag p99": _lag(lags[-1:])}

        def peer_arm() -> dict[str, float]:
            return probed(peer, others, stream=False)

        crowd.once(text, stream=True)  # warm
        others.once(text)
        series = interleaved([our_arm, peer_arm], plan.pairs, "s", "loop_lag")

    def probe_claim(server: Server) -> Claim:
        rounds = [each.latencies for each in probes[server.name]]
        name = f"{server.name}: {server.cheap_path} from outside, p99"
        return Claim(name, _p99(rounds), statistics.bound(rounds, _p99, upper=True), "s")

    lag = Claim(
        "service: loop lag p99",
        _lag(lags),
        statistics.bound(lags, _lag, upper=True),
        "s",
        at_most(LIMIT_SECONDS),
    )
    return Findings(series, [lag, probe_claim(ours), probe_claim(peer)])


ROW = Row(
    "loop_lag",
    f"Event-loop lag p99 (over all rounds) while {CLIENTS} clients stream paragraphs in a closed loop: "
    "at most 20 ms; beside it what a prober in a process of its own sees every 20 ms",
    measure,
    slice_seconds=20.0,
)
