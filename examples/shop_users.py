"""Visitors of a shop; both web shops have the same routes."""

from locust import HttpUser, between, task

import random

from shop_data.models import CUSTOMERS, PRODUCTS


class Visitor(HttpUser):
    host = "http://127.0.0.1:8000"
    wait_time = between(0.5, 1.5)

    def on_start(self):
        self.client.headers["X-Token"] = f"customer-{random.randint(1, CUSTOMERS)}"

    @task(5)
    def list_products(self):
        self.client.get(f"/products?page={random.randint(1, 20)}", name="/products")

    @task(5)
    def look_at_product(self):
        self.client.get(f"/products/{self.some_product()}", name="/products/{product_id}")

    @task(1)
    def read_text(self):
        path = f"/products/{self.some_product()}/text"
        self.client.get(path, name="/products/{product_id}/text")

    @task(2)
    def order(self):
        quantities = {self.some_product(): 1, self.some_product(): 2}
        self.client.post("/orders", json={"quantities": quantities})

    def some_product(self):
        return random.randint(1, PRODUCTS)
