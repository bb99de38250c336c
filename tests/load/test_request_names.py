"""Equal names of requests in different scenarios: told apart; all other names stay."""

from __future__ import annotations

from locust import TaskSet, task

from typing import ClassVar

from loadtest.load import PoolUser
from loadtest.load.users.request_names import request_names


def greet(user: PoolUser) -> None:
    with user.session("greet"):
        pass


class Shop(PoolUser):
    tasks: ClassVar = [greet]

    @task
    def buy(self) -> None:
        with self.session("buy"), self.session(name="pay"):
            pass

    @task
    class Browsing(TaskSet):
        @task
        def look(self) -> None:
            with self.user.session("look"):
                pass


class Sale(Shop):
    """Inherits the tasks of a shop."""


class Rival(PoolUser):
    tasks: ClassVar = [greet]

    @task
    def buy(self) -> None:
        with self.session("buy") as session:
            session.execute("look")  # type: ignore[call-overload]
        for number in range(2):
            with self.session(f"pay {number}"):
                pass


def test_the_scenarios_name_is_added_where_two_scenarios_have_a_name() -> None:
    assert request_names([Shop, Rival]) == {
        Shop: {"buy": "Shop: buy"},
        Rival: {"buy": "Rival: buy"},
    }


def test_the_same_task_of_two_scenarios_keeps_its_name() -> None:
    assert request_names([Shop, Sale]) == {Shop: {}, Sale: {}}
    assert request_names([Rival]) == {Rival: {}}


def test_a_scenario_without_a_source_keeps_its_names() -> None:
    made = type("Made", (PoolUser,), {"buy": lambda self: self.session("buy")})
    assert request_names([Shop, made]) == {Shop: {}, made: {}}
