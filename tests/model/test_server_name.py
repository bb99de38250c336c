"""How a person names the program of a private server."""

import pytest

from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.server_name import NamedServer, parse_server, server_title
from tests.conftest import ROOT

HOT_ROW = {"name": "x", "scenario": ROOT / "scenarios" / "hot_row.py", "pool": [{}]}


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("mariadb", NamedServer("mariadb", "mariadb")),
        ("mysql", NamedServer("mysql", "mysql")),
        ("/usr/sbin/mysqld", NamedServer("mysqld", "/usr/sbin/mysqld")),
        ("bin/mariadbd", NamedServer("mariadbd", "bin/mariadbd")),
        ("new:/opt/my sql/mysqld", NamedServer("new", "/opt/my sql/mysqld")),
    ],
)
def test_a_server_is_a_kind_or_a_program(text: str, server: NamedServer) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["", "oracle", "mysqld", "new:mysql", "New:/mysqld", "a b:/x/y"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a server; write mariadb, mysql, the path"):
        parse_server(text)


@pytest.mark.parametrize(
    ("version", "title"),
    [
        ("10.11.19-MariaDB-0+deb12u1", "MariaDB 10.11.19"),
        ("11.8.9-MariaDB-0+deb13u1 from Debian", "MariaDB 11.8.9"),
        ("9.7.4-2", "MySQL 9.7.4"),
        ("8.4.6", "MySQL 8.4.6"),
    ],
)
def test_a_version_has_a_title(version: str, title: str) -> None:
    assert server_title(version) == title


def test_an_experiment_has_one_server_or_several() -> None:
    assert Experiment(**HOT_ROW).servers == ("",)
    assert Experiment(**HOT_ROW, server="mysql").servers == ("mysql",)
    several = Experiment(**HOT_ROW, server=["mariadb", "old:/x/mysqld"])
    assert [(one.pool.name, one.server) for one in several.subjects] == [
        ("5+10", "mariadb"),
        ("5+10.old", "old:/x/mysqld"),
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"server": "oracle"}, "'oracle' is not a server"),
        ({"server": ["/a/mysqld", "/b/mysqld"]}, "two servers have the name 'mysqld'"),
        (
            {"server": ["mysql", "mariadb"], "load": {"model": "greenlets,threads"}},
            "compare either several servers or several models of users, not both",
        ),
    ],
)
def test_what_does_not_fit_is_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Experiment(**HOT_ROW).changed("x", **more)
