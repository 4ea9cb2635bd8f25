"""Tune a model of any table from the command line, and report on rows that no trial saw.

Belongs here: arguments, reading the table, and the report. Does not belong here: the search.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.metrics import evaluate
from engagement_assets.learning.evaluation.regression import evaluate_regression
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.learning.tuning.estimators import TunedClassifier, TunedRegressor
from engagement_assets.learning.tuning.gate import Challenge, challenge
from engagement_assets.learning.tuning.learners import FAMILIES, LIGHTGBM, family
from engagement_assets.learning.tuning.problem import BINARY, kind_of, predicted, row_losses
from engagement_assets.learning.tuning.report import tuning_markdown
from engagement_assets.learning.tuning.tuned import TunedEstimator

logger = logging.getLogger(__name__)

REPORT_FILE, MODEL_FOLDER, STUDY_FOLDER = "report.md", "model", "study"
WRONG = 2
# LightGBM's own number of trees
_DEFAULT_ROUNDS = 100


def parser() -> argparse.ArgumentParser:
    """Return the arguments."""
    made = argparse.ArgumentParser(
        prog="python -m engagement_assets.learning.tuning",
        description="Tune a model of a table (CSV or Parquet); write it and a report.",
    )
    add = made.add_argument
    add("table", type=Path, help="the file")
    add("--target", required=True, help="column to predict: numbers, or two classes")
    add("--positive", help="the class that counts as 1, where classes are not 0 and 1")
    add("--group", help="column of what belongs together, such as a customer; each row by default")
    add("--fold", help="column of fixed folds; a group in two of them is refused")
    add("--sensitive", nargs="*", default=[], help="columns to be fair by; not learnt from")
    add("--ignore", nargs="*", default=[], help="columns not to learn from")
    add("--trials", type=int, default=50)
    add("--minutes", type=float, default=10.0, help="time for the trials")
    add("--memory-mib", type=int, help="memory that a trial may take; no limit by default")
    add("--learners", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    add("--test-share", type=float, default=0.2, help="share of the groups that no trial sees")
    add("--threads", type=int, default=os.cpu_count())
    add("--seed", type=int, default=0)
    add(
        "--out",
        type=Path,
        help="folder of the results; beside the table by default. A search "
        "that was killed goes on from it",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Tune and report; return the exit status."""
    asked = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out = asked.out or asked.table.with_suffix(".tuned")
    try:
        text = tune(asked, out)
    except (OSError, TypeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    sys.stdout.write(f"{text.splitlines()[2]}\n{out / REPORT_FILE}\n{out / MODEL_FOLDER}\n")
    return 0


def tune(asked: argparse.Namespace, out: Path) -> str:
    """Tune as asked, write model and report, and return the report.

    Raises:
        OSError: The table cannot be read.
        ValueError: A column is missing, or the table cannot be learnt from.
    """
    table = _table(asked.table)
    named = [asked.target, asked.group, asked.fold, *asked.sensitive, *asked.ignore]
    missing = [name for name in named if name is not None and name not in table]
    if missing:
        raise ValueError(f"{asked.table} has no columns {missing}; it has {list(table)}")
    target = _target(table[asked.target], asked.positive)
    groups = pd.Series(range(len(table))) if asked.group is None else table[asked.group]
    inputs = table.drop(columns=[name for name in dict.fromkeys(named) if name is not None])
    inputs = inputs.dropna(axis=1, how="all")
    test = hash_split(groups, test_share=asked.test_share)
    if test.all() or not test.any():
        raise ValueError(f"{asked.table} has too few groups to set some aside for the report")
    model = _model(asked, target, out)
    model.fit(
        inputs[~test],
        target[~test],
        groups=groups[~test].to_numpy(),
        fold=None if asked.fold is None else table[asked.fold][~test].to_numpy(),
        sensitive=table.loc[~test, asked.sensitive] if asked.sensitive else None,
    )
    model.save(out / MODEL_FOLDER)
    metrics, beside = _judged(model, inputs, target, test, groups)
    text = _report(asked, model, metrics, beside, rows=(int((~test).sum()), int(test.sum())))
    (out / REPORT_FILE).write_text(text)
    return text


def _table(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def _target(column: pd.Series, positive: str | None) -> pd.Series:
    if column.isna().any():
        raise ValueError(f"{int(column.isna().sum())} targets are null: leave those rows out")
    if positive is None:
        return column
    named = column.astype(str)
    if positive not in set(named) or named.nunique() != 2:
        raise ValueError(
            f"expected two classes with {positive!r} among them, got {sorted(set(named))[:10]}"
        )
    return (named == positive).astype(int)


def _model(asked: argparse.Namespace, target: pd.Series, out: Path) -> TunedEstimator:
    how: dict[str, Any] = {
        "trials": asked.trials,
        "minutes": asked.minutes,
        "families": tuple(asked.learners),
        "memory_mib": asked.memory_mib,
        "study": str(out / STUDY_FOLDER),
        "random_state": asked.seed,
        "n_jobs": asked.threads,
    }
    return TunedClassifier(**how) if kind_of(target) == BINARY else TunedRegressor(**how)


def _judged(
    model: TunedEstimator,
    inputs: pd.DataFrame,
    target: pd.Series,
    test: np.ndarray,
    groups: pd.Series,
) -> tuple[Mapping[str, Interval], Challenge]:
    """Return metrics on the rows set aside, and the comparison with LightGBM's defaults there."""
    how: dict[str, Any] = {"groups": groups[test].to_numpy(), "seed": model.random_state}
    truth = target[test].to_numpy(np.float64)
    encoder = model.encoder_
    plain = family(LIGHTGBM)(
        {**family(LIGHTGBM).defaults, "rounds": _DEFAULT_ROUNDS},
        logistic=isinstance(model, TunedClassifier),
        categories=[i for i, kind in enumerate(encoder.kinds.values()) if kind == "category"],
        seed=model.random_state,
        n_jobs=model.n_jobs,
    ).fit(encoder.transform(inputs[~test]), target[~test].to_numpy(np.float64))
    kind = "binary" if isinstance(model, TunedClassifier) else "number"
    default = predicted(plain.margin(encoder.transform(inputs[test])), kind)  # type: ignore[arg-type]
    if isinstance(model, TunedClassifier):
        own = model.predict_proba(inputs[test])[:, 1]
        metrics = evaluate(truth, own, threshold=model.threshold_, **how)
    else:
        own = model.predict(inputs[test])
        metrics = evaluate_regression(truth, own, **how)
    losses = [row_losses(truth, prediction, kind) for prediction in (default, own)]  # type: ignore[arg-type]
    return metrics, challenge(*losses, **how)


def _report(
    asked: argparse.Namespace,
    model: TunedEstimator,
    metrics: Mapping[str, Interval],
    beside: Challenge,
    *,
    rows: tuple[int, int],
) -> str:
    reduction = beside.reduction
    figures = [
        (name.replace("_", " "), f"{one.value:.4f}", f"{one.low:.4f} – {one.high:.4f}")
        for name, one in metrics.items()
    ]
    align = [markdown.LEFT, markdown.RIGHT, markdown.RIGHT]
    return (
        "\n\n".join(
            [
                f"## {markdown.inline(asked.target)} of {markdown.inline(asked.table.name)}",
                f"Chosen: {model.choice_.name}. Learnt from {rows[0]:,} rows; on {rows[1]:,} rows "
                f"that no trial saw it takes {reduction.value:.1%} ({reduction.low:.1%} to "
                f"{reduction.high:.1%}) off the loss of LightGBM's defaults.",
                markdown.table(["metric", "value", "95 % interval"], figures, align=align),
                tuning_markdown(model.tuning()),
            ]
        )
        + "\n"
    )
