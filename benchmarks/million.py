"""Features and churn at a million customers, stage by stage.

    python -m benchmarks.million --lake LAKE --json FILE

Each stage of `benchmarks.stages` that makes features, trains churn, predicts and explains, in a
process of its own. Without a kept lake the raw tables are simulated first, which takes longer than
all of it. Belongs here: which stages. Does not belong here: the stages.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import stages
from resources.lake import Lake

STAGES = ("snapshot", "training snapshots", "train", "predict and explain")


def main() -> None:
    """Run the stages, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=stages.DAYS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bootstrap", type=int, default=200)
    parser.add_argument("--lake", help="a lake with the raw tables; simulated when left out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.lake = options.lake or folder
        simulated = bool(Lake(options.lake).days("source/sessions"))
        chosen = STAGES if simulated else ("simulate", *STAGES)
        results = {stage: stages.run_stage(stage, options) for stage in chosen}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
