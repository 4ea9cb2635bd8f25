"""The product rule of categories: every list has at least so many.

Belongs here: repairing ranked lists so that they hold enough categories. Does not belong here:
scoring, or which items may be shown at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
NOTHING = -1


def count_categories(lists: Ints, category: Ints) -> Ints:
    """Number of distinct known categories in each list.

    Args:
        lists: n x k items; -1 where a list has no more.
        category: Category of each item; -1 unknown, which counts as none.
    """
    shown = np.where(lists >= 0, category[lists], -1)
    ordered = np.sort(shown, axis=1)
    fresh = np.ones_like(ordered, dtype=bool)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    counts: Ints = (fresh & (ordered >= 0)).sum(axis=1)
    return counts


def diversify(
    ranked: Ints, best: Ints, best_score: NDArray[np.float32], category: Ints, *, least: int
) -> tuple[Ints, NDArray[np.bool_]]:
    """Bring one list up to `least` categories, at the least cost in score.

    The best item of the missing category with the highest score takes the place of the lowest item
    whose category the list shows more than once, until there are enough. New items stand at the
    end, best first, so that the order by score is kept.

    Args:
        ranked: The k items of the list, best first; no padding.
        best: The best item of each of c categories for this user; -1 where there is none.
        best_score: Its score.
        category: Category of each item; -1 unknown.
        least: Categories wanted.

    Returns:
        The list and which of its items were put in by the rule. The list has fewer categories than
        wanted only where fewer can be had or the list is too short.
    """
    chosen = [int(item) for item in ranked]
    put_in: list[int] = []
    shown = set(category[ranked][category[ranked] >= 0].tolist())
    missing = [
        int(best[c])
        for c in np.argsort(-best_score, kind="stable")
        if best[c] >= 0 and int(c) not in shown
    ]
    counts = np.bincount(category[ranked][category[ranked] >= 0], minlength=len(best))
    while len(shown) < min(least, len(ranked)) and missing:
        item = missing.pop(0)
        for place in range(len(chosen) - 1, -1, -1):
            lost = int(category[chosen[place]])
            if lost < 0 or counts[lost] > 1:
                break
        if lost >= 0:
            counts[lost] -= 1
        chosen.pop(place)
        put_in.append(item)
        shown.add(int(category[item]))
        counts[category[item]] += 1
    order = np.array(chosen + put_in, dtype=np.int64)
    return order, np.isin(order, put_in)
