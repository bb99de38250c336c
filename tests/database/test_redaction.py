"""A password is hidden where it stands as one, and words are left alone that only look like it."""

from __future__ import annotations

import json
import os
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import URL

from loadtest.database.failure_kinds import MOST_CHARACTERS, words_of
from loadtest.database.redaction import ODD, without_passwords, words_with_type


def address(password: str) -> URL:
    return URL.create("mysql+pymysql", "app", password, "db.example", 3306, "shop")


def spoken(password: str) -> str:
    return address(password).render_as_string(hide_password=False)


# What drivers and applications say, and what is left of it.
SAID = {
    "cannot parse {url}, is it": "cannot parse mysql+pymysql://app:***@db.example:3306/shop, is it",
    "no answer of {raw} at the port": "no answer of app:***@db.example at the port",
    "connect(host='db', password={literal}, port=1)": "connect(host='db', password='***', port=1)",
    "got {{'user': 'app', 'passwd': {literal}}}": "got {{'user': 'app', 'passwd': '***'}}",
    'got {{"user": "app", "pass": {json}}}': 'got {{"user": "app", "pass": \'***\'}}',
    "argument {bytes_}": "argument password='***'",
    "GET /login?password={form}&port=1 failed": "GET /login?password=***&port=1 failed",
    "MYSQL_PWD={form} mysql failed": "MYSQL_PWD=*** mysql failed",
    "the password {literal} is wrong": "the password '***' is wrong",
    "?next={encoded}&x=1": "?next=mysql%2Bpymysql%3A%2F%2Fapp%3A***%40db.example%3A3306%2Fshop&x=1",
    "Access denied for user 'app' (using password: YES)": "Access denied for user 'app' "
    "(using password: YES)",
    "Unknown database 'p' at host p, error 1": "Unknown database 'p' at host p, error 1",
}


def written(text: str, password: str) -> str:
    """The text with the password in its places."""
    return text.format(
        url=spoken(password),
        raw=f"app:{password}@db.example",
        literal=repr(password),
        json=json.dumps(password),
        bytes_=f"password={os.fsencode(password)!r}",
        form=quote_plus(password),
        encoded=quote(spoken(password), safe=""),
    )


@pytest.mark.parametrize("password", ["p", "h", "1", "app", "shop", "db.example", "YES", "*", "'"])
@pytest.mark.parametrize("text", SAID)
def test_a_short_password_is_hidden_where_it_stands_as_one(text: str, password: str) -> None:
    told = without_passwords(written(text, password), address(password))
    assert told == SAID[text].format()


@given(password=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), min_size=1))
@pytest.mark.parametrize("text", list(SAID)[:-1])
def test_what_is_told_says_nothing_about_the_password(text: str, password: str) -> None:
    assume(len(password) < ODD or password not in SAID[text].format())
    told = without_passwords(written(text, password), address(password))
    assert told == SAID[text].format()


@pytest.mark.parametrize("text", [one for one in SAID if "{raw}" not in one])
def test_a_password_that_is_not_known_is_hidden_too(text: str) -> None:
    assert without_passwords(written(text, "p")) == SAID[text].format()


@pytest.mark.parametrize("password", ["s3cr3t", "s3cr3t/of:n0body@all%", "correcthorsebattery"])
def test_a_password_that_is_no_word_is_hidden_wherever_it_stands(password: str) -> None:
    forms = (password, quote(password, safe=""), repr(password))
    for form in forms:
        told = without_passwords(f"Host h with {form}, or x{form}y", address(password))
        assert told.replace("'", "") == "Host h with ***, or x***y"


@pytest.mark.parametrize("password", ["access", "app", "db.example", "Unknown", "3306"])
def test_a_word_that_is_a_password_too_stays(password: str) -> None:
    text = "Unknown access of app to db.example:3306"
    assert without_passwords(text, address(password)) == text


@pytest.mark.parametrize("password", ["p@ss", "p@", "@p@ss@word"])
def test_an_unknown_password_that_contains_an_at_sign_is_hidden_to_its_end(password: str) -> None:
    told = without_passwords(f"cannot parse mysql://app:{password}@db.example/shop, is it")
    assert told == "cannot parse mysql://app:***@db.example/shop, is it"


def test_the_words_of_an_error_have_no_address_even_if_they_are_cut_off_in_it() -> None:
    error = ValueError(f"{'x' * (MOST_CHARACTERS - 24)} {spoken('hush')}")
    assert words_of(error).endswith("x mysql+pymysql://app:***")
    assert words_with_type(error).endswith("app:***@db.example:3306/shop")
    assert words_with_type(error).startswith("ValueError: xxx")
