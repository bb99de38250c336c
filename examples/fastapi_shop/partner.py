"""Calls to the partner: payments, receipts and texts about products."""

import httpx
from shop_data.settings import PARTNER_URL

# Without limits: a request that waits here would not wait for a connection of the database.
client = httpx.AsyncClient(base_url=PARTNER_URL, timeout=30, limits=httpx.Limits())


async def pay(order):
    """Have the total of an order paid."""
    await _post("/payments", order)


async def send_receipt(order):
    """Have a receipt sent for an order."""
    await _post("/receipts", order)


async def words_about(name):
    """A text about a product, in the pieces in which it arrives."""
    async with client.stream("GET", "/texts", params={"product": name}) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            yield piece


async def _post(path, order):
    body = {"order": order.id, "total": order.total}
    response = await client.post(path, json=body)
    response.raise_for_status()
