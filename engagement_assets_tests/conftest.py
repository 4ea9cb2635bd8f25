"""No test sees or moves the home that a person works with."""

import os
import tempfile
from pathlib import Path

os.environ["ENGAGEMENT_HOME"] = str(Path(tempfile.gettempdir()) / "no-engagement-home")
for name in ("ENGAGEMENT_DEPLOYMENT", "ENGAGEMENT_EVENT_LOG", "DAGSTER_HOME"):
    os.environ.pop(name, None)
