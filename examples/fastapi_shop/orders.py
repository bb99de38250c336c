"""What the shop does with its tables. No function commits; the caller decides when."""

from shop_data.models import Customer, Order, OrderLine, Product
from sqlalchemy import select, update


class SoldOut(Exception):
    """The stock of a product is too small, or there is no such product."""


async def page_of_products(session, number, size=20):
    """The products of one page, numbered from 1."""
    chosen = select(Product).order_by(Product.id).offset((number - 1) * size).limit(size)
    return (await session.scalars(chosen)).all()


async def customer_with(session, token):
    """The customer with a token, None if there is none."""
    return await session.scalar(select(Customer).where(Customer.token == token))


async def place_order(session, customer, quantities):
    """Take products from the stock, {product id: quantity}, and add an order. Raises SoldOut."""
    order = Order(customer_id=customer.id, total=0)
    # In the order of their ids, so that no two orders wait for each other's rows.
    for product_id, quantity in sorted(quantities.items()):
        order.total += await _take(session, product_id, quantity)
        order.lines.append(OrderLine(product_id=product_id, quantity=quantity))
    session.add(order)
    await session.flush()
    return order


async def _take(session, product_id, quantity):
    """Take pieces from the stock; their price."""
    enough = update(Product).where(Product.id == product_id, Product.stock >= quantity)
    taken = await session.execute(
        enough.values(stock=Product.stock - quantity),
        execution_options={"synchronize_session": False},
    )
    if not taken.rowcount:
        raise SoldOut
    price = await session.scalar(select(Product.price).where(Product.id == product_id))
    return price * quantity
