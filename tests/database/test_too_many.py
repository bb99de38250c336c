"""What is said before a run that may open more connections than its server takes."""

import pytest

from loadtest.database.preflight import ServerFacts, too_many


@pytest.mark.parametrize(
    ("variables", "connections", "named"),
    [
        ({"max_connections": "151", "max_user_connections": "0"}, 151, ""),
        ({"max_connections": "151", "max_user_connections": "0"}, 152, "151 (max_connections)"),
        ({"max_connections": "151", "max_user_connections": "20"}, 50, "20 (max_user_connections)"),
        ({}, 9999, ""),
    ],
)
def test_the_lower_limit_is_named_where_it_is_too_low(
    variables: dict[str, str], connections: int, named: str
) -> None:
    said = too_many(ServerFacts("10.11", variables, tls=False), connections)
    assert named in said
    assert bool(said) == bool(named)
