"""Experiments that drive several applications."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool

THREADS = {
    "name": "threads",
    "command": "gunicorn --threads 16 shop.web:app",
    "ready": "http://127.0.0.1:8800/health",
}
LOOP = {
    "name": "loop",
    "command": "uvicorn shop.aweb:app",
    "ready": "http://127.0.0.1:8801/health",
}


def two_applications(*pools: str, **more: Any) -> Experiment:
    """An experiment with these pools in two applications, in two rounds."""
    given = {
        "name": "shop",
        "scenario": Path("visitors.py"),
        "rounds": 2,
        "application": [THREADS, LOOP],
        "load": LoadConfig(users=50, duration=4, warmup=1),
        "pool": [parse_pool(pool) for pool in pools],
    }
    return validated(Experiment, {**given, **more}, "here")
