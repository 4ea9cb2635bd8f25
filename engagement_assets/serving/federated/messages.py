"""Messages between federated clients and the server: JSON, and safetensors for vectors.

Belongs here: to bytes and back. Does not belong here: what they mean (`docs/federated.md`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from engagement_assets.learning.federated.secure_sum import PublicKeys

VERSION = 1
TENSORS = "application/octet-stream"


def keys_from_json(data: dict[str, Any]) -> PublicKeys:
    """Read a client's public keys.

    Raises:
        ValueError: When they are not 32 bytes each in hexadecimal, or no secret can be agreed by
            one: a point of low order would end the rounds of all who agree with it.
    """
    keys = PublicKeys(bytes.fromhex(data["mask"]), bytes.fromhex(data["channel"]))
    probe = X25519PrivateKey.generate()
    for public in (keys.mask, keys.channel):
        probe.exchange(X25519PublicKey.from_public_bytes(public))
    return keys


def by_number(parts: Mapping[int, bytes]) -> bytes:
    """Write bytes by client number."""
    return json.dumps({str(number): part.hex() for number, part in parts.items()}).encode()


def read_by_number(content: bytes) -> dict[int, bytes]:
    """Read what `by_number` wrote.

    Raises:
        ValueError: When it is not that.
    """
    data = json.loads(content)
    if not isinstance(data, dict):
        raise ValueError("expected an object of hexadecimal text by number")
    return {int(number): bytes.fromhex(part) for number, part in data.items()}


def read_message(stage: str, content: bytes) -> Any:
    """Read a client's message of a stage.

    Raises:
        ValueError: When it is not what the stage wants.
    """
    try:
        if stage == "keys":
            return keys_from_json(json.loads(content))
        if stage == "vectors":
            return tensor(content)
        return read_by_number(content)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"another form of JSON: {error}") from error


def write_answer(stage: str, answer: Any) -> bytes:
    """Write what a client reads in a stage."""
    if stage == "shares":
        keys = {n: {"mask": k.mask.hex(), "channel": k.channel.hex()} for n, k in answer.items()}
        return json.dumps(keys).encode()
    if stage == "vectors":
        return by_number(answer)
    return json.dumps(sorted(answer)).encode()


def to_tensor(values: np.ndarray) -> bytes:
    """Write one vector."""
    from safetensors.numpy import save

    content: bytes = save({"vector": values})
    return content


def to_tensors(values: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> bytes:
    """Write arrays by name, with JSON data beside them, as one piece."""
    from safetensors.numpy import save

    content: bytes = save(dict(values), metadata={"about": json.dumps(about)})
    return content


def read_tensors(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `to_tensors` wrote.

    Raises:
        ValueError: When it is not that.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        values: dict[str, np.ndarray] = load(content)
        # the format: the header's length in 8 bytes, then the header as JSON
        head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about: dict[str, Any] = json.loads(head["__metadata__"]["about"])
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"not arrays in safetensors with data beside them: {error}") from error
    return values, about


def tensor(content: bytes) -> np.ndarray:
    """Read one vector.

    Raises:
        ValueError: When it is not one.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        values: np.ndarray = load(content)["vector"]
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"not a vector in safetensors: {error}") from error
    return values
