"""The tables of settings in the docs, made from the fields.

Belongs here: where they stand. Does not belong here: how one reads (`settings/fields.py`).
"""

import re
from pathlib import Path

from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.chat import ChatSettings
from engagement_assets.settings.dashboard import DashboardSettings
from engagement_assets.settings.deployment import AwsSettings
from engagement_assets.settings.installation import PROJECT, Settings


def blocks() -> dict[str, str]:
    """What stands between the two lines that say `made by engagement docs`, by file."""
    return {
        "README.md": Settings.table(),
        "docs/api.md": ApiSettings.table(),
        "docs/dashboard.md": DashboardSettings.table(),
        "docs/ask.md": ChatSettings.table(),
        "docs/aws.md": AwsSettings.table(),
        "Makefile": f"SETTINGS := {' '.join(Settings.variables().values())}",
    }


def outdated() -> dict[Path, str]:
    """The text that each file must have, of those that have another.

    Raises:
        ValueError: A file does not have exactly one place for what is made.
    """
    texts = {}
    for name, block in blocks().items():
        path = PROJECT / name
        text = path.read_text()
        parts = re.split(
            r"(?<=made by )(`?engagement docs[^\n]*\n).*?(\n[^\n]*end of what is made)",
            text,
            flags=re.DOTALL,
        )
        if len(parts) != 4:
            raise ValueError(f"{path}: expected one place between the lines of what is made")
        before, begin, end, after = parts
        made = f"{before}{begin}{block}{end}{after}"
        if made != text:
            texts[path] = made
    return texts
