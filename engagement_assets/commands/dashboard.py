"""What `engagement dashboard` does: serve the pages by Streamlit.

Belongs here: the program, its arguments and the token of a start. Does not belong here: the pages.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from engagement_assets.dashboard.access import GIVEN, Token
from engagement_assets.settings.dashboard import DashboardSettings

# found, not imported: importing it would run it
APP = "engagement_assets.dashboard.app"


def arguments(settings: DashboardSettings) -> list[str]:
    """Return how Streamlit is started."""
    spec = find_spec(APP)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{APP} is not installed: install the project again")
    options = {
        "server.address": settings.host,
        "server.port": str(settings.port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        # dark enough on its ground for many eyes (WCAG 1.4.3)
        "theme.base": "light",
        "theme.linkColor": "#004B87",
        "theme.codeTextColor": "#1A1A1A",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(Path(spec.origin)), *flags]


def serve_dashboard(
    settings: DashboardSettings, *, execute: Callable[[list[str]], None] | None = None
) -> None:
    """Print the address, then become the server."""
    address = f"http://{settings.host}:{settings.port}/"
    if settings.sign_in == "token":
        token = Token.new(hours=settings.token_hours, now=datetime.now(UTC))
        os.environ.update(token.as_environ())
        address += f"?{GIVEN}={token.value}"
    sys.stdout.write(f"open {address}\n")
    sys.stdout.flush()
    started = arguments(settings)
    if execute is None:
        os.execv(started[0], started)  # noqa: S606 - the project's own interpreter
    else:
        execute(started)
