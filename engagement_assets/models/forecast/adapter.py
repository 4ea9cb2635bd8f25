"""What the forecast does in its life: from the lake to candidate, report and forecasts.

Belongs here: putting the pure modules behind the interface that every model has. Does not belong
here: reading series (`series.py`), learning (`engagement_assets.learning.forecasting`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.scores import quantile_edges, score_shares
from engagement_assets.learning.forecasting.breaks import LevelShift
from engagement_assets.learning.forecasting.combination import block_interval
from engagement_assets.learning.forecasting.forecaster import Forecaster
from engagement_assets.learning.forecasting.panel import Floats, Folder
from engagement_assets.learning.forecasting.rendering import quality_markdown, shifts_markdown
from engagement_assets.learning.forecasting.replay import NAIVE, Replay, figures
from engagement_assets.lifecycle.adapter import Inputs, Predicted, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.models.forecast.capacity import PROFILE_WEEKS, HourlyNeed, hourly_need
from engagement_assets.models.forecast.series import (
    HORIZON,
    METRICS,
    OTHER,
    calendar_of,
    daily_series,
    parts_of,
    read_cells,
    read_hours,
    regions_of,
    segments_known,
    split_name,
    sums_of,
)
from engagement_assets.models.forecast.spec import EVENTS, SPEC
from resources.registry import RegisteredModel

STATE_FILE, HISTORY_FILE = "forecast.json", "history.parquet"
_USUAL_DAYS = 28


@dataclass
class ForecastModel:
    """The forecaster of the days, and what hours need beyond them.

    Attributes:
        forecaster: Forecasts days.
        need: What hours exceed their forecast by.
        metrics: Metrics that have rows.
        parts: Parts by breakdown.
        cells: What was done on each day until the training, counted, so that a day's forecast
            need not read years of rows again.
        segments_by: The latest day with segments at the training; they count until the next one.
    """

    forecaster: Forecaster
    need: HourlyNeed
    metrics: tuple[str, ...]
    parts: dict[str, list[str]]
    cells: pd.DataFrame
    segments_by: date

    def save(self, folder: Folder) -> None:
        """Write it as JSON and safetensors."""
        self.forecaster.save(folder)
        state = {
            "need": self.need.to_dict(),
            "metrics": self.metrics,
            "parts": self.parts,
            "segments_by": self.segments_by.isoformat(),
        }
        (folder / STATE_FILE).write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
        buffer = BytesIO()
        self.cells.to_parquet(buffer, index=False)
        (folder / HISTORY_FILE).write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, folder: Folder) -> ForecastModel:
        """Read what `save` wrote."""
        state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        return cls(
            Forecaster.load(folder),
            HourlyNeed.from_dict(state["need"]),
            tuple(state["metrics"]),
            state["parts"],
            pd.read_parquet(BytesIO((folder / HISTORY_FILE).read_bytes())),
            date.fromisoformat(state["segments_by"]),
        )


class ForecastAdapter:
    """The forecast's methods; see `ModelAdapter`."""

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[ForecastModel]:
        """Replay the past of every series, and learn weights and intervals from it."""
        day = snapshots.test
        segments_by = segments_known(inputs, day)
        cells = read_cells(inputs, day, segments_by=segments_by)
        metrics = tuple(name for name in METRICS if cells[name].any())
        parts = parts_of(cells)
        series = daily_series(cells, parts, metrics, last=day)
        forecaster = Forecaster(horizon=HORIZON, random_state=inputs.seed, n_jobs=inputs.threads)
        forecaster.fit(
            series,
            sums=sums_of(parts, metrics),
            calendar=calendar_of(inputs, parts["location"], day),
            regions=regions_of(parts, metrics),
        )
        replay = forecaster.replay_
        sessions = replay.point[forecaster.names_.index("sessions")]
        days = int(replay.origins[-1]) + 1 + HORIZON
        first = max(int(replay.origins[0]) + 1 - PROFILE_WEEKS * 7, 0)
        hours = read_hours(inputs, day, days=days - first)
        need = hourly_need(hours, sessions, replay.origins - first)
        card = _card(forecaster, need, seed=inputs.seed) | {
            "training_snapshot": day.isoformat(),
            "training_snapshots": [day.isoformat()],
            "test_snapshot": day.isoformat(),
            "history_days": days,
            "without_rows": [name for name in METRICS if name not in metrics],
            "seeds": {"training": inputs.seed},
        }
        return Trained(ForecastModel(forecaster, need, metrics, parts, cells, segments_by), card)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each partition that was learnt from."""
        lake = inputs.engine.lake
        return {
            f"{table}/{day}": lake.digest(table, day)
            for table in EVENTS
            for day in lake.days(table)
            if day <= snapshots.test
        }

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """Return the evaluation of a version."""
        shifts = {
            name: [LevelShift.from_dict(one) for one in there]
            for name, there in card["shifts"].items()
        }
        need = HourlyNeed.from_dict(card["hours"])
        return "\n\n".join(
            [
                f"{card['history_days']} days of history until {card['training_snapshot']}.",
                "\n".join(f"- {note}" for note in card["notes"]) or "Nothing lacked.",
                quality_markdown(card["figures"], card["weights"]),
                shifts_markdown(shifts),
                f"Capacity plan: {need.exceeded:.1%} of {need.hours:,} later hours exceeded the "
                "95th percentile planned from earlier origins; 5 % are meant to.",
            ]
        )

    def champion_advantage(
        self,
        inputs: Inputs,  # noqa: ARG002 - both are the same methods
        champion: RegisteredModel,  # noqa: ARG002 - as above: weights of older days
        candidate: RegisteredModel,  # noqa: ARG002 - as above: weights of newer ones
    ) -> Interval:
        """Return none: both weigh the same methods, the candidate by newer origins."""
        return Interval(0.0, 0.0, 0.0)

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Forecast the seven days after a day."""
        learnt = ForecastModel.load(model.folder)
        series = history_of(inputs, learnt, day)
        calendar = calendar_of(inputs, learnt.parts["location"], day)
        made = learnt.forecaster.predict(series, calendar=calendar)
        past = series[series["time"] > pd.Timestamp(day) - pd.Timedelta(days=_USUAL_DAYS)]
        usual = made["series"].map(past.groupby("series")["value"].mean()).to_numpy()
        made["to_usual"] = np.where(usual != 0, made["value"] / np.where(usual != 0, usual, 1), 1.0)
        made[["metric", "breakdown", "part"]] = [split_name(name) for name in made["series"]]
        # what all other parts are is a series of its own, and mostly there are none
        empty = set(series.groupby("series")["value"].any().loc[lambda any_: ~any_].index)
        made = made[~((made["part"] == OTHER) & made["series"].isin(empty))]
        made["target_day"] = made["time"].dt.date
        table = made[[column.name for column in SPEC.columns]].reset_index(drop=True)
        totals = made[(made["breakdown"] == "total") & (made["horizon"] == 1)]
        shown = {
            f"{metric}_tomorrow": float(value)
            for metric, value in zip(totals["metric"], totals["value"], strict=True)
        }
        return Predicted(table, {}, "", figures=shown)


