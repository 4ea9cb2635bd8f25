"""Takes a further model through a home, in a process whose list of models has one line more.

`python -m engagement_assets_tests.lifecycle.further_model` with the environment of
`homes.environment`; prints JSON. Belongs here: making days, running jobs and asking the API. Does
not belong here: what is expected (`test_further_model.py`).
"""

import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from engagement_assets.models import specs
from engagement_assets_tests.lifecycle.loyalty import SPEC

# the one line, and what follows from it: the rest is made from the list when it is imported
specs.EVERY_MODEL = (*specs.EVERY_MODEL, SPEC)
specs.MODELS = tuple(spec for spec in specs.EVERY_MODEL if spec.scores_customers)

from fastapi.testclient import TestClient

from engagement_assets.definitions import defs
from engagement_assets.serving.api.keys import new_key
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.settings.installation import current_home
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.platform.homes import Home
from engagement_assets_tests.platform.stories import run
from engagement_assets_tests.serving.conftest import open_api
from engagement_assets_tests.serving.worlds import (
    DAY,
    names,
    write_customers,
    write_features,
)

# two age bands of 200, in each of which logins are spread alike
PEOPLE = sorted(names(400))
SOON = 60.0
UNIFIED = ["predictions/customers", "predictions/changes"]


def write_days(home: Home) -> None:
    """Features of three days, and a day of sessions that says how far the data go."""
    sessions = TABLES["sessions"]
    write_customers(home.lake, DAY, *PEOPLE)
    home.lake.write(sessions, sessions.empty(), day=DAY)
    for back in range(3):
        day = DAY - timedelta(days=back)
        rows = [
            {
                "customer_id": name,
                "logins_month": place % 40,
                "age": 20 + 40 * (place // 40 % 2),
            }
            for place, name in enumerate(PEOPLE)
        ]
        write_features(home.lake, day, rows)


def asked(home: Home) -> dict[str, Any]:
    """What the API says of one customer, stored and scored now."""
    with tempfile.TemporaryDirectory() as folder:
        app, _, keys = open_api(home, Path(folder))
        with TestClient(app) as client:
            until = time.monotonic() + SOON
            while (ready := client.get("/readyz")).status_code != 200:
                if time.monotonic() > until:
                    raise TimeoutError(f"the API is not ready: {ready.text}")
                time.sleep(0.05)
            kept, token = new_key("test", ("read", "score"), rate="1000/second")
            keys.kept[kept.id] = kept
            client.headers["X-API-Key"] = token
            one = f"{PREFIX}/customers/{PEOPLE[5]}"
            features = {"customers": [{"customer_id": "new", "features": {"logins_month": 5}}]}
            return {
                "stored": client.get(one).json(),
                "why": client.get(f"{one}/explanations/loyalty").json(),
                "computed": client.get(one, params={"compute": True}).json(),
                "sent": client.post(f"{PREFIX}/score", json=features).json(),
                "models": client.get(f"{PREFIX}/models").json(),
            }


def main() -> None:
    """Run everything that a further model has."""
    home = Home(current_home())
    write_days(home)
    day = DAY.isoformat()
    training = run("train_loyalty")
    daily = run("predictions", day=day, assets=[*(f"loyalty/{n}" for n in SPEC.daily_parts)])
    unified = run("predictions", day=day, assets=UNIFIED)
    published = run("publish", day=day)
    graph = defs.resolve_asset_graph()
    told = {
        "runs": {
            "training": training,
            "daily": daily,
            "unified": unified,
            "published": published,
        },
        "jobs": sorted(job.name for job in defs.resolve_all_job_defs()),
        "sensors": sorted(sensor.name for sensor in defs.sensors or ()),
        "checks": sorted(
            f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys
        ),
        "scores": home.lake.read(SPEC.predictions, days=[DAY])
        .to_pandas()["loyalty_score"]
        .tolist(),
        "unified": home.lake.read(UNIFIED[0], days=[DAY]).slice(0, 1).to_pylist()[0],
        "api": asked(home),
    }
    sys.stdout.write(json.dumps(told, default=str) + "\n")


if __name__ == "__main__":
    main()
