"""A background task reads with a session, then waits for another service before it closes it."""

from flask import Blueprint
from shop_data.models import Order

from flask_shop import partner
from flask_shop.background import run_later
from flask_shop.db import Session
from flask_shop.routes import paid_order, summary

routes = Blueprint("background_task", __name__)


@routes.post("/orders")
def order():
    placed = paid_order()
    run_later(send_receipt, placed.id)
    return summary(placed), 201


def send_receipt(order_id):
    with Session() as session:
        placed = session.get_one(Order, order_id)
        partner.send_receipt(placed)
