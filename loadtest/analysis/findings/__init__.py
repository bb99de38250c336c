"""Findings: each rule checks one thing in the runs of a pool."""
