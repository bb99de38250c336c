"""Gives a driven application the pool that the tool asks for, and tells the tool about it."""
