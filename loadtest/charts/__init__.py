"""The charts of the live page and of reports: the library uPlot, and what both draw with it."""

from pathlib import Path

CHART_FOLDER = Path(__file__).parent
