"""Labelled rows of a snapshot, as models learn from them and are scored on them.

Belongs here: reading and joining. Does not belong here: who is learnt from and who is scored.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import WINDOW_COLUMN, Label
from resources.lake import Lake, MissingPartitionError


def used_within(rows: pd.DataFrame, days: int) -> NDArray[np.bool_]:
    """Return which of n customers had a session in the days that end with the snapshot."""
    idle = pd.to_numeric(rows["days_since_last_login"])
    used: NDArray[np.bool_] = (idle < days).fillna(False).to_numpy(np.bool_)
    return used


def labelled_rows(lake: Lake, snapshot: date, label: Label) -> pd.DataFrame:
    """Return features and a label, with every column of its own, of the customers who have one.

    Raises:
        MissingPartitionError: The snapshot or its labels are not in the lake, or the labels look at
            another number of days than is set.
    """
    features = lake.read(CUSTOMER_FEATURES, days=[snapshot]).to_pandas()
    columns = [name for name in label.names if name != "snapshot_date"]
    labels = lake.read(label.key, days=[snapshot], columns=columns).to_pandas()
    other = set(labels.pop(WINDOW_COLUMN.name)) - {label.window_days}
    if other:
        raise MissingPartitionError(
            f"{label.key} of {snapshot} looks at {other.pop()} days, and {label.window_days} are "
            f"set: run the job `label_{label.name}` for {snapshot}"
        )
    rows: pd.DataFrame = features.merge(labels, on="customer_id", validate="one_to_one")
    return rows


def labelled_snapshots(lake: Lake, snapshots: Sequence[date], label: Label) -> pd.DataFrame:
    """Return labelled rows of several snapshots, one below the other.

    Raises:
        MissingPartitionError: One of them or its labels is not in the lake.
    """
    return pd.concat(
        [labelled_rows(lake, snapshot, label) for snapshot in snapshots], ignore_index=True
    )


def data_versions(lake: Lake, snapshots: Sequence[date], label: Label) -> dict[str, str]:
    """Return what the rows of snapshots were made from: a digest of each partition by its name."""
    return {
        f"{table}/{day}": lake.digest(table, day)
        for day in snapshots
        for table in (CUSTOMER_FEATURES, label.key)
    }
