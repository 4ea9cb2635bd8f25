"""A fitted detector as files: JSON, safetensors and UBJSON, never code.

Belongs here: writing and reading. Does not belong here: what is learnt (`detector.py`) and
checking that files are those that were registered (`resources.registry`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.anomaly.calibration import TailRank
from engagement_assets.learning.anomaly.components import Components
from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.anomaly.kinds import KindRuler, KindRules
from engagement_assets.learning.anomaly.preparation import Preparation
from engagement_assets.learning.anomaly.review_labels import VerdictModel

if TYPE_CHECKING:
    from upath import UPath

FORMAT = "engagement-anomaly-detector/1"
DETECTOR_FILE = "detector.json"
ARRAYS_FILE = "components.safetensors"


def save_detector(detector: AnomalyDetector, folder: Path | UPath | str) -> None:
    """Write a fitted detector; `folder` is made when it is not there."""
    check_is_fitted(detector, "rank_")
    target = Path(folder) if isinstance(folder, str) else folder
    target.mkdir(parents=True, exist_ok=True)
    files = {} if detector.verdict_model_ is None else detector.verdict_model_.to_files()
    parameters = detector.get_params()
    rules = parameters.pop("rules")
    state: dict[str, Any] = {
        "format": FORMAT,
        "parameters": parameters,
        "rules": None if rules is None else rules.to_dict(),
        "preparation": detector.preparation_.to_dict(),
        "ranks": {name: rank.to_dict() for name, rank in detector.ranks_.items()},
        "mean_rank": detector.mean_rank_.to_dict(),
        "unsupervised_rank": detector.unsupervised_rank_.to_dict(),
        "rank": detector.rank_.to_dict(),
        "typical_values": detector.typical_values_,
        "ruler": detector.ruler_.to_dict(),
        "training_rows": detector.n_rows_,
        "blend": detector.blend_,
        "blend_scores": [list(pair) for pair in detector.blend_scores_.items()],
        "verdict_counts": detector.verdict_counts_,
        "verdict_files": list(files),
        "statements": detector.statements_,
    }
    for name, content in files.items():
        (target / name).write_bytes(content)
    (target / ARRAYS_FILE).write_bytes(save_arrays(detector.components_.to_arrays()))
    (target / DETECTOR_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))


def load_detector(folder: Path | UPath | str) -> AnomalyDetector:
    """Read what `save_detector` wrote.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The files are of another format.
    """
    source = Path(folder) if isinstance(folder, str) else folder
    state = json.loads((source / DETECTOR_FILE).read_text())
    if state.get("format") != FORMAT:
        raise ValueError(f"{source} has format {state.get('format')!r}, expected {FORMAT!r}")
    rules = None if state["rules"] is None else KindRules.from_dict(state["rules"])
    detector = AnomalyDetector(**state["parameters"], rules=rules)
    detector.preparation_ = Preparation.from_dict(state["preparation"])
    detector._name_features(detector.preparation_)
    detector.components_ = Components.from_arrays(
        load_arrays((source / ARRAYS_FILE).read_bytes()),
        hidden=detector.hidden,
        seed=detector.random_state,
    )
    detector.ranks_ = {name: TailRank.from_dict(data) for name, data in state["ranks"].items()}
    detector.mean_rank_ = TailRank.from_dict(state["mean_rank"])
    detector.unsupervised_rank_ = TailRank.from_dict(state["unsupervised_rank"])
    detector.rank_ = TailRank.from_dict(state["rank"])
    detector.typical_values_ = dict(state["typical_values"])
    detector.ruler_ = KindRuler.from_dict(state["ruler"], detector.typical_values_)
    detector.n_rows_ = int(state["training_rows"])
    detector.blend_ = float(state["blend"])
    detector.blend_scores_ = {float(w): float(found) for w, found in state["blend_scores"]}
    detector.verdict_counts_ = dict(state["verdict_counts"])
    detector.statements_ = list(state["statements"])
    files = [(source / name).read_bytes() for name in state["verdict_files"]]
    detector.verdict_model_ = VerdictModel.from_files(files) if files else None
    return detector


def with_threads(detector: AnomalyDetector, n_jobs: int | None) -> AnomalyDetector:
    """Let a loaded detector use so many threads."""
    detector.set_params(n_jobs=n_jobs)
    return detector
