"""Sum vectors of n clients so that the server sees only the sum.

Belongs here: the steps of the protocol on both sides, as messages of bytes and arrays. Does not
belong here: how messages travel, who a client is, and clipping.

Bonawitz et al. (CCS 2017), against a server that follows the protocol and may keep all it sees:
each pair of clients agrees on a mask that one adds and the other takes away (X25519, HKDF), each
client adds a mask of its own, and the secrets of both are shared (Shamir, encrypted by AES-GCM) so
that the masks of those who drop out can be taken off. A client opens only one of the two secrets of
another, once a round. Numbers are whole, modulo 2**64, so the sum is exact.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from engagement_assets.learning.federated.shamir import SECRET_BYTES, SHARE_BYTES, restore, split

Words = NDArray[np.uint64]
# Of a number: an update's resolution. 2**63 / 2**32 leaves room for sums up to 2e9.
SCALE = float(2**32)
_NONCE = 12


class SecureSumError(RuntimeError):
    """The protocol was not followed, or too few are left; nothing was opened."""


def least_threshold(clients: int) -> int:
    """Return the fewest clients that must stay: two thirds.

    With more than half, a server cannot have one half open one secret of a client and the other
    half the other.
    """
    return max(2, -(-2 * clients // 3))


def to_words(values: NDArray[np.floating], *, scale: float = SCALE) -> Words:
    """Return whole numbers modulo 2**64.

    Raises:
        ValueError: When a value is not finite or too large for sums of many.
    """
    scaled = np.asarray(values, dtype=np.float64) * scale
    if not np.isfinite(scaled).all() or np.abs(scaled).max(initial=0.0) >= 2.0**52:
        raise ValueError("a value is not finite, or beyond what can be summed exactly")
    words: Words = np.rint(scaled).astype(np.int64).view(np.uint64)
    return words


def from_words(words: Words, *, scale: float = SCALE) -> NDArray[np.float64]:
    """Return the values that a sum of `to_words` stands for."""
    return words.view(np.int64).astype(np.float64) / scale


@dataclass(frozen=True)
class PublicKeys:
    """A client's public keys of one round: for masks, and for what is sent to other clients."""

    mask: bytes
    channel: bytes


class MaskingClient:
    """One client in one round.

    Args:
        name: Its number in the round, from 1.
        round_id: Names the round; keys of one round are of no use in another.
    """

    def __init__(self, name: int, *, round_id: str) -> None:
        self.name, self._round = name, round_id.encode()
        self._mask_key, self._channel_key = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self._own_seed = os.urandom(SECRET_BYTES)
        self._keys: dict[int, PublicKeys] = {}
        self._threshold = 0
        self._received: dict[int, bytes] = {}
        self._masked_with: frozenset[int] | None = None
        self._opened = False

    def public_keys(self) -> PublicKeys:
        """Return what the server passes on to all."""
        return PublicKeys(
            self._mask_key.public_key().public_bytes_raw(),
            self._channel_key.public_key().public_bytes_raw(),
        )

    def shares(self, keys: Mapping[int, PublicKeys], *, threshold: int) -> dict[int, bytes]:
        """Return encrypted shares of both secrets, by receiver.

        Raises:
            SecureSumError: When the keys lack this client's, two are equal, or the threshold is
                under two thirds.
        """
        if keys.get(self.name) != self.public_keys():
            raise SecureSumError(f"the keys of client {self.name} are not its own")
        if len({k.mask for k in keys.values()} | {k.channel for k in keys.values()}) < 2 * len(
            keys
        ):
            raise SecureSumError("two clients have one key")
        if threshold < least_threshold(len(keys)):
            raise SecureSumError(f"a threshold of {threshold} of {len(keys)} is too low")
        self._keys, self._threshold = dict(keys), threshold
        holders = max(keys)
        seeds = split(self._own_seed, holders=holders, threshold=threshold)
        masks = split(self._mask_key.private_bytes_raw(), holders=holders, threshold=threshold)
        out = {}
        for other in keys:
            both = seeds[other - 1] + masks[other - 1]
            if other == self.name:
                self._received[other] = both
                continue
            nonce = os.urandom(_NONCE)
            out[other] = nonce + self._channel(other).encrypt(
                nonce, both, self._way(self.name, other)
            )
        return out

    def masked(self, words: Words, shares: Mapping[int, bytes]) -> Words:
        """Return the vector under masks agreed with all whose shares came.

        Raises:
            SecureSumError: When it was masked before, shares are too few or not genuine.
        """
        if self._masked_with is not None:
            raise SecureSumError("a second vector under the same masks would show the difference")
        if len(shares) + 1 < self._threshold:
            raise SecureSumError(
                f"{len(shares) + 1} clients are left, {self._threshold} are needed"
            )
        for other, sealed in shares.items():
            way = self._way(other, self.name)
            try:
                self._received[other] = self._channel(other).decrypt(
                    sealed[:_NONCE], sealed[_NONCE:], way
                )
            except InvalidTag as error:
                raise SecureSumError(f"shares of client {other} are not genuine") from error
        self._masked_with = frozenset(shares) | {self.name}
        total = words + _mask(self._own_seed, len(words))
        for other in shares:
            total = _pairwise(
                total,
                agree(self._mask_key, self._keys[other].mask, self._round),
                first=self.name,
                second=other,
            )
        return total

    def opened(self, survivors: frozenset[int]) -> dict[int, bytes]:
        """Return a share of each client: of its own mask where it stayed, else of its pairwise key.

        Raises:
            SecureSumError: When asked twice, or for too few or other clients.
        """
        if self._masked_with is None or self._opened:
            raise SecureSumError("shares are opened once, after the vector was sent")
        if len(survivors) < self._threshold or not survivors <= self._masked_with:
            raise SecureSumError(f"{len(survivors)} survivors, {self._threshold} are needed")
        self._opened = True
        return {
            other: both[:SHARE_BYTES] if other in survivors else both[SHARE_BYTES:]
            for other, both in self._received.items()
        }

    def _channel(self, other: int) -> AESGCM:
        return AESGCM(agree(self._channel_key, self._keys[other].channel, self._round))

    def _way(self, sender: int, receiver: int) -> bytes:
        return b"%b|%d|%d" % (self._round, sender, receiver)


