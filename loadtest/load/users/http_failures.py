"""The status of an answer, and the kind of a failed request of HTTP."""

from __future__ import annotations

from typing import Any

from loadtest.database.failure_kinds import kind_of

# In the place of a status code.
NO_ANSWER = "none"
# The module of the client behind FastHttpUser, of which not every error is an OSError.
_FAST_CLIENT = "geventhttpclient"


def status_of(response: Any) -> str:
    """The status code of an answer, NO_ANSWER without one, empty for another protocol than HTTP."""
    code = getattr(response, "status_code", None)
    if code is None:
        return ""
    return str(code) if code else NO_ANSWER


def failure_kind(response: Any, error: BaseException) -> str:
    """The kind of a failure, one of ERROR_KINDS; of other protocols, that of the error itself."""
    status = status_of(response)
    if not status:
        return kind_of(error)
    if _is_timeout(error):
        return "http_timeout"
    if status == NO_ANSWER:
        return "http_no_answer"
    if status[0] in "45":
        return f"http_{status[0]}xx"
    return "http_no_answer" if _breaks_off(error) else "http_check"


def _is_timeout(error: BaseException) -> bool:
    """Whether a client gave up, which gevent, requests and urllib3 each report by a class."""
    return any("Timeout" in cls.__name__ for cls in type(error).__mro__)


def _breaks_off(error: BaseException) -> bool:
    """Whether an answer ended before it was complete."""
    return isinstance(error, OSError) or type(error).__module__.startswith(_FAST_CLIENT)
