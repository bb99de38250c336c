"""Starts an application behind HTTP for each run, and stops it."""
