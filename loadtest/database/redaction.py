"""Removes passwords from texts of drivers and applications.

A password is hidden where the text marks it as one: in a URL, or as the value of a name like
`password`. Elsewhere it is hidden only if it cannot be an ordinary word of the text, because a
hidden word in a known sentence would reveal the password.
"""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus

from sqlalchemy import URL

HIDDEN = "***"
# The ports of servers whose URL names none.
DEFAULT_PORTS = {"mysql": 3306, "mariadb": 3306, "postgresql": 5432}
# A password with this many characters cannot be a word; a password of letters alone needs more.
ODD, ODD_LETTERS = 6, 12
_QUOTED = r"""[bu]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_NAME = r"(?:pass(?:word|wd|phrase)?|pwd)"
_ADDRESSES = (
    (re.compile(r"(://[^\s:@/]*:)\S*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(%3A%2F%2F\S*?%3A)\S*%40", re.IGNORECASE), rf"\1{HIDDEN}%40"),
    # Without %40 for @, the end of a password becomes the beginning of the host.
    (re.compile(r"((?:server on|server host) ')[^']*@"), rf"\1{HIDDEN}@"),
)
_VALUES = (
    (re.compile(rf"({_NAME}['\"]?(?:\s*[=:]\s*|\s+)){_QUOTED}", re.IGNORECASE), rf"\1'{HIDDEN}'"),
    (re.compile(rf"({_NAME}\s*=\s*)[^\s&'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)


def without_passwords(text: str, url: URL | None = None) -> str:
    """The text with *** in place of passwords; url: the database URL with the known password."""
    if url and url.password:
        text = _without(str(url.password), text, url)
    for pattern, replacement in (*_ADDRESSES, *_VALUES):
        text = pattern.sub(replacement, text)
    return text


def host_and_port(url: URL) -> str:
    """The address of a server, without the end of a password that contains @."""
    port = url.port or DEFAULT_PORTS.get(url.get_backend_name(), 3306)
    return f"{(url.host or 'localhost').rpartition('@')[2]}:{port}"


def words_with_type(error: BaseException) -> str:
    """The type and the message of an exception, without passwords."""
    return without_passwords(f"{type(error).__name__}: {error}")


def _without(password: str, text: str, url: URL) -> str:
    forms = sorted(_forms(password), key=len, reverse=True)
    for form in forms:
        text = text.replace(f":{form}@", f":{HIDDEN}@")
        if _odd(password, url):
            text = text.replace(form, HIDDEN)
    return text


def _forms(password: str) -> set[str]:
    """The spellings of a password: plain, in a URL, in a form, in a Python literal."""
    encoded = {quote(password, safe, errors="replace") for safe in ("", " +", "/")}
    return {password, *encoded, quote_plus(password, errors="replace"), repr(password)[1:-1]}


def _odd(password: str, url: URL) -> bool:
    known = (url.username, url.host, url.database)
    least = ODD_LETTERS if password.isalpha() else ODD
    return len(password) >= least and password not in known
