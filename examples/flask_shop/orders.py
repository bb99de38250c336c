"""What the shop does with its tables. No function commits; the caller decides when."""

from shop_data.models import Customer, Order, OrderLine, Product
from sqlalchemy import select, update

from flask_shop.db import Session


class SoldOut(Exception):
    """The stock of a product is too small, or there is no such product."""


def page_of_products(number, size=20):
    """The products of one page, numbered from 1."""
    chosen = select(Product).order_by(Product.id).offset((number - 1) * size).limit(size)
    return Session.scalars(chosen).all()


def customer_with(token):
    """The customer with a token, None if there is none."""
    return Session.scalar(select(Customer).where(Customer.token == token))


def place_order(customer, quantities):
    """Take products from the stock, {product id: quantity}, and add an order. Raises SoldOut."""
    order = Order(customer_id=customer.id, total=0)
    # In the order of their ids, so that no two orders wait for each other's rows.
    for product_id, quantity in sorted(quantities.items()):
        order.total += _take(product_id, quantity)
        order.lines.append(OrderLine(product_id=product_id, quantity=quantity))
    Session.add(order)
    Session.flush()
    return order


def _take(product_id, quantity):
    """Take pieces from the stock; their price."""
    enough = update(Product).where(Product.id == product_id, Product.stock >= quantity)
    taken = Session.execute(
        enough.values(stock=Product.stock - quantity),
        execution_options={"synchronize_session": False},
    )
    if not taken.rowcount:
        raise SoldOut
    price = Session.scalar(select(Product.price).where(Product.id == product_id))
    return price * quantity
