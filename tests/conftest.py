"""The demo, run once for all tests that need it, beside the others; and no skip unnoticed."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext, sync_playwright

pytest_plugins = ["databases"]
pytest.register_assert_rewrite("walks")

# The same examples every time, however slow the machine is.
settings.register_profile("plausibly", deadline=None, derandomize=True)
settings.load_profile("plausibly")

ROOT = Path(__file__).parent.parent
LISTED_SKIPS: tuple[str, ...] = ("needs a CUDA device",)
"""Reasons for which a test may be skipped; any other skip fails the run."""

_skipped: list[str] = []


class Demo:
    """`plausibly demo --no-serve` on an empty home: one for all workers, awaited where needed."""

    def __init__(self, folder: Path) -> None:
        # A home that is there already (PLAUSIBLY_TEST_HOME) spares the training while developing.
        self.home = Path(os.environ.get("PLAUSIBLY_TEST_HOME") or folder / "demo-home")
        self._log = folder / "demo.log"
        self._status = folder / "demo.status"
        self._claim = folder / "demo.pid"

    @property
    def output(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        """Start it, unless another worker has."""
        try:
            claim = self._claim.open("x")
        except FileExistsError:
            return
        demo = f"{shlex.quote(sys.executable)} -m study_app.cli.plausibly demo --no-serve"
        log, status = shlex.quote(str(self._log)), shlex.quote(str(self._status))
        process = subprocess.Popen(
            # The tests that run meanwhile go first: they have waits that others fill.
            ["nice", "-n", "10", "sh", "-c", f"{demo} > {log} 2>&1; echo $? > {status}"],
            cwd=ROOT,
            env={**os.environ, "PLAUSIBLY_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        with claim:
            claim.write(str(process.pid))

    def wait(self) -> Demo:
        deadline = time.monotonic() + 1500
        while not self._status.exists() or not self._status.read_text().strip():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.2)
        assert self._status.read_text().strip() == "0", self.output
        return self

    def stop(self) -> None:
        """Kill it, if it still runs when all tests are over."""
        if self._claim.exists() and not self._status.exists():
            with suppress(ProcessLookupError):
                os.killpg(int(self._claim.read_text()), signal.SIGKILL)


def _demo(config: pytest.Config) -> Demo:
    base: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return Demo(base.parent if hasattr(config, "workerinput") else base)


LONGEST = (
    "test_ray_executor.py",
    "test_browser_faults.py",
    "test_pipeline.py",
    "test_cli.py",
    "test_stopped_server.py",
    "test_regenerate.py",
    "test_sweep_run.py",
    "test_published_experiments.py",
    "test_walk_shipped_studies.py",
    "test_walk_further_studies.py",
    "test_walk_other_ways.py",
)
"""Files that take half a minute and more begin first, so that nobody waits for one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first, and tests that need the demo last: it trains while the others run."""
    items.sort(
        key=lambda item: (
            "demo" in getattr(item, "fixturenames", ()),
            item.path.name not in LONGEST,
        )
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any("demo" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        _demo(session.config).start()


@pytest.fixture(scope="session")
def demo(pytestconfig: pytest.Config) -> Demo:
    """The finished demo; its home must not be written to."""
    return _demo(pytestconfig).wait()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(listed in reason for listed in LISTED_SKIPS):
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        _demo(session.config).stop()
    if _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _skipped:
        terminalreporter.write_line(f"skipped without being listed in tests/conftest.py: {line}")


CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Starts Debian's Chromium, with further arguments: see tools/require-chromium."""
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert chromium, "install Debian's package chromium"
    with sync_playwright() as playwright:

        def start(*arguments: str) -> Browser:
            return playwright.chromium.launch(
                executable_path=chromium, args=[*CHROMIUM_ARGS, *arguments]
            )

        yield start


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    made = launch()
    yield made
    made.close()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts: separate people or devices. No page may violate the policy."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 800, "height": 800}} | options)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on(
            "console",
            lambda line: wrong.append(line.text) if "Security Policy" in line.text else None,
        )
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert wrong == []
