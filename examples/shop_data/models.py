"""The tables of the shops."""

from sqlalchemy import ForeignKey, Numeric, String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

PRODUCTS, CUSTOMERS = 500, 1_000


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "store_product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    price: Mapped[float] = mapped_column(Numeric(10, 2, asdecimal=False))
    stock: Mapped[int]


class Customer(Base):
    __tablename__ = "store_customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(40), unique=True)


class Order(Base):
    __tablename__ = "store_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("store_customer.id"))
    total: Mapped[float] = mapped_column(Numeric(10, 2, asdecimal=False))
    paid: Mapped[bool] = mapped_column(default=False)
    lines: Mapped[list["OrderLine"]] = relationship()


class OrderLine(Base):
    __tablename__ = "store_order_line"
    order_id: Mapped[int] = mapped_column(ForeignKey("store_order.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("store_product.id"), primary_key=True)
    quantity: Mapped[int]


def fill(session):
    """Add products and customers to the empty tables; filled tables stay as they are."""
    if session.scalar(select(func.count(Product.id))):
        return
    numbers = range(1, PRODUCTS + 1)
    session.add_all(
        Product(name=f"product {n}", price=n % 90 + 0.99, stock=1_000_000) for n in numbers
    )
    session.add_all(Customer(token=f"customer-{n}") for n in range(1, CUSTOMERS + 1))
    session.commit()
