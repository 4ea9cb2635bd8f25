"""The API as a process of its own, over a home, for benchmarks.

Belongs here: making a home of a kept lake, starting and stopping the server. Does not belong here:
load (`load.py`) and figures (`serving.py`, `soak.py`).
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from benchmarks import stages
from benchmarks.load import HOST
from benchmarks.publish import consents, made_lake, publish
from engagement_assets.deployments.resources import resources_for
from engagement_assets.serving.api.keys import KEYS_FILE, KeyRing, new_key, read_keys, write_keys
from engagement_assets.settings.deployment import Deployment
from engagement_assets.settings.installation import Settings

READY_SECONDS = 60.0


def kept_lake(lake: str | None, customers: int, folder: Path) -> Path:
    """The lake that was named, or else a new one of `benchmarks.models` in a folder."""
    return Path(lake or made_lake(customers, str(folder))).resolve()


def make_home(home: Path, lake: Path, *, customers: int) -> Settings:
    """A home over a lake of `benchmarks.models`, which stays as it is."""
    settings = Settings(
        home=home,
        customers=customers,
        first_day=stages.FIRST_DAY,
        last_day=stages.FIRST_DAY + timedelta(days=stages.DAYS - 1),
    )
    settings.save()
    (home / "lake").symlink_to(lake)
    (home / "registry").symlink_to(lake / ".models")
    return settings


def publish_home(settings: Settings) -> dict[str, float]:
    """Publish the last day of a home; customers and seconds."""
    resources = resources_for(Deployment.LOCAL, settings)
    lake = resources["lake"].lake
    done = publish(resources["online_store"].store, lake, settings.end, consents(lake))
    return {"customers": done.customers, "seconds": round(done.seconds, 1)}


def make_key(home: Path, scopes: tuple[str, ...]) -> str:
    """A key without a narrow rate."""
    kept, token = new_key("benchmark", scopes, rate="1000000/second")
    path = home / KEYS_FILE
    write_keys(path, KeyRing({**read_keys(path).keys, kept.id: kept}))
    return token


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Server:
    """The API over a home.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        ready_seconds: From starting the process to the first 200 of `/readyz`.
    """

    command: ClassVar[tuple[str, ...]] = ("-m", "engagement_assets.commands", "serve")

    def __init__(self, home: Path, port: int, log: Path, **settings: str) -> None:
        self.port = port
        self._environ = {
            **os.environ,
            "ENGAGEMENT_HOME": str(home),
            "ENGAGEMENT_API_PORT": str(port),
            **{f"ENGAGEMENT_API_{name.upper()}": value for name, value in settings.items()},
        }
        self._log = log
        self.ready_seconds = self.start()

    def start(self) -> float:
        """Start and wait until it is ready.

        Raises:
            RuntimeError: It is not, or it ended.
        """
        began = time.perf_counter()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the product itself
                [sys.executable, *self.command],
                env=self._environ,
                stderr=log,
                stdout=log,
            )
        while time.perf_counter() - began < READY_SECONDS:
            if self.process.poll() is not None:
                break
            if self._ready():
                return time.perf_counter() - began
            time.sleep(0.02)
        raise RuntimeError(f"the server is not ready; see {self._log}")

    def _ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=1)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def memory_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self.process.terminate()
        self.process.wait(timeout=30)


def figures(name: str, told: dict[str, object]) -> None:
    """Print a line of a table."""
    print(f"| {name} | {json.dumps(told)} |", flush=True)