def history_of(inputs: Inputs, learnt: ForecastModel, day: date) -> pd.DataFrame:
    """Return the series of a champion until a day.

    Days before the training are as counted then; its last day, of which rows came late, and those
    after it are read. Before the training all is read, as known on the day.
    """
    trained, segments_by = learnt.cells["day"].max().date(), learnt.segments_by
    if day < trained:
        cells = read_cells(inputs, day, segments_by=segments_by)
    else:
        days = (day - trained).days + 1
        new = read_cells(inputs, day, segments_by=segments_by, days=days)
        old = learnt.cells[learnt.cells["day"] < pd.Timestamp(trained)]
        cells = pd.concat([old, new], ignore_index=True)
    return daily_series(cells, learnt.parts, learnt.metrics, last=day)


def _card(forecaster: Forecaster, need: HourlyNeed, *, seed: int) -> dict[str, Any]:
    replay = forecaster.replay_
    made = figures(replay, forecaster.groups, horizon=HORIZON, season=forecaster.season, seed=seed)
    names = replay.methods
    weights = {
        group: {
            "values": dict(zip(names, one.values.tolist(), strict=True)),
            "earned": one.to_dict()["earned"],
        }
        for group, one in forecaster.weights_.items()
    }
    covered = coverage_interval(replay, seed=seed)
    relative = _relative(replay)
    edges = quantile_edges(relative)
    return {
        "metrics": {
            "advantage": advantage(replay, forecaster, seed=seed).to_dict(),
            "coverage": covered.to_dict(),
            "coverage_error": abs(covered.value - forecaster.level),
            "hours_exceeded": need.exceeded,
        },
        "coverage_by_chance": by_chance(covered, origins=made["judged_origins"]),
        "judged_origins": made["judged_origins"],
        "figures": made,
        "weights": weights,
        "notes": forecaster.notes_,
        "shifts": {
            name: [one.to_dict() for one in there] for name, there in forecaster.shifts_.items()
        },
        "hours": need.to_dict(),
        "score_edges": edges,
        "score_shares": score_shares(relative, edges=edges),
        # the drift check counts what the shares are of
        "test_customers": len(relative),
    }


def advantage(replay: Replay, forecaster: Forecaster, *, seed: int) -> Interval:
    """Return how much less the totals' forecasts err than seasonal naive, with interval."""
    rows = [row for row, name in enumerate(forecaster.names_) if split_name(name)[1] == "total"]
    later, naive = slice(replay.first, None), replay.methods.index(NAIVE)
    scale = np.maximum(replay.scale[rows], 1e-12)[:, None, None]
    actual = replay.actual[rows, later]
    errors = [
        (np.abs(made[rows, later] - actual) / scale).mean(axis=(0, 2))
        for made in (replay.each[naive], replay.point)
    ]
    return block_interval(errors[0] - errors[1], seed=seed)


def coverage_interval(replay: Replay, *, seed: int) -> Interval:
    """Return the share of values in their interval, whole origins drawn again."""
    there = replay.actual[:, replay.first :].any(axis=(1, 2))
    return block_interval(replay.covered[there].mean(axis=(0, 2)), seed=seed)


def by_chance(covered: Interval, *, origins: int) -> float:
    """Return how far the coverage of intervals that are right lies off in one of a hundred cases.

    Origins a day apart share six of their seven days, so as many weeks are independent as there
    are in them, and the spread that few weeks show is itself uncertain: Student's t.
    """
    weeks = origins // HORIZON
    if weeks < 2:
        return 1.0
    error = (covered.high - covered.low) / 2.0 / float(norm.ppf(0.975))
    return min(1.0, error * float(t.ppf(0.995, weeks - 1)))


def _relative(replay: Replay) -> Floats:
    """Return forecasts over the mean of the days before, of series that are not 0."""
    there = replay.scale > 0
    made: Floats = (replay.point[there] / replay.level[there][:, :, None]).ravel()
    return made
