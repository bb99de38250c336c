"""Moves money between accounts at full speed; lost and doubled transfers show in the sums."""

from locust import task

from sqlalchemy import insert, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser

ACCOUNTS = 1000


class Base(DeclarativeBase):
    """The tables of the soak."""


class Account(Base):
    """The balance of an account, and how often it was changed."""

    __tablename__ = "loadtest_soak_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    moves: Mapped[int]


class Mover(PoolUser):
    """A user that takes from one account and gives to another in one transaction."""

    metadata = Base.metadata

    @classmethod
    def fill(cls, session, options):
        """Insert empty accounts; no COMMIT waits for the disk, which the soak does not test."""
        session.execute(text("SET GLOBAL innodb_flush_log_at_trx_commit = 0"))
        session.execute(
            insert(Account), [{"id": n, "balance": 0, "moves": 0} for n in range(1, ACCOUNTS + 1)]
        )

    @task
    def move(self) -> None:
        """Move money; rows are locked in the order of their numbers, so that no deadlock occurs."""
        one, other = sorted(self.random.sample(range(1, ACCOUNTS + 1), 2))
        with self.session("move") as session:
            for key, amount in ((one, -5), (other, 5)):
                changed = {"balance": Account.balance + amount, "moves": Account.moves + 1}
                session.execute(update(Account).where(Account.id == key).values(changed))
            session.commit()
