"""Levers, from the declarations of the features.

Belongs here: from declarations to what the search takes. Does not belong here: which features a
customer can change (`features/declarations/`) and the search (`learning.counterfactuals`).
"""

from __future__ import annotations

from collections.abc import Iterable

from engagement_assets.features.feature import Change, Feature
from engagement_assets.learning.counterfactuals.search import Lever


def levers_of(features: Iterable[Feature]) -> dict[str, tuple[Lever, Change]]:
    """Return the lever of each feature that a customer can change, with its declaration.

    Raises:
        ValueError: A feature moves with one that is not declared to be changed.
    """
    declared = {feature.name: feature for feature in features}
    changed = {name: one.change for name, one in declared.items() if one.change is not None}
    strange = [
        one.name for one in declared.values() if one.moves_with and one.moves_with not in changed
    ]
    if strange:
        raise ValueError(f"{', '.join(strange)}: moves_with names no feature with a change")
    families = {
        name: tuple(one.name for one in declared.values() if one.moves_with == name)
        for name in changed
    }
    return {
        name: (
            Lever(
                feature=name,
                direction=change.direction,
                words=change.words,
                with_it=families[name],
                lasting=tuple(
                    one for one in (name, *families[name]) if declared[one].calendar == "total"
                ),
            ),
            change,
        )
        for name, change in changed.items()
    }
