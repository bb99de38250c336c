"""Fault drills: what breaks the server or the network, and when."""
