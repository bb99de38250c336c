"""Runs experiments: one run in a fresh Locust process, and rounds of runs."""
