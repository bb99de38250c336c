"""A helper opens a session of its own while its caller's session holds a connection."""

from flask import Blueprint
from shop_data.models import Product

from flask_shop.db import Session
from flask_shop.routes import described

routes = Blueprint("nested_checkout", __name__)


@routes.get("/products/<int:product_id>")
def product_detail(product_id):
    product = Session.get_one(Product, product_id)
    return described(product) | {"next": name_of(product_id + 1)}


def name_of(product_id):
    with Session.session_factory() as session:
        product = session.get(Product, product_id)
    return product.name if product else None
