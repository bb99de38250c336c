"""Work after the response, in other threads."""

import logging
from concurrent.futures import ThreadPoolExecutor

threads = ThreadPoolExecutor(8)


def run_later(function, *arguments):
    """Call a function after the response."""
    threads.submit(function, *arguments).add_done_callback(_log_failure)


def _log_failure(done):
    if error := done.exception():
        logging.getLogger(__name__).error("work after a response failed", exc_info=error)
