"""Linear layers whose weights are laid out once for the processor's matrix units.

Belongs here: making a network that no longer learns faster without changing what it computes. Does
not belong here: which network, and in which precision it works.
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


def pack_linear(network: torch.nn.Module) -> int:
    """Replace the bfloat16 linear layers inside a network by packed ones.

    oneDNN otherwise lays every weight out anew at every call, which costs more than the product
    where a text is short. The results differ by no more than bfloat16 rounds. These are the
    operators that torch's own compiler puts in place of linear layers when it freezes a network,
    here without its start-up.

    Args:
        network: Changed in place; it can then infer, no longer learn, be saved or cast.

    Returns:
        Layers replaced; 0, with a line in the log, where this torch or processor lacks the
        operators, and the network stays as it is.
    """
    if not _supported():
        logger.info("this torch or processor has no packed bfloat16 layers: texts take longer")
        return 0
    replaced = 0
    for name, child in list(network.named_children()):
        if type(child) is torch.nn.Linear:
            if child.weight.dtype == torch.bfloat16:
                setattr(network, name, _PackedLinear(child))
                replaced += 1
        else:
            replaced += pack_linear(child)
    return replaced


def _supported() -> bool:
    """Whether the operators are there; they are torch's own and not promised to stay."""
    needed = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call] # torch's own
        and all(hasattr(torch.ops.mkldnn, name) for name in needed)
        and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )
