"""The `loadtest` command, also as `python -m loadtest`."""

import sys

# As a shell has it of a program that Ctrl-C ended.
INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C while it is still being imported ends it like any other."""
    try:
        from loadtest.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
