"""Customers of the example shop; the tasks call the shop's functions, which use its sessions."""

from locust import between, task

from shop import orders

from loadtest.load import PoolUser


class Customer(PoolUser):
    wait_time = between(0.05, 0.15)

    @task(2)
    def look(self):
        with self.session("look"):
            orders.newest(10)

    @task
    def buy(self):
        with self.session("buy"):
            orders.buy(self.random.randint(1, 100))
