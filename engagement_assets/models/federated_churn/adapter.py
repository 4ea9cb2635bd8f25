"""The federated churn model in its life: whose rows, under which budget, compared with what.

Belongs here: from the lake and the ledger to a candidate. Does not belong here: the methods
(`engagement_assets.learning.federated`) and wording (`reports.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.features.catalogue import FEATURES, MODEL_INPUTS
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.metrics import auc, evaluate, paired_auc_difference
from engagement_assets.learning.federated.clients import Clients
from engagement_assets.learning.federated.comparison import alone, fit_centrally
from engagement_assets.learning.federated.estimator import FederatedClassifier, Scale
from engagement_assets.learning.federated.privacy import BudgetSpentError
from engagement_assets.learning.torch_threads import torch_threads
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.rows import data_versions
from engagement_assets.lifecycle.training import data_card, learn_and_score, split_rows
from engagement_assets.models.federated_churn.budget import open_budget
from engagement_assets.models.federated_churn.reports import evaluation_markdown
from engagement_assets.models.federated_churn.spec import LABEL, PURPOSE

FEDERATED, CENTRAL, TREES = "federated", "the same net in one place", "XGBoost in one place"
ALONE = "each customer alone"
# Of a round, and the share of the clients that it is at most.
COHORT, MOST_ASKED = 5_000, 0.5
# A round in which noise is half as long as an update may be teaches little.
MOST_NOISE = 0.5
DROP_OUT = 0.1


def scales() -> dict[str, Scale]:
    """Return what a device makes of each number, by its declaration alone."""
    declared = {name: FEATURES[name] for name in MODEL_INPUTS if FEATURES[name].numeric}
    return {
        name: Scale(
            max(map(abs, feature.bounds or (1.0,))),
            logarithmic=feature.clip is not None,
            nullable=feature.nullable,
        )
        for name, feature in declared.items()
    }


class FederatedChurnAdapter:
    """Churn of those who agree to learn together; see `ModelAdapter`."""

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[FederatedClassifier]:
        """Learn from the training people who agree, and judge on test people later.

        Raises:
            NotTrainableError: Nobody agrees, the labels cannot be learnt from, or the budget of
                the quarter is spent.
            TooLittleDataError: So few agree that a round is mostly noise.
        """
        rows = {day: inputs.labelled(day, LABEL) for day in snapshots.all}
        learn, score = learn_and_score(
            pd.concat([rows[day] for day in snapshots.train], ignore_index=True),
            rows[snapshots.test],
        )
        agreed = inputs.agreed(PURPOSE)
        own = learn[learn["customer_id"].isin(agreed)].reset_index(drop=True)
        if own.empty:
            raise NotTrainableError(f"no training customer agrees to the purpose {PURPOSE}")
        reason = LABEL.unlearnable(own[LABEL.name].mean())
        if reason is not None:
            raise NotTrainableError(f"{LABEL.name} of those who agree: {reason}")
        later = split_rows(rows[snapshots.test], test=False)
        later = later[later["customer_id"].isin(set(own["customer_id"]))].reset_index(drop=True)
        model = self._fitted(inputs, snapshots.test, own)
        card = {
            **data_card(snapshots, own, score, list(model.scales)),
            **self._privacy(model),
            **self._measured(inputs, model, own=own, everybody=learn, score=score, later=later),
            "hidden": model.hidden,
            "seeds": {"comparison": inputs.seed},
        }
        return Trained(model, card)

    def _fitted(self, inputs: Inputs, day: date, own: pd.DataFrame) -> FederatedClassifier:
        if inputs.ledgers is None:
            raise ValueError("it is learnt under a budget of privacy, and no ledger is kept")
        names, clients = scales(), own["customer_id"].nunique()
        hidden = int(inputs.parameters["federated_hidden"])
        epsilon = float(inputs.parameters["federated_epsilon"])
        model = FederatedClassifier(
            scales=names,
            hidden=hidden,
            sample_rate=min(MOST_ASKED, COHORT / clients),
            drop_out=DROP_OUT,
            most_noise=MOST_NOISE,
            # cohorts and noise that nobody can draw again
            random_state=None,
            n_jobs=inputs.threads,
        )
        try:
            ledger, purpose = open_budget(
                inputs.ledgers, day, epsilon=epsilon, clients=clients, settings=f"hidden {hidden}"
            )
            return model.fit(
                own[list(names)],
                own[LABEL.name],
                groups=own["customer_id"],
                ledger=ledger,
                purpose=purpose,
            )
        except BudgetSpentError as error:
            raise NotTrainableError(
                f"the budget of privacy of the quarter of {day}: {error}"
            ) from error

    @staticmethod
    def _privacy(model: FederatedClassifier) -> dict[str, Any]:
        plan, ledger = model.plan_, model.ledger_
        assert plan is not None  # noqa: S101 - it was fitted with a budget
        assert ledger is not None  # noqa: S101 - it was fitted with a budget
        rounds = pd.DataFrame(model.history_)
        failed = sum(one.outcome == "failed" for one in ledger.releases[-model.rounds :])
        return {
            "privacy": {
                **plan.to_dict(),
                "releases": len(ledger.releases),
                "spent": ledger.spent(),
                "failed_rounds": failed,
                "asked": float(rounds["asked"].mean()),
                "answered": float(rounds["answered"].mean()),
                "clipped": float(rounds["clipped"].mean()) if "clipped" in rounds else None,
            }
        }

    def _measured(
        self,
        inputs: Inputs,
        model: FederatedClassifier,
        *,
        own: pd.DataFrame,
        everybody: pd.DataFrame,
        score: pd.DataFrame,
        later: pd.DataFrame,
    ) -> dict[str, Any]:
        """Return metrics of the federated model and of what it is compared with."""
        trees = CalibratedBoostingClassifier(random_state=inputs.seed, n_jobs=inputs.threads)
        trees.fit(
            everybody[list(MODEL_INPUTS)], everybody[LABEL.name], groups=everybody["customer_id"]
        )
        labels = own[LABEL.name].to_numpy(np.float32)
        with torch_threads(inputs.threads):
            net, weights = fit_centrally(
                model.inputs(own), labels, hidden=model.hidden, seed=inputs.seed
            )
            central = net.logits(weights, model.inputs(score))
        chances: dict[str, Floats] = {
            FEDERATED: model.predict_proba(score)[:, 1],
            CENTRAL: 1.0 / (1.0 + np.exp(-central)),
            TREES: trees.predict_proba(score[list(MODEL_INPUTS)])[:, 1],
        }
        truth = score[LABEL.name].to_numpy(np.float64)
        how: dict[str, Any] = {"n_bootstrap": inputs.bootstrap, "seed": inputs.seed}
        how["groups"] = score["customer_id"]
        metrics = evaluate(truth, chances[FEDERATED], threshold=0.5, **how)
        lead = {
            name: paired_auc_difference(truth, chances[FEDERATED], other, **how).to_dict()
            for name, other in chances.items()
            if name != FEDERATED
        }
        central_auc, below = auc(truth, chances[CENTRAL]), lead[CENTRAL]
        share = {end: 1.0 + below[end] / central_auc for end in ("value", "low", "high")}
        assert model.ledger_ is not None  # noqa: S101 - it was fitted with a budget
        return {
            "metrics": {
                **{name: metrics[name].to_dict() for name in ("auc", "log_loss", "base_rate")},
                "epsilon": model.ledger_.spent(),
                "share_of_central": share,
            },
            "methods": {name: auc(truth, chance) for name, chance in chances.items()},
            "beside": lead,
            "own_later": self._own_later(model, own, later),
        }

    @staticmethod
    def _own_later(
        model: FederatedClassifier, own: pd.DataFrame, later: pd.DataFrame
    ) -> dict[str, Any]:
        """Return AUCs on the clients' own rows at the later time: together, and each alone."""
        truth = later[LABEL.name].to_numpy(np.float64)
        if len(np.unique(truth)) < 2:
            return {"customers": len(later)}
        clients = Clients.from_rows(
            model.inputs(own), own[LABEL.name].to_numpy(np.float32), own["customer_id"]
        )
        places = np.searchsorted(clients.names.astype(str), later["customer_id"].astype(str))
        with torch_threads(model.n_jobs):
            odds = alone(clients, model.inputs(later), places.astype(np.intp))
        return {
            "customers": len(later),
            FEDERATED: auc(truth, model.predict_proba(later)[:, 1]),
            ALONE: auc(truth, 1.0 / (1.0 + np.exp(-odds))),
        }

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each partition that was learnt from or scored on."""
        return data_versions(inputs.engine.lake, snapshots.all, LABEL)

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """Return the evaluation of a version."""
        return evaluation_markdown(card)
