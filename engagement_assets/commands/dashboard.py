"""What `engagement dashboard` does: serve the pages by Streamlit.

Belongs here: the program, its arguments, the token of a start and the file of a secret. Does not
belong here: the pages.
"""

import os
import sys
import tempfile
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from engagement_assets.dashboard.access import GIVEN, Token
from engagement_assets.settings.dashboard import PREFIX, DashboardSettings
from engagement_assets.settings.fields import SettingsError

# found, not imported: importing it would run it
APP = "engagement_assets.dashboard.app"
# the text of Streamlit's secrets.toml, where a container gets it from a secret; no option, since
# everybody on a machine reads command lines
SECRETS_VARIABLE = f"{PREFIX}SECRETS"
NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
# whoever guesses the secret of the cookie signs in as anybody
LEAST_COOKIE_SECRET = 32


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
        # its own export would hand out texts of customers as formulas; ours does not
        "client.disableDataExport": "true",
        # dark enough on its ground for many eyes (WCAG 1.4.3)
        "theme.base": "light",
        "theme.linkColor": "#004B87",
        "theme.codeTextColor": "#1A1A1A",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(Path(spec.origin)), *flags]


def secrets_file(text: str) -> Path:
    """Write the text of a `secrets.toml` where only this user reads it.

    Raises:
        SettingsError: It is no TOML, or lacks what signing in needs; no value is named.
    """
    try:
        given = tomllib.loads(text).get("auth")
    except tomllib.TOMLDecodeError:
        raise SettingsError(f"{SECRETS_VARIABLE} is no TOML") from None
    auth = {name: str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    missing = [name for name in NEEDED if not auth.get(name)]
    if missing:
        raise SettingsError(
            f"{SECRETS_VARIABLE} lacks {', '.join(missing)} under [auth]; docs/dashboard.md says "
            "what each is"
        )
    if len(auth["cookie_secret"]) < LEAST_COOKIE_SECRET:
        raise SettingsError(
            f"{SECRETS_VARIABLE}: expected a cookie_secret of {LEAST_COOKIE_SECRET} characters at "
            "least, such as `openssl rand -hex 32` makes"
        )
    handle, path = tempfile.mkstemp(prefix="secrets-", suffix=".toml")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return Path(path)


def serve_dashboard(
    settings: DashboardSettings, *, execute: Callable[[list[str]], None] | None = None
) -> None:
    """Print the address, then become the server.

    Raises:
        SettingsError: The text of a `secrets.toml` is given, and nobody could sign in by it.
    """
    address = f"http://{settings.host}:{settings.port}/"
    if settings.sign_in == "token":
        token = Token.new(hours=settings.token_hours, now=datetime.now(UTC))
        os.environ.update(token.as_environ())
        address += f"?{GIVEN}={token.value}"
    sys.stdout.write(f"open {address}\n")
    sys.stdout.flush()
    started = arguments(settings)
    text = os.environ.pop(SECRETS_VARIABLE, "")
    if text and settings.sign_in == "oidc":
        started.append(f"--secrets.files={secrets_file(text)}")
    if execute is None:
        os.execv(started[0], started)  # noqa: S606 - the project's own interpreter
    else:
        execute(started)
