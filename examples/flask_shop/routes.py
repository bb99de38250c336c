"""The routes of the shop."""

from flask import Blueprint, Response, abort, request
from shop_data.models import Product
from sqlalchemy import text

from flask_shop import orders, partner
from flask_shop.background import run_later
from flask_shop.db import Session

routes = Blueprint("shop", __name__)


@routes.get("/health")
def health():
    Session.execute(text("SELECT 1"))
    return {"status": "ok"}


@routes.get("/products")
def products():
    found = orders.page_of_products(max(1, request.args.get("page", 1, int)))
    return [{"id": product.id, "name": product.name} for product in found]


@routes.get("/products/<int:product_id>")
def product_detail(product_id):
    return described(existing(product_id))


@routes.get("/products/<int:product_id>/text")
def product_text(product_id):
    product = existing(product_id)
    Session.remove()
    return Response(partner.words_about(product.name), mimetype="text/plain")


@routes.post("/orders")
def order():
    placed = paid_order()
    run_later(partner.send_receipt, placed)
    return summary(placed), 201


def paid_order():
    """A new order of what the request names, paid while no connection is held."""
    placed = place_order(get_customer())
    Session.commit()
    partner.pay(placed)
    mark_paid(placed)
    return placed


def get_customer():
    """The customer whose token the request carries; the answer 401 if there is none."""
    return orders.customer_with(request.headers.get("X-Token")) or abort(401)


def place_order(customer):
    """A new order of what the request names; the answer 409 if a product is sold out."""
    try:
        return orders.place_order(customer, wanted())
    except orders.SoldOut:
        abort(409)


def wanted():
    """The quantities that the request names, by product; the answer 400 if it is no order."""
    body = request.get_json()
    quantities = body.get("quantities") if isinstance(body, dict) else None
    if not quantities or not isinstance(quantities, dict):
        abort(400)
    if not all(key.isdecimal() and isinstance(n, int) and n > 0 for key, n in quantities.items()):
        abort(400)
    return {int(key): n for key, n in quantities.items()}


def mark_paid(placed):
    """Note that an order is paid."""
    placed.paid = True
    Session.commit()


def existing(product_id):
    """A product; the answer 404 if there is none."""
    return Session.get(Product, product_id) or abort(404)


def described(product):
    return {
        "id": product.id,
        "name": product.name,
        "price": product.price,
        "stock": product.stock,
    }


def summary(placed):
    return {"id": placed.id, "total": placed.total, "paid": placed.paid}
