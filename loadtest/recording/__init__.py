"""Records the pools of a running application: the instrument, and the files it writes."""

from loadtest.recording.process_recorder import record

__all__ = ["record"]
