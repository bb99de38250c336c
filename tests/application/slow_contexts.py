"""Makes TLS contexts slow to build, as a machine with many certificates does; import it first."""

import ssl
import time

_build = ssl.create_default_context


def _slowly(*arguments, **named):
    time.sleep(0.1)
    return _build(*arguments, **named)


ssl.create_default_context = _slowly
