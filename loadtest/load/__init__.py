"""Who asks for connections: Locust users, and the plugin that measures what they do."""

from loadtest.load import plugin, response_times
from loadtest.load.users.pool_user import PoolUser

__all__ = ["PoolUser", "plugin", "response_times"]
