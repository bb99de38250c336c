"""The trial before a load: each task of a scenario runs once, and its mistakes are reported."""
