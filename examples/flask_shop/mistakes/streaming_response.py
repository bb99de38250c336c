"""A streamed response reads the product as it begins; its session is open until the last piece."""

from flask import Blueprint, Response, stream_with_context
from shop_data.models import Product

from flask_shop import partner
from flask_shop.db import Session
from flask_shop.routes import existing

routes = Blueprint("streaming_response", __name__)


@routes.get("/products/<int:product_id>/text")
def product_text(product_id):
    existing(product_id)
    return Response(pieces(product_id), mimetype="text/plain")


@stream_with_context
def pieces(product_id):
    product = Session.get_one(Product, product_id)
    yield from partner.words_about(product.name)
