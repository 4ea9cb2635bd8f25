"""Settings of the dashboard, from the environment: `ENGAGEMENT_DASHBOARD_` and the field's name.

Belongs here: names, defaults and checks. Does not belong here: what they do.
"""

from typing import ClassVar

from pydantic_settings import SettingsConfigDict

from engagement_assets.settings.fields import Declared, setting

PREFIX = "ENGAGEMENT_DASHBOARD_"
SIGN_INS = ("token", "oidc")
ROLES = ("analyst", "support", "reviewer", "admin")


class DashboardSettings(Declared):
    """How the dashboard is served."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)
    page: ClassVar[str] = "docs/dashboard.md"

    host: str = setting(
        "127.0.0.1", "address to listen on; `0.0.0.0` behind a proxy, which others reach"
    )
    port: int = setting(
        8501, "port to listen on; `make dashboard DASHBOARD_PORT=…`", ge=0, le=65_535
    )
    sign_in: str = setting(
        "token",
        "`token`, which is printed at the start, or `oidc`, by Streamlit's `secrets.toml`",
        pattern=f"^({'|'.join(SIGN_INS)})$",
        expected=" or ".join(SIGN_INS),
    )
    role: str = setting(
        "admin",
        "role of whoever has the token",
        pattern=f"^({'|'.join(ROLES)})$",
        expected=", ".join(ROLES),
    )
    token_hours: float = setting(12.0, "hours that the token of a start is valid", gt=0)
    roles_claim: str = setting("roles", "claim of the identity token with a person's roles")
    dagster_url: str = setting("http://127.0.0.1:3000", "the Dagster UI, which pictures link to")
