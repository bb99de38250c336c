"""The advice for an application whose driver, PyMySQL, builds a TLS context per connection.

The lines of code work when they are pasted.
"""

from __future__ import annotations

# With a context of its own, a connection to a server without TLS fails (error 2026).
SWITCH_TLS_OFF = (
    'switch TLS off in the application: create_engine(url, connect_args={"ssl_disabled": True})'
)
SHARE_TLS_CONTEXT = (
    "share one context in the application: import ssl; context = ssl.create_default_context(); "
    "context.check_hostname = False; context.verify_mode = ssl.CERT_NONE; "
    'create_engine(url, connect_args={"ssl": context}) (this accepts any certificate, as PyMySQL '
    "does by default; to verify the server's, use ssl.create_default_context(cafile=FILE) alone)"
)
