"""The `loadtest` command, also as `python -m loadtest`."""

import gc
import sys

# The exit code that shells use after Ctrl-C.
INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C ends it cleanly, even during the import."""
    gc.disable()  # imports leave no garbage, and looking for it is an eighth of the start
    try:
        from loadtest.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
