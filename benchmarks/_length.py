"""Some benchmarks have two lengths: a short one for `make bench`, and `--long`."""

import argparse

LONG = "--long"


def long_wanted(minutes: int) -> bool:
    """Whether the command line asks for the long form, which takes about so many minutes."""
    parser = argparse.ArgumentParser()
    parser.add_argument(LONG, action="store_true", help=f"the longer form, about {minutes} minutes")
    return bool(parser.parse_args().long)
