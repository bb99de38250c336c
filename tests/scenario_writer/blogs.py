"""Models as people write them, in modules that tests write into a folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., str]

BLOG = """
import datetime
import enum
import uuid

from sqlalchemy import (
    JSON, CheckConstraint, Column, Enum, ForeignKey, Integer, LargeBinary, Numeric, String, Table,
    Text, UniqueConstraint, func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Status(enum.Enum):
    draft = 1
    published = 2


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    born: Mapped[datetime.date | None]
    posts: Mapped[list["Post"]] = relationship(back_populates="author")


class Profile(Base):
    __tablename__ = "profile"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id), unique=True)
    photo: Mapped[bytes] = mapped_column(LargeBinary(2))


class Category(Base):
    __tablename__ = "category"
    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("category.code"))


post_tag = Table(
    "post_tag",
    Base.metadata,
    Column("post_id", ForeignKey("post.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    level: Mapped[Status] = mapped_column(unique=True)


class Post(Base):
    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("author_id", "slug"),
        CheckConstraint("rating BETWEEN 1 AND 5"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id))
    category_code: Mapped[str] = mapped_column(ForeignKey(Category.code))
    heading: Mapped[str] = mapped_column("title", String(8))
    slug: Mapped[str] = mapped_column(String(80))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[Status]
    rating: Mapped[int]
    price: Mapped[float] = mapped_column(Numeric(3, 2, asdecimal=False))
    weight: Mapped[float]
    public: Mapped[bool]
    settings: Mapped[dict] = mapped_column(JSON)
    read_at: Mapped[datetime.time]
    edited: Mapped[datetime.datetime]
    made: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    token: Mapped[str] = mapped_column(String(32), unique=True, default=lambda: uuid.uuid4().hex)
    author: Mapped[Author] = relationship(back_populates="posts")
"""
CORE = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

metadata = MetaData()
shelf = Table("shelf", metadata, Column("id", Integer, primary_key=True))
book = Table(
    "book",
    metadata,
    Column("isbn", String(13), primary_key=True),
    Column("shelf-id", ForeignKey("shelf.id"), nullable=False),
    Column("pages", Integer, nullable=False),
)
"""
STAFF = """
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(40))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Manager(Person):
    __tablename__ = "manager"
    id: Mapped[int] = mapped_column(ForeignKey(Person.id), primary_key=True)
    bonus: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "manager"}
"""
