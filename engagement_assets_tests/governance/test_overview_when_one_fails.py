"""The overview is made in the run in which a candidate is refused, and where reports lack."""

from datetime import date
from types import SimpleNamespace

import dagster as dg
import numpy as np
import pandas as pd

from engagement_assets.governance.assets import fairness_measures, governance_fairness
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.lifecycle import assets as lifecycle_assets
from engagement_assets.lifecycle.assets import training_assets
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.spec import UseCaseSpec
from engagement_assets.models.specs import CHURN
from resources.io_managers import ReportIOManager, TableIOManager
from resources.lake import Lake
from resources.registry import RegisteredModel

NOT_ASKED = ("source", "engine", "registry")


def refused(*_):
    """An assessment of a model that selects a group half as often."""
    people = pd.DataFrame({"gender": np.repeat(["a", "b"], 400)})
    selected = np.concatenate([np.arange(400) < 200, np.arange(400) < 100])
    return Assessment(selection_fairness(None, selected, people, attributes=["gender"]))


def test_the_overview_is_made_in_the_run_in_which_a_candidate_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(UseCaseSpec, "adapter", lambda _: SimpleNamespace(assess=refused))
    monkeypatch.setattr(lifecycle_assets, "inputs_of", lambda *_, **__: None)

    @dg.asset(key=[CHURN.name, "model"], io_manager_key="memory")
    def candidate():
        return RegisteredModel(name=CHURN.name, version="v1", folder=tmp_path, card={})

    _, _, fairness, _ = training_assets(CHURN)
    reports = ReportIOManager(root=str(tmp_path))
    made = dg.materialize(
        [candidate, fairness, governance_fairness],
        resources={
            "reports": reports,
            "memory": dg.mem_io_manager,
            "settings": ModelSettings(),
            **{name: dg.ResourceDefinition.hardcoded_resource(None) for name in NOT_ASKED},
        },
    )
    assert made.success
    (check,) = made.get_asset_check_evaluations()
    assert not check.passed
    overview = made.output_for_node("governance__fairness")
    assert overview.figures["models"][CHURN.name]["verdict"] == "fails"
    assert "gender=b" in overview.markdown
    others = {m["verdict"] for n, m in overview.figures["models"].items() if n != CHURN.name}
    assert others == {"no report"}

    day = fairness_measures.partitions_def.get_last_partition_key()
    tables = TableIOManager(root=str(tmp_path / "lake"))
    again = dg.materialize(
        [fairness_measures],
        resources={"reports": reports, "tables": tables},
        partition_key=day,
    )
    assert again.success
    rows = (
        Lake(str(tmp_path / "lake"))
        .read("governance/fairness_measures", days=[date.fromisoformat(day)])
        .to_pandas()
    )
    (failing,) = rows[rows["fails"]].to_dict("records")
    assert (failing["model"], failing["group_name"]) == (CHURN.name, "b")
    assert (failing["verdict"], failing["value"]) == ("fails", 0.25)
