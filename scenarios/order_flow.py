"""A small shop with ORM relationships: customers browse, and sometimes they buy."""

from locust import between, task

from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from loadtest.load import PoolUser

PER_CATEGORY = 20


class Base(DeclarativeBase):
    pass


class Category(Base):
    __tablename__ = "loadtest_shop_category"
    id: Mapped[int] = mapped_column(primary_key=True)
    products: Mapped[list["Product"]] = relationship(back_populates="category")


class Product(Base):
    __tablename__ = "loadtest_shop_product"
    id: Mapped[int] = mapped_column(primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey(Category.id))
    price: Mapped[int]
    category: Mapped[Category] = relationship(back_populates="products")


class Order(Base):
    __tablename__ = "loadtest_shop_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["Line"]] = relationship()


class Line(Base):
    __tablename__ = "loadtest_shop_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id))
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id))


class OrderFlow(PoolUser):
    metadata = Base.metadata
    wait_time = between(0.05, 0.15)

    @classmethod
    def add_options(cls, group):
        help_ = "categories of 20 products"
        group.add_argument("--shop-categories", type=int, default=100, help=help_)

    @classmethod
    def fill(cls, session, options):
        numbers = range(1, options.shop_categories + 1)
        session.execute(insert(Category), [{"id": number} for number in numbers])
        rows = [{"category_id": n, "price": p} for n in numbers for p in range(PER_CATEGORY)]
        session.execute(insert(Product), rows)

    @task(9)
    def browse(self):
        key = self.random.randint(1, self.options.shop_categories)
        with self.session("browse") as session:
            category = session.get_one(Category, key, options=[selectinload(Category.products)])
            sum(product.price for product in category.products)

    @task(1)
    def buy(self):
        key = self.random.randint(1, self.options.shop_categories * PER_CATEGORY)
        with self.session("buy") as session:
            product = session.scalars(select(Product).where(Product.id == key)).one()
            session.add(Order(lines=[Line(product_id=product.id)]))
            session.commit()
