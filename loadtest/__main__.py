"""The `loadtest` command, also as `python -m loadtest`."""

import gc
import sys
from collections.abc import Callable

# The exit code that shells use after Ctrl-C.
INTERRUPTED = 130
# The number of new objects after which Python looks for garbage. Imports make many objects and no
# garbage; with Python's 700, looking for it takes an eighth of the start and of a report.
OBJECTS_PER_COLLECTION = 100_000


def main() -> None:
    """Run the command; Ctrl-C ends it cleanly, even during the import."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_PER_COLLECTION, *usual[1:])
    try:
        if sys.argv[1:2] == ["record"]:
            from loadtest.recording.launcher import main as launch

            sys.exit(launch(sys.argv[2:]))
        _command()()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        gc.set_threshold(*usual)


def _command() -> Callable[[], None]:
    """The command, which needs the packages of load tests; a recording does without them."""
    try:
        from loadtest.cli.main import main as run
    except ModuleNotFoundError as error:
        sys.exit(f"loadtest needs {error.name}; try: pip install 'pool-loadtest[load]'")
    return run


if __name__ == "__main__":
    main()
