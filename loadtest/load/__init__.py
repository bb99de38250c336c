"""The Locust side: users that request connections, and the plugin that measures them."""

from loadtest.load import plugin, response_times
from loadtest.load.users.pool_user import PoolUser

__all__ = ["PoolUser", "plugin", "response_times"]
