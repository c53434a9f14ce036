"""`plausibly serve` in a process of its own, on a copy of a finished home."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"


class LiveServer:
    """The whole app, as a person starts it.

    With `files`, soft and hard limit of open files; with `further`, more of the environment.
    """

    def __init__(
        self,
        home: Path,
        folder: Path,
        files: tuple[int, int] | None = None,
        further: dict[str, str] | None = None,
    ) -> None:
        self._files, self._further = files, further or {}
        self.home = folder / "home"
        shutil.copytree(home, self.home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "log"
        self.start()

    @property
    def environment(self) -> dict[str, str]:
        home, path = str(self.home), str(ROOT)
        return os.environ | {
            # All of a test's people come from one address.
            "PLAUSIBLY_CONSENTS": "100000,100000",
            "PLAUSIBLY_HOME": home, "PLAUSIBLY_PASSWORD": PASSWORD, "PYTHONPATH": path
        } | self._further  # fmt: skip

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "study_app.cli.plausibly",
                    "serve",
                    "--port",
                    str(self.port),
                ],
                cwd=self.home.parent,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
            if self._files:
                resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, self._files)
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/api/health")
            except OSError:
                assert self.process.poll() is None, self.output
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.output)

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `plausibly` command on the same home."""
        return subprocess.run(
            [sys.executable, "-m", "study_app.cli.plausibly", *arguments],
            cwd=self.home.parent,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def libraries(self) -> str:
        """The files that the process has mapped: shows whether torch was ever loaded."""
        return Path(f"/proc/{self.process.pid}/maps").read_text()
