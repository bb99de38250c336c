"""The failures that real servers provoke, on each of them."""

import pytest

from tests.database.test_failures import *  # noqa: F403 - the same tests, on other servers

pytestmark = [pytest.mark.database, pytest.mark.each_server]
