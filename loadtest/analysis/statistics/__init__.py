"""Estimates, percentiles, queueing formulas and interim analyses."""
