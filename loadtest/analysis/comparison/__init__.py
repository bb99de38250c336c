"""Pools against one another: comparisons, objectives, the verdict and its sentences."""
