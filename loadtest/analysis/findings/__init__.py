"""Findings: each rule looks at one thing in the runs of a pool."""
