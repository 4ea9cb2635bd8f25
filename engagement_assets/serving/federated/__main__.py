"""Serve a federation from the files of one folder; see docs/federated.md.

Belongs here: from files to a server. Does not belong here: rounds and messages.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from upath import UPath

from engagement_assets.learning.federated.net import VectorNet, small_net
from engagement_assets.learning.federated.privacy import PrivacyLedger, PrivacyPlan
from engagement_assets.learning.federated.strategy import FedAvg
from engagement_assets.serving.federated.coordinator import Coordinator
from engagement_assets.serving.federated.server import federation_server


def coordinator_of(about: dict[str, Any], state: UPath) -> Coordinator:
    """Return the coordinator that a description asks for, going on from its state."""
    net = VectorNet(lambda: small_net(int(about["inputs"]), int(about["hidden"])))
    plan = None
    if about["epsilon"] is not None:
        plan = PrivacyPlan.for_budget(
            epsilon=float(about["epsilon"]),
            clients=int(about["clients"]),
            cohort=float(about["cohort"]),
            rounds=int(about["rounds"]),
            clip=float(about["clip"]),
        )
    return Coordinator(
        weights=net.first.copy(),
        strategy=FedAvg(
            plan.cohort if plan else int(about["wanted"]), plan, momentum=float(about["momentum"])
        ),
        clip=float(about["clip"]),
        local={**about["local"], "hidden": int(about["hidden"])},
        wanted=int(about["wanted"]),
        rounds=int(about["rounds"]),
        ledger=PrivacyLedger(plan.epsilon, plan.delta) if plan else None,
        stage_seconds=float(about["stage_seconds"]),
        folder=state,
    )


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", required=True, type=Path)
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    folder: Path = options.files
    about = json.loads((folder / "federation.json").read_text())
    federation_server(
        coordinator_of(about, UPath(folder / "state")),
        host=options.host,
        port=options.port,
        certificate=folder / "server.pem",
        key=folder / "server.key",
        authority=folder / "authority.pem",
    ).run()


if __name__ == "__main__":
    main()
