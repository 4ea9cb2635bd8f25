"""Networks that only infer: the precision that suits the processor, weights laid out once.

Belongs here: making a network that no longer learns faster without changing what it computes. Does
not belong here: which network.
"""

from __future__ import annotations

import logging

import torch

logger = logging.getLogger(__name__)

# Tokens that the layout is made for; other numbers of them work and are as exact.
_USUAL_TOKENS = 64


class _PackedLinear(torch.nn.Module):
    """A linear layer that only infers."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach().contiguous()
        # neither a parameter nor a buffer: the layout cannot be cast or saved
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, _USUAL_TOKENS)
        self._bias = None if layer.bias is None else layer.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, "none", [], ""
        )
        return output


def make_ready(network: torch.nn.Module) -> torch.dtype:
    """Bring a network into the fastest precision that costs no accuracy, its weights packed.

    bfloat16 where the processor computes in it, else float32: there bfloat16 is emulated, at
    several times the cost. By what the processor can do and not by a timing, so that one
    machine always gives the same scores.

    Args:
        network: Changed in place; it can then infer, no longer learn, be saved or cast.

    Returns:
        The precision.
    """
    precision = torch.bfloat16 if computes_in_bfloat16() else torch.float32
    network.to(precision)
    packed = pack_linear(network)
    logger.info(
        "texts are read in %s%s on %s",
        str(precision).removeprefix("torch."),
        ", packed," if packed else "",
        torch.backends.cpu.get_cpu_capability(),
    )
    return precision


def computes_in_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16."""
    able = torch.cpu.get_capabilities()
    if able["architecture"] == "x86_64":
        return bool(able["avx512_bf16"] or able["amx_bf16"])
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack_linear(network: torch.nn.Module) -> int:
    """Replace the linear layers inside a network by packed ones.

    oneDNN otherwise lays every weight out anew at every call, which costs more than the product
    where a text is short. The results differ by no more than the precision rounds. These are the
    operators that torch's own compiler puts in place of linear layers when it freezes a network,
    here without its start-up.

    Args:
        network: In bfloat16 or float32; changed in place, as by `make_ready`.

    Returns:
        Layers replaced; 0 where this torch lacks the operators, and the network stays as it is.
    """
    if not _supported():
        return 0
    replaced = 0
    for name, child in list(network.named_children()):
        if type(child) is torch.nn.Linear:
            if child.weight.dtype in (torch.bfloat16, torch.float32):
                setattr(network, name, _PackedLinear(child))
                replaced += 1
        else:
            replaced += pack_linear(child)
    return replaced


def _supported() -> bool:
    """Whether the operators are there; they are torch's own and not promised to stay."""
    needed = ("_reorder_linear_weight", "_linear_pointwise")
    return torch.backends.mkldnn.is_available() and all(  # type: ignore[no-untyped-call] # torch's own
        hasattr(torch.ops.mkldnn, name) for name in needed
    )
