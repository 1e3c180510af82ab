"""Requests a second, from one client to eight."""

from bench.crowd import Crowd, clients_named
from bench.pairs import Arm, Plan, Row, interleaved
from bench.results import Claim, Findings, Series, at_least, ratio
from bench.servers import Server, piper_server, service
from bench.texts import SENTENCES

AHEAD = {1: 1.0, 2: 1.2, 4: 1.1, 8: 1.0}
"""Clients, and how far ahead of piper.http_server we are to be."""


def measure(plan: Plan) -> Findings:
    series: dict[str, Series] = {}
    claims: list[Claim] = []
    with service() as ours, piper_server() as peer:
        for clients in (1, 2) if plan.reduced else AHEAD:
            with Crowd(ours, clients) as our_crowd, Crowd(peer, clients) as peer_crowd:

                def arm(server: Server, crowd: Crowd, clients: int = clients) -> Arm:
                    name = f"{server.name}, {clients_named(clients)}"
                    return lambda: {name: crowd.rate(SENTENCES, plan.slice_seconds)}

                arms = [arm(ours, our_crowd), arm(peer, peer_crowd)]
                for crowd in (our_crowd, peer_crowd):  # warm
                    crowd.rate(SENTENCES, plan.slice_seconds / 2)
                series |= interleaved(arms, plan.pairs, "requests/s", f"throughput, {clients_named(clients)}")
            our_rate, peer_rate = (
                series[f"{server.name}, {clients_named(clients)}"] for server in (ours, peer)
            )
            name = f"{clients_named(clients)}: service / piper.http_server"
            claims.append(ratio(name, our_rate, peer_rate, at_least(AHEAD[clients])))
    return Findings(series, claims)


ROW = Row(
    "throughput",
    "Requests a second with one sentence, whole WAV: ahead of piper.http_server at 1, 2, 4 and 8 closed-loop "
    "clients, by 1.2 at 2 and 1.1 at 4",
    measure,
)
