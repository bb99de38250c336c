"""Each request makes an engine, so it connects anew and leaves an idle pool behind."""

from flask import Blueprint
from shop_data import settings
from shop_data.models import Product
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from flask_shop.routes import described

routes = Blueprint("engine_per_request", __name__)


@routes.get("/products/<int:product_id>")
def product_detail(product_id):
    engine = create_engine(settings.DATABASE_URL, **settings.pool_arguments())
    with Session(engine) as session:
        product = session.get_one(Product, product_id)
    return described(product)
