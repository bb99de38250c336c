"""The change of an application's throughput by being driven, which records its pool.

The FastAPI shop of examples/ runs twice side by side on a private server: as `loadtest run --app`
starts it, and plain. Eight clients ask for a product, the shortest request of the shop with a
checkout, one request after another. For a second at a time they ask one of the two, in random
order, so that drift and other work of the machine affect both alike. A round has fresh processes.
The interval is a t interval of the logarithms of the ratios over the rounds.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks._length import long_wanted
from benchmarks._recording_cost import CLIENTS, Client
from loadtest.database.private_server import PrivateServer, free_port
from loadtest.experiment.driving.application_environment import own_environment
from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.driving.driven_run import driven
from loadtest.experiment.driving.running_application import prepare, started
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.pool import PoolConfig

EXAMPLES = Path(__file__).parents[1] / "examples"
POOL = PoolConfig(pool_size=CLIENTS, max_overflow=0)
PATH = "/products/7"
TURN_SECONDS, WARM_UP = 1.0, 200
PLAIN, DRIVEN = "plain", "driven"
APPLICATION = "{python} -m uvicorn --port {port} --no-access-log --timeout-keep-alive 75 {module}"


class Length(NamedTuple):
    """The number of rounds, each with new processes, and of the pairs of turns in each."""

    rounds: int
    pairs: int


SHORT, LONG = Length(5, 10), Length(10, 30)


def main(length: Length) -> dict[str, object]:
    """Run it: requests a second of both, and the ratio of driven to plain with its interval."""
    with PrivateServer() as server:
        rounds = [
            _round(DrivenServer(server.url, private=True), n, length) for n in range(length.rounds)
        ]
    logs = np.array([_log_ratio(pairs) for pairs in rounds])
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    return {
        "ratio": float(np.exp(np.mean(logs))),
        "ci95": [float(np.exp(edge)) for edge in interval],
        "of_rounds": [round(float(np.exp(log)), 4) for log in logs],
        "per_second": {
            way: float(np.mean([pair[way] for pairs in rounds for pair in pairs]))
            for way in (PLAIN, DRIVEN)
        },
        "pairs": length.pairs,
    }


def _log_ratio(pairs: list[dict[str, float]]) -> float:
    return float(np.mean([np.log(pair[DRIVEN] / pair[PLAIN]) for pair in pairs]))


def _round(server: DrivenServer, number: int, length: Length) -> list[dict[str, float]]:
    with ExitStack() as stack:
        ports = {way: stack.enter_context(_running(way, server, number)) for way in (PLAIN, DRIVEN)}
        return asyncio.run(_pairs(ports, length.pairs, random.Random(number)))


@contextmanager
def _running(way: str, server: DrivenServer, seed: int) -> Iterator[int]:
    """The shop under way, plain or driven; its port."""
    port = free_port()
    application = _application(port, seed)
    with (
        driven(application, POOL, server, "shop") if way == DRIVEN else _plain(application, server)
    ):
        yield port


@contextmanager
def _plain(application: DrivenApplication, server: DrivenServer) -> Iterator[None]:
    own = own_environment(application, server.url, private=server.private)
    prepare(application, own, None)
    with ControlFolder() as control, started(application, own, None, control):
        yield


def _application(port: int, seed: int) -> DrivenApplication:
    """The shop; seed: chance decides in part how fast a process is, so rounds differ in it."""
    command = APPLICATION.format(python=sys.executable, port=port, module="fastapi_shop.app:app")
    return DrivenApplication(
        command=command,
        ready=f"http://127.0.0.1:{port}/health",
        prepare=f"{sys.executable} -m fastapi_shop",
        cwd=EXAMPLES,
        env={
            "DATABASE_URL": "{database_url:mysql+aiomysql}",
            "DATABASE_POOL_SIZE": str(CLIENTS),
            "DATABASE_MAX_OVERFLOW": "0",
            "PYTHONHASHSEED": str(seed),
        },
    )


async def _pairs(
    ports: dict[str, int], number: int, chance: random.Random
) -> list[dict[str, float]]:
    """The requests a second of both ways in some pairs of turns."""
    clients = {way: await _connected(port) for way, port in ports.items()}
    for of_way in clients.values():
        await asyncio.gather(*(client.get(PATH, WARM_UP) for client in of_way))
    order = [chance.sample(sorted(clients), 2) for _ in range(number)]
    return [{way: await _turn(clients[way]) for way in pair} for pair in order]


async def _connected(port: int) -> list[Client]:
    return [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CLIENTS)]


async def _turn(clients: list[Client]) -> float:
    """The requests a second of all clients together, until the last has its answer."""
    began = time.perf_counter()
    counts = await asyncio.gather(*(_requests(client, began + TURN_SECONDS) for client in clients))
    return sum(counts) / (time.perf_counter() - began)


async def _requests(client: Client, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        await client.get(PATH)
        count += 1
    return count


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.getcwd()
    print(json.dumps(main(LONG if long_wanted(13) else SHORT)))
