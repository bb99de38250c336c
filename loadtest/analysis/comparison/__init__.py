"""Comparison of pools: differences, objectives, the verdict and its sentences."""
