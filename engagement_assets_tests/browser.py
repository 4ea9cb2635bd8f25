"""A real browser on the real servers, for tests and for the pictures of the documentation.

Belongs here: starting the servers of a home and opening pages. Does not belong here: what is looked
at (`dashboard/test_dashboard_browser.py`, `pictures.py`).
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from urllib.error import URLError

from playwright.sync_api import Browser, Page, sync_playwright

# Chromium as Linux distributions name it; another one is CHROMIUM
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SECONDS = 300.0
DESKTOP, PHONE = (1100, 900), (390, 844)


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser without a window.

    Raises:
        FileNotFoundError: There is none.
    """
    if not CHROMIUM:
        raise FileNotFoundError(
            "no browser is installed: install chromium, or name one: CHROMIUM=…"
        )
    with sync_playwright() as playwright:
        # its sandbox wants rights that containers do not give
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def server(home: Path, *words: str) -> Iterator[str]:
    """Run one of the product's servers on a home, and give its address.

    It is the one that the server prints, which may hold a token, or else that of its port.

    Args:
        home: The home.
        words: The command, without its port.

    Raises:
        RuntimeError: It ended, or did not answer.
    """
    port = free_port()
    command = [sys.executable, "-m", "engagement_assets.commands", *words, "--port", str(port)]
    environment = {**os.environ, "ENGAGEMENT_HOME": str(home), "HOME_DIR": str(home)}
    with TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            plain = f"http://127.0.0.1:{port}/"
            _wait(process, plain)
            output.seek(0)
            printed = re.search(rf"{re.escape(plain)}\S+", output.read())
            yield printed[0] if printed else plain
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - http to this machine
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise RuntimeError(f"nothing answered at {address}")


def open_page(page: Page, name: str) -> None:
    """Go to a page of the dashboard by its link, and wait until it is drawn."""
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, exact=True, level=1).wait_for(timeout=SECONDS * 1000)
    settle(page)


def settle(page: Page) -> None:
    """Wait until Streamlit runs nothing and every picture is drawn."""
    running = page.get_by_test_id("stStatusWidget")
    running.wait_for(state="detached", timeout=SECONDS * 1000)
    page.wait_for_timeout(500)
    running.wait_for(state="detached", timeout=SECONDS * 1000)
