"""Comparisons that the live page starts: the form, the child process, and its state."""
