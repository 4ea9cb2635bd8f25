"""The network behind sentiment: an encoder with low-rank adapters and two heads, and its files.

Belongs here: building it, saving and loading what was learnt. Does not belong here: learning
(`training.py`) and scoring (`model.py`).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from upath import UPath

from engagement_assets.learning.text.corpus import TASKS
from engagement_assets.learning.text.encoder import TextEncoder

FORMAT = "sentiment-adapter/1"
WEIGHTS_FILE = "adapter.safetensors"
CARD_FILE = "card.json"
RANK = 16
DROPOUT = 0.1


class AdapterError(RuntimeError):
    """An adapter cannot be used; the message says why and what to do."""


class SentimentNetwork(torch.nn.Module):
    """An encoder with adapters, pooled by mean and maximum, and a linear head a task.

    LoRA (Hu et al. 2021) on every linear layer: 0.7 million numbers are learnt instead of 23.

    Args:
        encoder: The encoder; its own weights stay as they are.
        rank: Rank of the adapters.

    Attributes:
        base: Fingerprint of the encoder.
    """

    def __init__(self, encoder: TextEncoder, *, rank: int = RANK) -> None:
        super().__init__()
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=DROPOUT / 2,
            target_modules="all-linear",
            exclude_modules=r".*pooler.*",
        )
        self.rank = rank
        # taken before the adapters wrap the encoder's layers
        self.base = encoder.fingerprint()
        with warnings.catch_warnings():
            # transformers warns of a property of its own that it is about to rename
            warnings.simplefilter("ignore", FutureWarning)
            # peft warns where an encoder has no pooler to leave out
            warnings.filterwarnings("ignore", message="You have passed exclude_modules")
            self.body: Any = get_peft_model(encoder.network, config)
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.heads = torch.nn.ModuleDict(
            {task: torch.nn.Linear(2 * encoder.width, len(names)) for task, names in TASKS.items()}
        )

    def pooled(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mean and maximum of the token vectors: n x 2d from n x t tokens."""
        states = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        shown = mask[..., None].bool()
        mean = (states * shown).sum(1) / shown.sum(1)
        largest = states.masked_fill(~shown, -1e4).amax(1)
        both: torch.Tensor = self.dropout(torch.cat([mean, largest], dim=1))
        return both

    def logits(self, task: str, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The logits of a task, n x its number of labels."""
        logits: torch.Tensor = self.heads[task](self.pooled(tokens, mask))
        return logits

    def learnt(self) -> dict[str, torch.Tensor]:
        """What was learnt, as float16: the adapters and the heads."""
        adapters = get_peft_model_state_dict(self.body)
        tensors = {f"lora.{name}": tensor for name, tensor in adapters.items()}
        tensors |= {f"heads.{name}": tensor for name, tensor in self.heads.state_dict().items()}
        return {
            name: tensor.detach().cpu().to(torch.float16).contiguous()
            for name, tensor in tensors.items()
        }

    def take(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put what was learnt in place.

        Raises:
            AdapterError: A tensor is missing, unknown or of another shape.
        """
        expected = self.learnt()
        wrong = sorted(
            name
            for name in expected.keys() | tensors.keys()
            if name not in expected
            or name not in tensors
            or expected[name].shape != tensors[name].shape
        )
        if wrong:
            raise AdapterError(f"the adapter does not fit the encoder: {', '.join(wrong[:3])}")
        wide = {name: tensor.float() for name, tensor in tensors.items()}
        set_peft_model_state_dict(self.body, _under(wide, "lora."))
        self.heads.load_state_dict(_under(wide, "heads."))

    def merge(self) -> None:
        """Add the adapters to the weights they adapt: faster, and no longer to be learnt."""
        self.body = self.body.merge_and_unload()


def _under(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def save_adapter(
    network: SentimentNetwork, encoder: TextEncoder, card: Mapping[str, Any], folder: Path
) -> None:
    """Write what was learnt and its card; the card seals the weights by their hash.

    Args:
        network: The network, not merged.
        encoder: What it was trained on; named in the card by a hash of its own weights.
        card: JSON data about the training.
        folder: Made when it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    payload = save_tensors(network.learnt())
    full = {
        "format": FORMAT,
        "encoder": encoder.name,
        "encoder_sha256": network.base,
        "rank": network.rank,
        "labels": {task: list(names) for task, names in TASKS.items()},
        "weights_sha256": hashlib.sha256(payload).hexdigest(),
        **card,
    }
    (folder / WEIGHTS_FILE).write_bytes(payload)
    (folder / CARD_FILE).write_text(json.dumps(full, indent=1, allow_nan=False) + "\n")


def load_adapter(folder: Path | UPath) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read an adapter's tensors and card, its bytes checked against the card.

    Raises:
        AdapterError: It is not there, of another format, or its weights were changed.
    """
    try:
        card = json.loads((folder / CARD_FILE).read_text())
        payload = (folder / WEIGHTS_FILE).read_bytes()
    except (OSError, json.JSONDecodeError) as error:
        raise AdapterError(
            f"{folder} holds no sentiment adapter ({WEIGHTS_FILE} and {CARD_FILE}): {error}; make "
            "one with `make train-sentiment CORPUS=…`"
        ) from error
    if card.get("format") != FORMAT:
        raise AdapterError(f"{folder}: format {card.get('format')!r}, expected {FORMAT!r}")
    if hashlib.sha256(payload).hexdigest() != card["weights_sha256"]:
        raise AdapterError(f"{folder / WEIGHTS_FILE} is not what its card was written for")
    return load_tensors(payload), card
