"""The failures that real servers provoke, on each of them."""

from tests.database.test_failures import *  # noqa: F403 - the same tests, on other servers
