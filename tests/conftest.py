"""What all tests share: one running service, and the order they run in."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.server import RunningServer, running_server

SLOW_FOLDERS = ("api", "integration")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A service with default settings, shared: tests must not break it."""
    with running_server(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def needs() -> Callable[[str, str], str]:
    """Ask for a program of the system: `needs("promtool", "Debian's package prometheus")`.

    Where it is missing the test is skipped with what to install; on CI that is a failure.
    """

    def find(program: str, where: str) -> str:
        path = shutil.which(program)
        if path is None:
            message = f"{program} is missing: install {where}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast ones first: what needs a running service comes after what does not."""
    items.sort(key=lambda item: any(f"/tests/{folder}/" in str(item.path) for folder in SLOW_FOLDERS))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On CI everything is installed, so a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
