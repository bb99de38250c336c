"""The example application that the demo drives: a flash sale in a web shop."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec

from loadtest.database.private_server import free_port
from loadtest.experiment.bundled_scenarios import examples_folder
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment, read_experiment

_PACKAGES = ("fastapi", "uvicorn", "aiomysql", "httpx")


def example_experiment() -> Experiment:
    """The flash sale through the FastAPI shop, started by this Python on a free port.

    Raises UsageError if packages of the shop are missing.
    """
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise UsageError(
            f"the example application needs {', '.join(missing)}; try: "
            "pip install 'pool-loadtest[examples]'"
        )
    plan = read_experiment(examples_folder() / "flash_sale.toml")
    (shop,) = plan.application
    return plan.model_copy(update={"application": (_started_here(shop, free_port()),)})


def _started_here(shop: DrivenApplication, port: int) -> DrivenApplication:
    """The same on another port; `python` is this one, whatever is on PATH."""
    at_port = {"command": shop.command, "ready": shop.ready, "prepare": shop.prepare}
    changed = {key: text.replace(str(shop.port), str(port)) for key, text in at_port.items()}
    for key in ("command", "prepare"):
        changed[key] = changed[key].replace("python", shlex.quote(sys.executable), 1)
    return shop.model_copy(update=changed)
