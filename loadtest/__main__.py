"""The `loadtest` command, also as `python -m loadtest`."""

import gc
import sys

# A shell's exit code of a program that Ctrl-C ended.
INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C ends it in good order, also while it is still being imported."""
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
