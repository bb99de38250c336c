"""The two lengths of some benchmarks: short for `make bench`, and `--long`."""

import argparse

LONG = "--long"


def long_wanted(minutes: int) -> bool:
    """Whether the command line asks for the long form, which takes about this many minutes."""
    parser = argparse.ArgumentParser()
    parser.add_argument(LONG, action="store_true", help=f"the longer form, about {minutes} minutes")
    return bool(parser.parse_args().long)
