"""Customers of a flash sale: each buys two of a few popular products, as fast as it can."""

from locust import HttpUser, task

import random

ON_SALE = 80


class Buyer(HttpUser):
    host = "http://127.0.0.1:8000"

    @task
    def buy(self):
        clicked = random.sample(range(1, ON_SALE + 1), 2)
        self.client.post("/sales", json={"quantities": dict.fromkeys(clicked, 1)})
