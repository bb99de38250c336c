"""The private server answers once it has started, admits only its own account, and is then gone."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psutil
import pymysql
import pytest
from sqlalchemy import create_engine, text

from loadtest.database import private_server, server_program
from loadtest.database.private_server import MOST_CONNECTIONS, PrivateServer
from loadtest.model.errors import LoadtestError, UsageError
from tests.database.test_supervisor import eventually, gone

TOOL = """
import sys, time
from loadtest.database import supervisor
from loadtest.database.private_server import PrivateServer
server = PrivateServer()
kept = supervisor.start_supervised(["sleep", "1000"])
print(server._kept.pid, kept.pid, server.port, server.folder, flush=True)
time.sleep(1000)
"""
KILLED_EARLY = """
import os, signal
from loadtest.database.private_server import PrivateServer
def killed(self):
    print(self._kept.pid, self.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
PrivateServer._wait_until_ready = killed
PrivateServer()
"""


def server_process(server: PrivateServer) -> psutil.Process:
    """The server program itself, below its supervisor."""
    (child,) = psutil.Process(server._kept.pid).children()
    return child


def listens(port: int) -> bool:
    """Whether anybody answers at a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.database
def test_it_is_ready_when_it_is_there(server, admin):
    with admin.connect() as connection:
        assert connection.scalar(text("SELECT VERSION()")).startswith(server.program.version)
        assert connection.scalar(text("SELECT DATABASE()")) == "loadtest"
        connection.execute(text("CREATE TABLE ready (n INT)"))
        connection.execute(text("DROP TABLE ready"))
    assert server.url.host == "127.0.0.1"


@pytest.mark.database
def test_it_takes_as_many_connections_as_it_says(server, admin):
    with admin.connect() as connection:
        assert connection.scalar(text("SELECT @@max_connections")) == server.limit


@pytest.mark.database
@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")
def test_it_does_not_run_as_root(server):
    process = server_process(server)
    assert 0 not in process.uids()
    assert 0 not in process.gids()
    assert server.folder.stat().st_uid == process.uids().real
    assert server.folder.stat().st_mode & 0o077 == 0


@pytest.mark.database
def test_it_listens_on_loopback_only(server):
    listening = [
        connection.laddr
        for connection in server_process(server).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", server.port)]


@pytest.mark.database
def test_its_password_stands_in_no_process_list_and_no_file(server):
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes()
        except OSError:
            continue
        assert server.password.encode() not in arguments
    assert not (server.folder / "start.sql").exists()
    for path in server.folder.glob("*"):
        assert not path.is_file() or server.password.encode() not in path.read_bytes()


@pytest.mark.database
@pytest.mark.parametrize(
    ("user", "password"), [("loadtest", "wrong"), ("loadtest", ""), ("root", ""), ("", "")]
)
@pytest.mark.parametrize("way", ["port", "socket"])
def test_nobody_else_gets_in(server, user, password, way):
    where = {"host": "127.0.0.1", "port": server.port}
    if way == "socket":
        where = {"unix_socket": str(server.folder / "socket")}
    with pytest.raises(pymysql.err.OperationalError) as refused:
        pymysql.connect(user=user, password=password, ssl_disabled=True, **where)
    assert refused.value.args[0] in (1045, 1698)


@pytest.mark.database
def test_every_server_has_a_password_and_a_folder_of_its_own_and_is_gone_when_closed(server):
    with PrivateServer() as other:
        assert other.password != server.password
        assert other.folder != server.folder
        assert other.port != server.port
        process = server_process(other)
        assert listens(other.port)
    assert gone(process.pid)
    assert not other.folder.exists()
    assert not listens(other.port)
    other.close()


@pytest.mark.database
def test_when_the_tool_is_killed_the_server_its_folder_and_all_kept_children_are_gone(server):
    tool = subprocess.Popen([sys.executable, "-c", TOOL], stdout=subprocess.PIPE, text=True)
    with tool, ExitStack() as at_the_end:
        at_the_end.callback(tool.kill)
        answer = tool.stdout.readline().split()
        keepers = [psutil.Process(int(pid)) for pid in answer[:2]]
        port, folder = int(answer[2]), Path(answer[3])
        assert eventually(lambda: all(keeper.children() for keeper in keepers))
        children = [child for keeper in keepers for child in keeper.children()]
        names = [server.process.name(), "sleep"]
        assert eventually(lambda: [child.name() for child in children] == names)
        assert listens(port)
    for process in [*children, *keepers]:
        assert eventually(lambda process=process: gone(process.pid))
    assert not folder.exists()
    assert not listens(port)


@pytest.mark.database
def test_a_tool_that_is_killed_while_the_server_starts_leaves_nothing():
    tool = subprocess.Popen([sys.executable, "-c", KILLED_EARLY], stdout=subprocess.PIPE, text=True)
    with tool:
        keeper, folder = tool.stdout.read().split()
    assert tool.returncode == -signal.SIGKILL
    assert eventually(lambda: gone(int(keeper)))
    assert not Path(folder).exists()


@pytest.mark.database
def test_a_port_that_is_taken_is_told_with_the_end_of_the_log(server, monkeypatch):
    monkeypatch.setattr(private_server.secrets, "token_hex", lambda _: "port-taken")
    monkeypatch.setattr(private_server, "free_port", lambda: server.port)
    with pytest.raises(LoadtestError, match="did not start; the end of its log") as failure:
        PrivateServer()
    assert "Address already in use" in str(failure.value)
    assert failure.value.exit_code == 1
    assert not list(server.folder.parent.glob("loadtest-*-port-taken"))


@pytest.mark.database
def test_somebody_mute_on_the_port_does_not_hold_up_the_tool(server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setattr(private_server, "free_port", lambda: mute.getsockname()[1])
        with pytest.raises(LoadtestError, match="did not start"):
            PrivateServer()


@pytest.mark.database
def test_it_also_runs_as_nobody_and_an_error_closes_it(server, monkeypatch):
    if os.geteuid() == 0:  # only root changes the user
        monkeypatch.setattr(private_server, "_unprivileged_user", lambda: "nobody")

    def failing():
        with PrivateServer() as other:
            user = server_process(other).username()
            raise KeyError(other.folder, user)

    with pytest.raises(KeyError) as failure:
        failing()
    folder, user = failure.value.args
    assert not folder.exists()
    assert user == "nobody" or os.geteuid()


def test_more_connections_than_it_can_take_are_refused_before_it_starts(monkeypatch):
    monkeypatch.setattr(server_program, "_SYSTEM_PATH", "")
    with pytest.raises(UsageError) as refused:
        PrivateServer(connections=MOST_CONNECTIONS + 1)
    assert f"may open {MOST_CONNECTIONS + 1} connections" in str(refused.value)
    assert "use fewer users" in str(refused.value)


def test_a_disk_without_room_for_it_is_told_before_it_starts(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=199_999_999))
    with pytest.raises(UsageError, match=r"needs at least 200 MB in .*, but 199 MB are free"):
        PrivateServer()


@pytest.mark.database
def test_one_that_was_killed_is_known_to_be_gone_and_its_log_says_why(server):
    with PrivateServer() as other:
        assert other.last_error == ""
        assert other.running
        other._log.write(
            b"1 [ERROR] mariadbd: The table is full\n"
            b"2 [ERROR] [FATAL] InnoDB: Error (Out of disk space) in rollback.\n"
            b"3 [ERROR] mariadbd got signal 6 ;\n"
        )
        other._log.flush()
        other.process.kill()
        assert eventually(lambda: not other.running)
        assert other.last_error == "[FATAL] InnoDB: Error (Out of disk space) in rollback."
        assert not other.folder.exists()


@pytest.mark.database
def test_a_server_can_be_asked_whether_a_run_is_too_large_for_it(server):
    server.check(server.limit)
    with pytest.raises(UsageError, match=f"allows {server.limit} on a private server: raise"):
        server.check(server.limit + 1)


@pytest.mark.parametrize(("hard", "limit"), [(4096, 4096 - 1500), (10**6, 10_000), (-1, 10_000)])
def test_the_limit_of_open_files_limits_the_connections(monkeypatch, hard, limit):
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, hard))
    monkeypatch.setattr(server_program, "_SYSTEM_PATH", "")
    with pytest.raises(UsageError, match="neither mariadbd nor mysqld is installed"):
        PrivateServer(connections=limit)
    with pytest.raises(UsageError, match=f"allows {limit} on a private server: raise"):
        PrivateServer(connections=limit + 1)


@pytest.mark.database
def test_its_address_works_as_it_is_written(server):
    written = server.url.render_as_string(hide_password=False)
    engine = create_engine(written)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
    assert server.password not in repr(server.url)
