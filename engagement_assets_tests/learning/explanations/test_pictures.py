"""shap draws the contributions that were computed before, with the rows' own values."""

import base64
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.explanations import pictures
from engagement_assets.learning.explanations.explanation import Explanation


def explanation(n=60):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "minutes": rng.normal(size=n),
            "spent $, with $ signs": np.where(rng.random(n) < 0.3, np.nan, 5.0),
            "device": rng.choice(["phone", "web"], n),
            "paying": rng.random(n) < 0.4,
            "never known": np.full(n, np.nan),
        }
    )
    return Explanation(
        features=tuple(data.columns),
        contributions=rng.normal(size=data.shape).astype(np.float32),
        base_value=-1.0,
        method="by hand",
        additivity_error=0.0,
        rows_checked=n,
        fallback_reason=None,
        rank_correlation=np.zeros(data.shape[1]),
        seconds=0.0,
        data=data,
    )


DRAW = {"beeswarm": pictures.beeswarm, "waterfall": lambda of: pictures.waterfall(of, 3)}


@pytest.mark.parametrize("name", DRAW)
def test_a_picture_is_a_small_png_the_same_every_time(name):
    before = np.random.get_state()[1].copy()
    first, second = (DRAW[name](explanation()) for _ in range(2))
    assert first == second
    # chance of others is as it was
    assert (np.random.get_state()[1] == before).all()
    head, data = first.split("(data:image/png;base64,")
    png = base64.b64decode(data.removesuffix(")"), validate=True)
    assert head.startswith("![")
    assert png.startswith(b"\x89PNG")
    assert 4_000 < len(png) < 100_000


@pytest.mark.parametrize("name", DRAW)
def test_other_contributions_and_other_values_make_another_picture(name):
    usual = explanation()
    turned = replace(usual, contributions=-usual.contributions)
    other = replace(usual, data=usual.data.assign(minutes=usual.data["minutes"][::-1].to_numpy()))
    assert len({DRAW[name](of) for of in (usual, turned, other)}) == 3


@pytest.mark.parametrize("name", DRAW)
def test_an_explanation_without_its_rows_is_an_error(name):
    with pytest.raises(ValueError, match="nothing to draw"):
        DRAW[name](replace(explanation(), data=None))
