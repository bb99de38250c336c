"""The order's transaction, and so its connection and row locks, stays open during the payment."""

from flask import Blueprint

from flask_shop import partner
from flask_shop.routes import get_customer, mark_paid, place_order, summary

routes = Blueprint("held_across_http", __name__)


@routes.post("/orders")
def order():
    placed = place_order(get_customer())
    partner.pay(placed)
    mark_paid(placed)
    return summary(placed), 201
