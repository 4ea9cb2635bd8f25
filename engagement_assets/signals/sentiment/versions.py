"""Versions of the sentiment model in the registry: the shipped adapter and those that were trained.

Belongs here: registering an adapter, which version scores, whether a trained one may. Does not
belong here: training and the files of an adapter (`learning/text`).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.registry import ModelRegistry, RegisteredModel, registered

NAME = "sentiment"


def register_adapter(registry: ModelRegistry, folder: Path) -> str:
    """Register an adapter's folder and return its version; one that is there stays as it is.

    Raises:
        AdapterError: The folder holds no adapter, or its weights were changed.
    """
    from engagement_assets.learning.text.heads import WEIGHTS_FILE, load_adapter  # noqa: PLC0415 - heavy

    _, card = load_adapter(folder)
    with tempfile.TemporaryDirectory() as files:
        (Path(files) / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes())
        return registry.register(NAME, Path(files), card)


def scoring_version(registry: ModelRegistry, *, adapter: str = "") -> RegisteredModel:
    """Return the version that scores: that of a set folder, or else the champion.

    The shipped adapter is the first champion.

    Args:
        registry: Where versions are kept.
        adapter: Folder of an adapter that is used whichever is champion; registered with its first
            use.

    Raises:
        AdapterError: The folder holds no adapter.
        TamperedModelError: The version's files are not what was registered.
    """
    version = register_adapter(registry, Path(adapter)) if adapter else registry.champion(NAME)
    if version is None:
        from engagement_assets.learning.text.sentiment import SHIPPED  # noqa: PLC0415 - heavy

        version = register_adapter(registry, SHIPPED)
        registry.promote(NAME, version, "shipped with the platform")
    return registered(registry, NAME, version)


def refusals(card: Mapping[str, Any], *, tasks: tuple[str, ...], encoder: str) -> list[str]:
    """Return why a trained adapter must not become champion; nothing where it may.

    Args:
        card: Of the adapter.
        tasks: What it must have learnt, itself or the adapter that it went on from.
        encoder: The encoder that texts are scored with.
    """
    reasons = []
    learnt: set[str] = set()
    source: Mapping[str, Any] = card
    while source:
        learnt |= set(source["metrics"])
        source = source.get("start", {})
    untrained = [task for task in tasks if task not in learnt]
    if untrained:
        reasons.append(
            f"it was never trained on {', '.join(untrained)}: go on from another adapter"
        )
    if card["encoder"] != encoder:
        reasons.append(f"texts are scored with {encoder}, it was trained on {card['encoder']}")
    for task, metric in card["metrics"].items():
        ours, plain = metric["adapter"]["value"], metric["tfidf_logistic_regression"]["value"]
        if not ours >= plain:
            reasons.append(
                f"{task}: {metric['measure']} {ours:.3f} on texts kept aside, at least {plain:.3f} "
                "wanted, which TF-IDF with logistic regression reaches"
            )
    return reasons
