"""The engine has every setting it was given; everybody takes an own session from one parent."""

import ssl
from datetime import UTC, datetime, timedelta

import gevent
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import URL, NullPool, QueuePool, event, make_url, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session

from loadtest.database.engine import database_url, make_engine, parent_session
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.pool.fair_pool import FairPool

ANY_URL = "mysql+pymysql://user:secret@db.example:3307/shop"


@pytest.fixture
def engine_of(url):
    """Makes engines on the real database, and disposes of them."""
    made = []

    def make(pool: PoolConfig | str = "5+10", address: URL = url, **options):
        config = parse_pool(pool) if isinstance(pool, str) else pool
        made.append(make_engine(address, config, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def parent(engine_of):
    """The parent session on the real database."""
    return parent_session(engine_of(tls=False))


# ---- Addresses


def test_a_url_and_credentials_say_the_same():
    credentials = {
        "user": "user",
        "pass": "secret",
        "host": "db.example",
        "port": 3307,
        "dbname": "shop",
    }
    assert database_url(credentials) == database_url(ANY_URL) == database_url(make_url(ANY_URL))


def test_a_port_and_a_password_may_be_left_out_of_the_credentials():
    url = database_url({"user": "user", "host": "h", "dbname": "shop"})
    assert (url.port, url.password or "") == (3306, "")
    assert database_url({"user": "u", "host": "h", "dbname": "d", "port": "3307"}).port == 3307


def test_all_mistakes_in_credentials_are_told_at_once():
    with pytest.raises(UsageError) as mistake:
        database_url({"user": "u", "password": "hush", "database": "d", "port": "x"})
    assert sorted(mistake.value.problems) == [
        "credentials: 'dbname' is missing",
        "credentials: 'host' is missing",
        "credentials: 'port' is 'x', not a number",
        "credentials: unknown key 'database'",
        "credentials: unknown key 'password'",
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "the database URL is not valid"),
        ("localhost", "the database URL is not valid"),
        ("mysql+pymysql://user:hush@host:port/shop", "written as %40 %3A %2F %25"),
        ("mysql://user:hush@host/shop", "starts with mysql://; use mysql+pymysql://"),
        (
            "postgresql://user:hush@host/shop",
            "postgresql://, but a scenario's own engine supports MySQL and MariaDB only",
        ),
        ("sqlite:///hush.db", "starts with sqlite://"),
        ("mysql+pymysql://user:hush@host", "does not name a database"),
        ("mysql+pymysql://user:hush@host/", "does not name a database"),
        ("mysql+pymysql://user:hush€@host/shop", "Latin-1"),
        ("mysql+pymysql://user:h@hush/x:%y@host:3306/shop", "written as %40 %3A %2F %25"),
        ("mysql+pymysql://user:h@hush@host/shop", "written as %40 %3A %2F %25"),
        ("mysql+pymysql://user:h@hush?x@host/shop", "written as %40 %3A %2F %25"),
        ("mysql+pymysql://user:h@hu sh/shop", "written as %40 %3A %2F %25"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url, words):
    with pytest.raises(UsageError) as refused:
        database_url(url)
    assert words in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("user:p%40%3A%2F%25@db-1.example_net:3306/shop", "db-1.example_net"),
        ("user@cloud:p@host/shop", "host"),
        ("user@host/shop", "host"),
        ("user:p@[fe80::1%25eth0]:3306/shop", "fe80::1%25eth0"),
        ("user:p@host/shop?init_command=SET @a=1", "host"),
        ("/shop?unix_socket=/run/mysqld.sock", None),
    ],
)
def test_addresses_with_signs_where_they_may_be(url, host):
    found = database_url(f"mysql+pymysql://{url}")
    assert (found.host, found.database) == (host, "shop")


@pytest.mark.parametrize("driver", ["mysql+pymysql", "mariadb+pymysql"])
def test_both_names_of_the_driver_are_known(driver):
    assert database_url(f"{driver}://u:p@h/d").drivername == driver


@pytest.mark.database
@pytest.mark.parametrize("password", ["a@b:c/d%e", "%40", "p+w d?&#=", "'\"\\;"])
def test_a_password_with_special_characters_logs_in(server, admin, engine_of, password):
    with admin.begin() as connection:
        connection.execute(text("CREATE USER odd@'127.0.0.1' IDENTIFIED BY :p"), {"p": password})
        connection.execute(text("GRANT ALL ON loadtest.* TO odd@'127.0.0.1'"))
    try:
        credentials = {
            "user": "odd",
            "pass": password,
            "host": "127.0.0.1",
            "port": server.port,
            "dbname": "loadtest",
        }
        url = database_url(credentials)
        written = url.render_as_string(hide_password=False)
        for address in (url, database_url(written)):
            with engine_of(address=address, tls=False).connect() as connection:
                assert connection.scalar(text("SELECT CURRENT_USER()")) == "odd@127.0.0.1"
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP USER odd@'127.0.0.1'"))


# ---- The pool's settings


SETTINGS = [
    ("pool_size=7", lambda pool: pool.size(), 7),
    ("pool_size=0", lambda pool: pool.size(), 0),
    ("max_overflow=3", lambda pool: pool._max_overflow, 3),
    ("max_overflow=-1", lambda pool: pool._max_overflow, -1),
    ("pool_timeout=500ms", lambda pool: pool.timeout(), 0.5),
    ("pool_recycle=60", lambda pool: pool._recycle, 60),
    ("pool_pre_ping=true", lambda pool: pool._pre_ping, True),
    ("pool_use_lifo=true", lambda pool: pool._pool.use_lifo, True),
    ("pool_reset_on_return=commit", lambda pool: pool._reset_on_return.name, "reset_commit"),
    ("pool_reset_on_return=none", lambda pool: pool._reset_on_return.name, "reset_none"),
]
DEFAULTS = [
    ("5+10", lambda pool: (pool.size(), pool._max_overflow, pool.timeout()), (5, 10, 30.0)),
    ("5+10", lambda pool: (pool._recycle, pool._pre_ping), (-1, False)),
    ("5+10", lambda pool: (pool._pool.use_lifo, pool._reset_on_return.value), (False, 0)),
]


@pytest.mark.parametrize(("text", "read", "expected"), [*SETTINGS, *DEFAULTS])
def test_every_setting_arrives_at_the_pool(text, read, expected):
    pool = make_engine(make_url(ANY_URL), parse_pool(text)).pool
    assert type(pool) is QueuePool
    assert read(pool) == expected


def test_no_pool_is_made_where_none_is_wanted():
    config = parse_pool("poolclass=NullPool,pool_recycle=60,pool_pre_ping=true")
    pool = make_engine(make_url(ANY_URL), config).pool
    assert type(pool) is NullPool
    assert (pool._recycle, pool._pre_ping) == (60, True)


def test_a_fair_pool_is_made_where_one_is_wanted():
    pool = make_engine(make_url(ANY_URL), parse_pool("poolclass=FairPool,pool_size=7")).pool
    assert type(pool) is FairPool
    assert pool.size() == 7


def test_making_an_engine_connects_nowhere():
    make_engine(make_url("mysql+pymysql://u:p@host.invalid:1/d"), PoolConfig(), tls=True)


