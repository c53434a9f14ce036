"""The demo, run once for all tests that need it, beside the others; and no skip unnoticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

ROOT = Path(__file__).parent.parent
LISTED_SKIPS: tuple[str, ...] = ()
"""Reasons for which a test may be skipped; any other skip fails the run."""

_skipped: list[str] = []


class Demo:
    """`plausibly demo --no-serve` on an empty home, started early and awaited where needed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.output = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "study_app.cli", "demo", "--no-serve"],
            cwd=ROOT,
            env={**os.environ, "PLAUSIBLY_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # The tests that run meanwhile have waits in them.
            preexec_fn=lambda: os.nice(10),
        )

    def wait(self) -> Demo:
        if not self.output:
            self.output, _ = self._process.communicate(timeout=1500)
            assert self._process.returncode == 0, self.output
        return self

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


_demo: Demo | None = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need the demo last: it trains while the others run."""
    items.sort(key=lambda item: "demo" in getattr(item, "fixturenames", ()))


def pytest_collection_finish(session: pytest.Session) -> None:
    global _demo
    wanted = any("demo" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        factory = session.config._tmp_path_factory  # type: ignore[attr-defined]
        # A home that is there already (PLAUSIBLY_TEST_HOME) spares the training while developing.
        home = os.environ.get("PLAUSIBLY_TEST_HOME") or factory.mktemp("demo") / "home"
        _demo = Demo(Path(home))


@pytest.fixture(scope="session")
def demo() -> Demo:
    """The finished demo; its home must not be written to."""
    assert _demo is not None
    return _demo.wait()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(listed in reason for listed in LISTED_SKIPS):
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _demo is not None:
        _demo.stop()
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
    """Starts Debian's Chromium, with further arguments."""
    chromium = shutil.which("chromium")
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
