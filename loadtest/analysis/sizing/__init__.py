"""The search for the smallest pool that is good enough."""
