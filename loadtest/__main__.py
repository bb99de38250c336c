"""The `loadtest` command, also as `python -m loadtest`."""

import sys
from collections.abc import Callable

from loadtest.model.garbage import rare_collections

# The exit code that shells use after Ctrl-C.
INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C ends it cleanly, even during the import."""
    try:
        with rare_collections():
            if sys.argv[1:2] == ["record"]:
                from loadtest.recording.launcher import main as launch

                sys.exit(launch(sys.argv[2:]))
            _command()()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _command() -> Callable[[], None]:
    """The command, which needs the packages of load tests; a recording does without them."""
    try:
        from loadtest.cli.main import main as run
    except ModuleNotFoundError as error:
        sys.exit(f"loadtest needs {error.name}; try: pip install 'pool-loadtest[load]'")
    return run


if __name__ == "__main__":
    main()
