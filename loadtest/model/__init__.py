"""The terms of the tool as pure, strict values: pools, loads, experiments, intervals, summaries."""
