"""Calls to the partner: payments, receipts and texts about products."""

import requests
from shop_data.settings import PARTNER_URL

SECONDS = 30


def pay(order):
    """Have the total of an order paid."""
    _post("/payments", order)


def send_receipt(order):
    """Have a receipt sent for an order."""
    _post("/receipts", order)


def words_about(name):
    """A text about a product, in the pieces in which it arrives."""
    address = f"{PARTNER_URL}/texts"
    with requests.get(address, {"product": name}, stream=True, timeout=SECONDS) as response:
        response.raise_for_status()
        yield from response.iter_content(chunk_size=None)


def _post(path, order):
    body = {"order": order.id, "total": order.total}
    requests.post(PARTNER_URL + path, json=body, timeout=SECONDS).raise_for_status()
