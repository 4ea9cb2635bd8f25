"""The sentiment model on onnxruntime, to be measured beside the runtime that is shipped.

Belongs here: exporting and running the encoder. Does not belong here: measuring (`sentiment.py`).
Needs `onnx` and `onnxruntime`, which the platform does not.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from engagement_assets.learning.text.heads import SentimentNetwork
from engagement_assets.learning.text.sentiment import SentimentModel


class _States(torch.nn.Module):
    """An encoder that gives nothing but its token vectors."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        measured: torch.Tensor = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state
        return measured


class _Session(torch.nn.Module):
    """An exported encoder in the place of the one it was made of; as many threads as torch's."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._made: dict[int, onnxruntime.InferenceSession] = {}
        self._payload = path.read_bytes()

    def forward(self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        threads = torch.get_num_threads()
        if threads not in self._made:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            self._made[threads] = onnxruntime.InferenceSession(self._payload, options)
        told = {"tokens": input_ids.numpy(), "mask": attention_mask.numpy()}
        states = self._made[threads].run(["states"], told)[0]
        return SimpleNamespace(last_hidden_state=torch.from_numpy(states))


def _export(body: torch.nn.Module, path: Path) -> None:
    body.config._attn_implementation = "eager"
    example = torch.ones((2, 7), dtype=torch.long)
    with warnings.catch_warnings():
        # the old exporter, which works offline, says that there is a newer one
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _States(body.float()).eval(),
            (example, example),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["tokens", "mask"],
            output_names=["states"],
            dynamic_axes={name: {0: "n", 1: "t"} for name in ("tokens", "mask", "states")},
        )


class OnnxFloat32(SentimentModel):
    """Scores in float32 on onnxruntime."""

    @staticmethod
    def _make_ready(network: SentimentNetwork) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "encoder.onnx"
            _export(network.body, path)
            network.body = _Session(path)


class OnnxInt8(SentimentModel):
    """Scores on onnxruntime with weights of 8 bits, a scale for each channel."""

    @staticmethod
    def _make_ready(network: SentimentNetwork) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path, small = Path(folder) / "encoder.onnx", Path(folder) / "small.onnx"
            _export(network.body, path)
            quantize_dynamic(path, small, per_channel=True, weight_type=QuantType.QInt8)
            network.body = _Session(small)
