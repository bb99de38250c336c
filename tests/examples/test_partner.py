"""The partner of the example applications, as a command."""

from __future__ import annotations

import sys
from pathlib import Path

import requests

from tests.examples.applications import EXAMPLES
from tests.processes import fetch, free_port, running

COMMAND = (sys.executable, "-u", "-m", "shop_data.partner")


def test_it_accepts_payments_and_sends_texts_word_by_word(tmp_path: Path) -> None:
    port = free_port()
    environment = {"PYTHONPATH": str(EXAMPLES), "PARTNER_SECONDS": "0.01"}
    with running(tmp_path / "log", *COMMAND, port, env=environment) as process:
        address = f"http://127.0.0.1:{port}"
        process.until(lambda: fetch(f"{address}/texts"), "the partner")
        paid = requests.post(f"{address}/payments", json={"order": 1, "total": 2.5}, timeout=60)
        assert paid.json() == {"accepted": True}
        with requests.get(f"{address}/texts", stream=True, timeout=60) as answer:
            assert list(answer.iter_content(None)) == [b"a ", b"fine ", b"product"]
