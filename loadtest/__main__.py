"""The `loadtest` command, also as `python -m loadtest`."""

import sys

# The exit code that shells use after Ctrl-C.
INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C ends it cleanly, even during the import."""
    try:
        from loadtest.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
