"""The cost of 10,000 users on a pool of 20 in one process: starting, keeping and running them."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import work
from loadtest.analysis.summarize import summarize_runs
from loadtest.database.private_server import PrivateServer
from loadtest.database.supervisor import die_with_parent
from loadtest.runfile.reader import read_run

USERS = "10000"
COMMAND = [
    *("-m", "locust", "--headless", "--only-summary", "-f", "benchmarks/_many_users.py"),
    *("-u", USERS, "-r", USERS, "-t", "40s", "--warmup", "20s"),
    *("--pool-size", "20", "--max-overflow", "0"),
]


def main() -> dict[str, object]:
    """Run it: time to spawn, memory per user, and the event-loop lag afterwards."""
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        work.prepare(server.url)
        results, output = Path(folder) / "run.jsonl", Path(folder) / "spawned.json"
        environment = {
            **os.environ,
            "LOADTEST_DATABASE_URL": server.url.render_as_string(hide_password=False),
            "BENCHMARK_OUTPUT": str(output),
            "PYTHONPATH": os.getcwd(),
        }
        command = [sys.executable, *COMMAND, "--results", str(results)]
        subprocess.run(
            command, env=environment, capture_output=True, check=True, preexec_fn=die_with_parent
        )
        pool = summarize_runs([read_run(results)]).pools[0]
        return json.loads(output.read_text()) | {
            "per_second": pool.throughput.per_second,
            "lag_p99_seconds": pool.generator.lag_p99_seconds,
            "cpu": pool.generator.cpu,
            "wait_p99_seconds": pool.checkout.wait_seconds.p99,
        }


if __name__ == "__main__":
    print(json.dumps(main()))
