"""Moves money between accounts as fast as it can: what is lost or done twice shows in the sums."""

from locust import task

from sqlalchemy import insert, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser

ACCOUNTS = 1000


class Base(DeclarativeBase):
    """The tables of the soak."""


class Account(Base):
    """What somebody has, and how often that was changed."""

    __tablename__ = "loadtest_soak_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    moves: Mapped[int]


class Mover(PoolUser):
    """Takes from one account and gives to another, in one transaction."""

    metadata = Base.metadata

    @classmethod
    def fill(cls, session, options):
        """Everybody has nothing. The disk is not what is soaked: no COMMIT waits for it."""
        session.execute(text("SET GLOBAL innodb_flush_log_at_trx_commit = 0"))
        session.execute(
            insert(Account), [{"id": n, "balance": 0, "moves": 0} for n in range(1, ACCOUNTS + 1)]
        )

    @task
    def move(self) -> None:
        """In the order of their numbers, so that no two wait for each other."""
        one, other = sorted(self.random.sample(range(1, ACCOUNTS + 1), 2))
        with self.session("move") as session:
            for key, amount in ((one, -5), (other, 5)):
                changed = {"balance": Account.balance + amount, "moves": Account.moves + 1}
                session.execute(update(Account).where(Account.id == key).values(changed))
            session.commit()
