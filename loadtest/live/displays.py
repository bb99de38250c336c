"""The displays of a run in progress: metrics, the live page and the tab in Locust's UI."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from loadtest.live import page, tab, web
from loadtest.live.comparing.comparison_form import ServedSettings
from loadtest.live.comparing.comparison_pages import add_comparison_pages
from loadtest.live.comparing.page_comparisons import PageComparisons
from loadtest.live.comparing.request_guard import RequestGuard
from loadtest.live.exporter import Exporter
from loadtest.live.points import Points
from loadtest.live.run_pages import report_answer
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig


class Live:
    """Passes each interval of a run to the metrics and, with a web UI, to the live page.

    comparisons: those that the live page has started.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._exporter = Exporter(self.registry)
        self._points: Points | None = None
        self.comparisons = PageComparisons()

    def serve(
        self,
        web_ui: Any,
        base_path: str,
        results: Callable[[], Path],
        settings: Callable[[], ServedSettings],
    ) -> None:
        """Add pages to Locust's web UI, below base_path.

        results: returns the folder of results. settings: returns the settings that comparisons take
        over.
        """
        self._points = Points()
        web.add_routes(web_ui, self.registry)
        guard = RequestGuard(lambda: settings().local)
        page.add_pages(web_ui, self._points, base_path, results, guard)
        show = partial(report_answer, up="../../")
        add_comparison_pages(web_ui, base_path, self.comparisons, settings, show, guard)
        tab.add_tab(web_ui)

    def statistics(self) -> dict[str, Any]:
        """The rows of the tab in the web UI, in the form of Locust's statistics."""
        return tab.statistics(self._points) if self._points else {}

    def begin(self, pool: PoolConfig) -> None:
        """Begin a run with this pool."""
        self._exporter.begin(pool)
        if self._points:
            self._points.begin(pool)

    def add(self, interval: Interval) -> None:
        """Take an interval of any process of the current run."""
        self._exporter.add(interval)
        if self._points:
            self._points.add(interval)

    def end(self, reason: str, report: Callable[[], Path | None]) -> None:
        """End the current run; report: returns the path of its report, None before it exists."""
        self.comparisons.let_start()
        if self._points:
            self._points.end(reason, report)
