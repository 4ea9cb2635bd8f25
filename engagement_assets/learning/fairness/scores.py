"""Judge the fairness of any scores, and fit and price what would mend it.

Belongs here: one call on labels, scores and groups of a table. Does not belong here: how groups are
judged (`judging`) and moved (`mitigation`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.binary import as_labels
from engagement_assets.learning.fairness.measures import (
    BENEFIT,
    HARM,
    Reference,
    Selection,
    selection_fairness,
)
from engagement_assets.learning.fairness.mitigation import (
    ODDS,
    PARITY,
    Goal,
    Mitigation,
    fit_group_thresholds,
    mitigate,
    selection_figures,
)
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import FairnessReport

PEOPLE = "people"
_SPLIT = 7_919


@dataclass(frozen=True)
class ScoreFairness:
    """The fairness of scores.

    Attributes:
        report: Who is selected, on all people.
        mitigations: By goal, what would mend it: fitted on some of the people, judged and priced on
            the others.
    """

    report: FairnessReport
    mitigations: Mapping[str, Mitigation] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        mitigations = {goal: one.to_dict() for goal, one in self.mitigations.items()}
        return {"report": self.report.to_dict(), "mitigations": mitigations}

    def to_markdown(self) -> str:
        """Return it for people."""
        parts = [report_markdown(self.report)]
        return "\n\n".join([*parts, *(one.to_markdown() for one in self.mitigations.values())])


def score_fairness(
    y: ArrayLike,
    scores: ArrayLike,
    groups: pd.DataFrame | pd.Series,
    *,
    threshold: float,
    selection: Selection = BENEFIT,
    reference: Reference = "equal",
    fit_share: float = 0.5,
    attributes: Sequence[str] | None = None,
    **settings: Any,
) -> ScoreFairness:
    """Judge who of n people is selected by a score, and fit what would mend it.

    Parity of selection is judged always, and mended where an attribute has a gap of it; equalised
    odds are judged and mended where being selected is a harm.

    Args:
        y: n labels of 0 and 1.
        scores: n scores of people whom the model did not learn from; the higher, the sooner
            selected.
        groups: n rows with the sensitive attributes, or one of them.
        threshold: Score at or above which a person is selected.
        selection: Whether being selected is a benefit or a harm.
        reference: Whether a gap of selection that the labels have too is excused (`truth`) or
            counts (`equal`).
        fit_share: Share of the people that mitigations are fitted on.
        attributes: Columns to judge; all when None.
        settings: Settings of `judging.fairness_report`, such as the seed.

    Raises:
        ValueError: When the inputs differ in length or a setting is out of its range.
    """
    if not 0.0 < fit_share < 1.0:
        raise ValueError(f"fit_share must lie in (0, 1), got {fit_share}")
    table = groups.to_frame(groups.name or "group") if isinstance(groups, pd.Series) else groups
    table = table.reset_index(drop=True)
    labels, values = as_labels(y, both_classes=False), np.asarray(scores, dtype=np.float64)
    if len(values) != len(table) or len(labels) != len(table):
        raise ValueError(
            f"{len(labels)} labels, {len(values)} scores and {len(table)} rows of groups: give one "
            "of each for everybody"
        )
    how: dict[str, Any] = {
        "attributes": list(attributes or table.columns),
        "selection": selection,
        "reference": reference,
        "side": PEOPLE,
        **settings,
    }
    report = selection_fairness(labels, values >= threshold, table, **how)
    goals: list[Goal] = [PARITY, ODDS] if selection == HARM else [PARITY]
    moved = list(dict.fromkeys(row.attribute for row in report.rows if row.gap))
    if not moved:
        return ScoreFairness(report)
    # a stream of its own: data that were drawn by the same seed would be split by their draws
    rng = np.random.default_rng([settings.get("seed", 0), _SPLIT])
    fitted_on = rng.permutation(len(table)) < fit_share * len(table)
    judged = ~fitted_on
    mitigations: dict[str, Mitigation] = {}
    for goal in goals:
        thresholds = fit_group_thresholds(
            values[fitted_on],
            table[fitted_on],
            attributes=moved,
            threshold=threshold,
            y=labels[fitted_on],
            goal=goal,
            min_group_size=settings.get("min_group_size", 100),
        )
        mitigations[goal] = mitigate(
            labels[judged],
            values[judged],
            table[judged].reset_index(drop=True),
            threshold=threshold,
            thresholds=thresholds,
            figures=lambda marks: selection_figures(labels[judged], marks),
            **how,
        )
    return ScoreFairness(report, mitigations)
