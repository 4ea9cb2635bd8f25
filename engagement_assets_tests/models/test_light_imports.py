"""What the definitions load must not pull in the learning libraries."""

import subprocess
import sys

import pytest

HEAVY = ("sklearn", "xgboost", "scipy", "woodelf", "fairlearn", "matplotlib", "torch", "dagster")


@pytest.mark.parametrize(
    "module",
    [
        "engagement_assets.evaluation",
        "engagement_assets.evaluation.metrics",
        "engagement_assets.evaluation.splits",
        "engagement_assets.models.card",
        "engagement_assets.models.champion",
        "resources.registry",
    ],
)
def test_a_light_module_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([h for h in {HEAVY} if h in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_pure_learning_code_knows_nothing_of_dagster():
    code = (
        "import sys, engagement_assets.models.churn.estimator;"
        "import engagement_assets.evaluation.mitigation, engagement_assets.evaluation.plots;"
        "print('dagster' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
