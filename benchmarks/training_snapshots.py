"""How many training snapshots to learn from, judged before the test snapshot is looked at.

    python -m benchmarks.stages --customers 100000 --lake LAKE
    python -m benchmarks.training_snapshots --lake LAKE

Learns from one, two and four snapshots and scores other people at the snapshot that the product
would learn from last, so the product's own test people at its test snapshot stay unseen. Belongs
here: that choice. Does not belong here: the product's figures (`benchmarks.stages`).
"""

import argparse
from datetime import timedelta

from benchmarks.stages import CHURN, DAYS, FIRST_DAY, SQL, engine
from engagement_assets.features.catalogue import CUSTOMER_FEATURES, MODEL_INPUTS
from engagement_assets.features.snapshot import land_labels, land_snapshot
from engagement_assets.learning.evaluation.metrics import auc, log_loss
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS, Snapshots
from engagement_assets.lifecycle.rows import labelled_rows, labelled_snapshots
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.source.known import product_sql
from resources.lake import Lake


def main() -> None:
    """Print a line for each number of snapshots and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True, help="a lake that benchmarks.stages left")
    options = parser.parse_args()
    lake, sql = Lake(options.lake), product_sql(SQL)
    last = FIRST_DAY + timedelta(days=DAYS - 1)
    scored_at = Snapshots.before(last, first_day=FIRST_DAY).train[0]
    months = [scored_at - timedelta(days=CHURN_WINDOW_DAYS * n) for n in range(1, 5)]
    for day in [scored_at, *months]:
        if not (lake.exists(CUSTOMER_FEATURES, day) and lake.exists(CHURN.key, day)):
            land_snapshot(engine(options), sql, day)
            land_labels(engine(options), sql, day, labels=[CHURN])
    score = split_rows(labelled_rows(lake, scored_at, CHURN), test=True)
    columns = list(MODEL_INPUTS)
    print("| snapshots | rows | seed | AUC | log loss |\n|---:|---:|---:|---:|---:|")
    for count in (1, 2, 4):
        learn = split_rows(labelled_snapshots(lake, months[:count], CHURN), test=False)
        for seed in (0, 1, 2):
            model = CalibratedBoostingClassifier(n_jobs=2, random_state=seed)
            model.fit(learn[columns], learn[CHURN.name], groups=learn["customer_id"])
            p = model.predict_proba(score[columns])[:, 1]
            print(
                f"| {count} | {len(learn):,} | {seed} | {auc(score[CHURN.name], p):.4f} "
                f"| {log_loss(score[CHURN.name], p):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