@dataclass
class SecureSum:
    """The server's side of one round.

    Args:
        round_id: Names the round.
        length: Words of a vector.
        threshold: Fewest clients whose vectors are summed.
    """

    round_id: str
    length: int
    threshold: int
    keys: dict[int, PublicKeys] = field(default_factory=dict)
    sealed: dict[int, dict[int, bytes]] = field(default_factory=dict)
    vectors: dict[int, Words] = field(default_factory=dict)
    openings: dict[int, dict[int, bytes]] = field(default_factory=dict)

    def take_vector(self, client: int, words: Words) -> None:
        """Keep a masked vector.

        Raises:
            SecureSumError: When the client shared no secrets, sent one already, or its length or
                type is wrong.
        """
        if client not in self.sealed:
            raise SecureSumError(f"client {client} shared no secrets")
        if client in self.vectors:
            raise SecureSumError(f"client {client} sent its vector already")
        if words.dtype != np.uint64 or words.shape != (self.length,):
            raise SecureSumError(
                f"a vector of {words.shape} {words.dtype}, not {self.length} words"
            )
        self.vectors[client] = words

    def for_client(self, client: int) -> dict[int, bytes]:
        """Return the shares that others sealed for a client."""
        return {sender: out[client] for sender, out in self.sealed.items() if client in out}

    @property
    def survivors(self) -> frozenset[int]:
        """Clients whose vectors came.

        Raises:
            SecureSumError: When they are fewer than the threshold.
        """
        if len(self.vectors) < self.threshold:
            raise SecureSumError(f"{len(self.vectors)} vectors came, {self.threshold} are needed")
        return frozenset(self.vectors)

    def total(self) -> Words:
        """Return the sum of the survivors' vectors.

        Raises:
            SecureSumError: When too few opened their shares, or the shares fit nothing.
        """
        survivors = self.survivors
        if len(self.openings) < self.threshold:
            raise SecureSumError(f"{len(self.openings)} opened, {self.threshold} are needed")
        total = np.zeros(self.length, dtype=np.uint64)
        for words in self.vectors.values():
            total = total + words
        for client in sorted(self.sealed):
            secret = self._secret(client)
            if client in survivors:
                total = total - _mask(secret, self.length)
                continue
            gone = X25519PrivateKey.from_private_bytes(secret)
            if gone.public_key().public_bytes_raw() != self.keys[client].mask:
                raise SecureSumError(f"the shares of client {client} do not fit its key")
            for other in survivors:
                # the survivor's mask is taken off: it is what the one who left would have added
                shared = agree(gone, self.keys[other].mask, self.round_id.encode())
                total = _pairwise(total, shared, first=client, second=other)
        return total

    def _secret(self, client: int) -> bytes:
        shares = {
            holder: shares[client] for holder, shares in self.openings.items() if client in shares
        }
        try:
            return restore(shares)
        except ValueError as error:
            raise SecureSumError(f"the shares of client {client}: {error}") from error


def agree(private: X25519PrivateKey, public: bytes, round_id: bytes) -> bytes:
    """Return the 32 bytes that two clients share in a round."""
    shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(SHA256(), 32, salt=None, info=b"federated|" + round_id).derive(shared)


def _pairwise(total: Words, shared: bytes, *, first: int, second: int) -> Words:
    """Add the mask of a pair for its lower number, take it away for the higher."""
    mask = _mask(shared, len(total))
    return total + mask if first < second else total - mask


def _mask(seed: bytes, length: int) -> Words:
    """Return so many pseudorandom words of a seed that is used once (AES-256 in counter mode)."""
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()
    return np.frombuffer(stream.update(bytes(8 * length)), dtype="<u8").astype(np.uint64)