@pytest.mark.database
@pytest.mark.parametrize(
    "level", ["SERIALIZABLE", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ"]
)
def test_the_isolation_level_is_in_force_on_the_server(engine_of, level):
    engine = engine_of(f"isolation_level={level}", tls=False)
    with engine.connect() as connection:
        assert connection.get_isolation_level() == level  # asks the server


@pytest.mark.database
def test_autocommit_is_in_force_on_the_server(engine_of):
    for setting, expected in (("isolation_level=AUTOCOMMIT", 1), ("5+10", 0)):
        with engine_of(setting, tls=False).connect() as connection:
            assert connection.scalar(text("SELECT @@autocommit")) == expected


@pytest.mark.database
def test_what_a_return_resets_is_what_was_asked_for(engine_of, admin):
    def left_behind(setting: str) -> int:
        engine = engine_of(f"pool_size=1,{setting}", tls=False)
        raw = engine.raw_connection()
        raw.cursor().execute("INSERT INTO reset_test VALUES (1)")
        raw.close()
        engine.dispose()
        with admin.connect() as connection:
            return connection.scalar(text("SELECT COUNT(*) FROM reset_test"))

    with admin.begin() as connection:
        connection.execute(text("CREATE TABLE reset_test (n INT)"))
    try:
        assert left_behind("pool_reset_on_return=rollback") == 0
        assert left_behind("pool_reset_on_return=commit") == 1
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP TABLE reset_test"))


# ---- TLS


def connect_arguments(engine, times: int = 1) -> list[dict]:
    """What the driver would be given for some connections."""
    seen = []

    @event.listens_for(engine, "do_connect")
    def refuse(dialect, record, args, kwargs):
        seen.append(kwargs)
        raise ConnectionRefusedError

    for _ in range(times):
        with pytest.raises(ConnectionRefusedError):
            engine.connect()
    return seen


def arguments_of(query: str = "", tls: bool | None = None) -> dict:
    return connect_arguments(make_engine(make_url(ANY_URL + query), PoolConfig(), tls=tls))[0]


def test_all_connections_share_one_tls_context(monkeypatch):
    built, create = [], ssl.create_default_context
    monkeypatch.setattr(
        ssl, "create_default_context", lambda *a, **k: built.append(1) or create(*a, **k)
    )
    engine = make_engine(make_url(ANY_URL), PoolConfig(), tls=True)
    contexts = {id(arguments["ssl"]) for arguments in connect_arguments(engine, times=3)}
    assert len(contexts) == len(built) == 1


@pytest.mark.database
def test_real_connections_share_one_tls_context(engine_of, monkeypatch):
    built, create = [], ssl.create_default_context
    monkeypatch.setattr(
        ssl, "create_default_context", lambda *a, **k: built.append(1) or create(*a, **k)
    )
    # This server speaks no TLS and would be refused by a driver that was told to insist.
    engine, seen = engine_of(tls=True), []

    @event.listens_for(engine, "do_connect")
    def prefer(dialect, record, args, kwargs):
        seen.append(kwargs.pop("ssl"))
        kwargs["ssl_disabled"] = True

    connections = [engine.connect() for _ in range(4)]
    for connection in connections:
        connection.close()
    assert len(seen) == 4
    assert len(built) == len(set(map(id, seen))) == 1
    assert isinstance(seen[0], ssl.SSLContext)


def test_without_tls_on_the_server_no_context_is_built():
    arguments = arguments_of(tls=False)
    assert arguments["ssl_disabled"] is True
    assert "ssl" not in arguments


def test_without_a_look_at_the_server_tls_is_left_to_the_driver():
    assert not {"ssl", "ssl_disabled"} & arguments_of().keys()


@pytest.mark.parametrize("tls", [None, True, False])
def test_tls_that_was_switched_off_stays_off(tls):
    arguments = arguments_of("?ssl_disabled=true", tls)
    assert arguments["ssl_disabled"] == "true"
    assert "ssl" not in arguments


def test_without_a_wish_the_server_is_not_verified_as_with_the_driver():
    context = arguments_of(tls=True)["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("tls", [None, True, False])
@pytest.mark.parametrize(
    ("query", "verify", "hostname"),
    [
        ("?ssl_ca={ca}", ssl.CERT_REQUIRED, True),
        ("?ssl_ca={ca}&ssl_check_hostname=false", ssl.CERT_REQUIRED, False),
        ("?ssl_capath=/etc", ssl.CERT_REQUIRED, True),
        ("?ssl_verify_cert=true", ssl.CERT_REQUIRED, False),
        ("?ssl_cert={cert}&ssl_key={key}", ssl.CERT_NONE, False),
    ],
)
def test_what_the_url_asks_of_tls_is_verified_as_the_driver_does(
    certificate, query, verify, hostname, tls
):
    arguments = arguments_of(query.format(**certificate), tls)
    context = arguments.pop("ssl")
    assert (context.verify_mode, context.check_hostname) == (verify, hostname)
    assert not [key for key in arguments if key.startswith("ssl")]


def test_the_authority_in_the_url_is_the_one_that_is_trusted(certificate):
    context = arguments_of(f"?ssl_ca={certificate['ca']}")["ssl"]
    assert [found["subject"] for found in context.get_ca_certs()] == [
        ((("commonName", "loadtest"),),)
    ]


@pytest.mark.parametrize("option", ["ssl_ca=/no/such/file", "ssl_ca=/etc/hostname", "ssl_wish=1"])
def test_tls_options_that_cannot_be_used_are_a_mistake_of_usage(option):
    with pytest.raises(UsageError, match="the TLS options of the database URL cannot be used"):
        arguments_of(f"?{option}")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> dict[str, str]:
    """A certificate, its key and the authority that signed it (itself), as files."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loadtest")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(secret)
    cert = str(folder / "cert.pem")
    return {"ca": cert, "cert": cert, "key": str(folder / "key.pem")}


# ---- Sessions


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "engine_test_person"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.server
def test_the_parent_forwards_queries_to_the_session_of_whoever_asks(parent):
    assert isinstance(parent, scoped_session)
    Base.metadata.create_all(parent.get_bind())
    try:
        parent.add(Person(id=7))
        parent.commit()
        assert [person.id for person in parent.query(Person).all()] == [7]
        assert parent.query(Person).filter_by(id=8).first() is None
        assert parent.execute(text("SELECT 1")).scalar() == 1
    finally:
        parent.remove()
        Base.metadata.drop_all(parent.get_bind())


@pytest.mark.server
def test_a_child_is_a_session_and_the_same_one_until_it_is_removed(parent):
    child = parent()
    assert isinstance(child, Session)
    assert parent() is child
    parent.remove()
    assert parent() is not child
    parent.remove()


@pytest.mark.server
def test_every_greenlet_has_a_child_of_its_own(parent):
    def work():
        child = parent()
        gevent.sleep(0.01)
        number = child.scalar(text("SELECT CONNECTION_ID()"))
        assert parent() is child
        gevent.sleep(0.01)
        parent.remove()
        return child, number

    users = [gevent.spawn(work) for _ in range(4)]
    gevent.joinall(users, raise_error=True)
    children, numbers = zip(*(user.value for user in users), strict=True)
    assert len(set(map(id, children))) == 4
    assert len(set(numbers)) == 4


@pytest.mark.server
def test_a_child_is_no_factory_of_children(parent):
    with pytest.raises(TypeError, match="not callable"):
        parent()()
    parent.remove()


@pytest.mark.server
def test_removing_a_child_gives_its_connection_back(parent):
    pool = parent.get_bind().pool
    parent.execute(text("SELECT 1"))
    assert pool.checkedout() == 1
    parent.remove()
    assert (pool.checkedout(), pool.checkedin()) == (0, 1)
