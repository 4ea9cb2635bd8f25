"""Pictures are small PNGs inside Markdown, and the same table gives the same bytes."""

import base64

import numpy as np
import pytest

from engagement_assets.learning.evaluation import plots
from engagement_assets.learning.evaluation.metrics import lift_table, reliability_table


def pictures():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 4, 2000)
    y = rng.random(2000) < p
    return [
        plots.reliability_plot(reliability_table(y, p)),
        plots.lift_plot(lift_table(y, p, n_bootstrap=50)),
    ]


@pytest.mark.parametrize("i", range(2))
def test_a_picture_is_a_small_png_inside_markdown(i):
    picture = pictures()[i]
    head, data = picture.split("(data:image/png;base64,")
    assert head.startswith("![")
    png = base64.b64decode(data.removesuffix(")"), validate=True)
    assert png.startswith(b"\x89PNG")
    assert 4_000 < len(png) < 60_000


def test_the_same_table_gives_the_same_bytes():
    assert pictures() == pictures()


def test_a_lift_without_intervals_is_drawn():
    table = lift_table([0, 1] * 50, np.linspace(0, 1, 100), n_bootstrap=0)
    assert plots.lift_plot(table).startswith("![Lift by decile]")
