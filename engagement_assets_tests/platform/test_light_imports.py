"""What the definitions load must not pull in the learning libraries."""

import subprocess
import sys

import pytest

HEAVY = ("sklearn", "xgboost", "scipy", "woodelf", "fairlearn", "matplotlib", "torch", "dagster")


@pytest.mark.parametrize(
    "module",
    [
        "engagement_assets.learning.evaluation.metrics",
        "engagement_assets.learning.evaluation.splits",
        "engagement_assets.lifecycle.card",
        "engagement_assets.lifecycle.champion",
        "resources.registry",
    ],
)
def test_a_light_module_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([h for h in {HEAVY} if h in sys.modules])"
    actual = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert actual.stdout.strip() == "[]"


def test_the_pure_learning_code_knows_nothing_of_dagster():
    code = (
        "import sys, engagement_assets.learning.trees.classifier;"
        "import engagement_assets.learning.fairness.mitigation;"
        "import engagement_assets.learning.evaluation.plots;"
        "print('dagster' in sys.modules)"
    )
    actual = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert actual.stdout.strip() == "False"
