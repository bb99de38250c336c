"""PyMySQL under the name of a driver that is written in C, and which waits as such a one does."""

from __future__ import annotations

import types
from typing import Any

import pymysql
from gevent import monkey


class _InC(pymysql.connections.Connection):
    __module__ = "MySQLdb.connections"

    def query(self, sql: str, unbuffered: bool = False) -> Any:
        if "SLEEP" in sql:
            monkey.get_original("time", "sleep")(0.2)
            sql = "SELECT 0"
        return super().query(sql, unbuffered)


MySQLdb = types.ModuleType("MySQLdb")
_own = {name: value for name, value in vars(pymysql).items() if not name.startswith("__")}
vars(MySQLdb).update(_own, connect=_InC)
