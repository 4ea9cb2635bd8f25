"""Settings that give a value by name: `name=value,name=value`.

Belongs here: reading them, and what they may name. Does not belong here: the settings themselves
(`installation.py`) and what is done with the values.
"""

import re
from collections.abc import Iterator

CHANNEL_CAC = "organic=2,referral=8,social=18,search=30"
# Models that select people whose true label is known later.
REFERENCED = ("churn", "engagement", "lifetime_value", "ensemble")
# What may be done by model so that groups are treated alike.
MITIGATED = {"churn": ("parity", "reweighing"), "recommendation": ("exposure",)}
_COST = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_CHANNEL = re.compile(r"[a-z][a-z0-9_]*")


def channel_costs(text: str) -> dict[str, float]:
    """Costs by channel from `name=cost,name=cost`.

    Raises:
        ValueError: It is not of that form.
    """
    costs: dict[str, float] = {}
    for channel, cost in _pairs(text):
        if channel in costs or not (_CHANNEL.fullmatch(channel) and _COST.fullmatch(cost)):
            raise ValueError(f"expected channels and their costs such as {CHANNEL_CAC}")
        costs[channel] = float(cost)
    if not costs:
        raise ValueError(f"expected a channel at least, such as {CHANNEL_CAC}")
    return costs


def fairness_references(text: str) -> dict[str, str]:
    """References by model from `model=reference,model=reference`; `truth` where none is given.

    Raises:
        ValueError: It is not of that form.
    """
    references = dict.fromkeys(REFERENCED, "truth")
    for model, reference in _pairs(text):
        if model not in references or reference not in ("truth", "equal"):
            raise ValueError(
                f"expected models of {', '.join(REFERENCED)} with truth or equal, such as "
                f"churn=equal; got {model}={reference}"
            )
        references[model] = reference
    return references


def fairness_mitigations(text: str) -> dict[str, str]:
    """Mitigations by model from `model=method,model=method`; no entry where none is applied.

    Raises:
        ValueError: It is not of that form.
    """
    methods: dict[str, str] = {}
    for model, method in _pairs(text):
        if model in methods or method not in MITIGATED.get(model, ()):
            known = ", ".join(f"{name}={one}" for name, all_ in MITIGATED.items() for one in all_)
            raise ValueError(f"expected one each of {known}; got {model}={method}")
        methods[model] = method
    return methods


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of a text; empty parts are passed over."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        yield name, value
