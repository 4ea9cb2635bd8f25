"""`python -m engagement_assets.commands`, which is the command `engagement`."""

from engagement_assets.commands.cli import app

app(prog_name="engagement")
