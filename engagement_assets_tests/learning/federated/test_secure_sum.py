"""The server learns the exact sum of those who stayed, and nothing of any one."""

from dataclasses import fields

import numpy as np
import pytest

from engagement_assets.learning.federated.secure_sum import (
    MaskingClient,
    SecureSum,
    SecureSumError,
    from_words,
    least_threshold,
    to_words,
)
from engagement_assets.learning.federated.shamir import restore, split

LENGTH = 200


def run(values, *, silent=frozenset(), unmasking=None, threshold=None):
    """Take every step; `silent` clients leave before they send, others before they open."""
    n = len(values)
    server = SecureSum("round 1", LENGTH, threshold or least_threshold(n))
    clients = {i: MaskingClient(i, round_id="round 1") for i in range(1, n + 1)}
    server.keys = {i: client.public_keys() for i, client in clients.items()}
    for i, client in clients.items():
        server.sealed[i] = client.shares(server.keys, threshold=server.threshold)
    for i, client in clients.items():
        if i not in silent:
            server.take_vector(i, client.masked(to_words(values[i - 1]), server.for_client(i)))
    survivors = server.survivors
    for i in sorted(survivors)[:unmasking]:
        server.openings[i] = clients[i].opened(survivors)
    return server, clients


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(6, LENGTH))


@pytest.mark.parametrize("silent", [frozenset(), frozenset({2}), frozenset({1, 6})])
def test_the_sum_is_exact_whoever_leaves_up_to_the_threshold(values, silent) -> None:
    server, _ = run(values, silent=silent)
    stayed = [i - 1 for i in range(1, 7) if i not in silent]
    exact = to_words(values)[stayed].sum(axis=0, dtype=np.uint64)
    np.testing.assert_array_equal(server.total(), exact)
    np.testing.assert_allclose(from_words(server.total()), values[stayed].sum(axis=0), atol=1e-8)


def test_beyond_the_threshold_nothing_is_opened(values) -> None:
    with pytest.raises(SecureSumError, match="3 vectors came, 4 are needed"):
        run(values, silent=frozenset({1, 2, 3}))
    server, _ = run(values, unmasking=3)
    with pytest.raises(SecureSumError, match="3 opened"):
        server.total()


def test_nothing_that_the_server_receives_shows_a_vector() -> None:
    """All the server holds, and each difference of two, is without a trace of what was sent."""
    small = np.zeros((6, LENGTH))
    small[:, 0] = 1.0
    server, _ = run(small, silent=frozenset({4}))
    received = {field.name: getattr(server, field.name) for field in fields(server)}
    assert set(received) == {
        "round_id", "length", "threshold", "keys", "sealed", "vectors", "openings"
    }  # fmt: skip
    for vector in server.vectors.values():
        # words of a vector of zeros are even over the whole range: 200 of them, none small
        assert np.abs(vector.view(np.int64)).min() > 2**40
        bits = np.unpackbits(vector.view(np.uint8)).mean()
        assert abs(bits - 0.5) < 0.02
    vectors = list(server.vectors.values())
    assert np.abs((vectors[0] - vectors[1]).view(np.int64)).min() > 2**40
    # of each client one kind of share came, never both
    for holder, shares in server.openings.items():
        assert {len(share) for share in shares.values()} == {66}, holder
    sealed = b"".join(part for out in server.sealed.values() for part in out.values())
    opened = {part for shares in server.openings.values() for part in shares.values()}
    assert not any(part in sealed for part in opened)


def test_a_client_masks_once_and_opens_once(values) -> None:
    server, clients = run(values)
    with pytest.raises(SecureSumError, match="second vector"):
        clients[1].masked(to_words(values[0]), server.for_client(1))
    with pytest.raises(SecureSumError, match="opened once"):
        clients[1].opened(frozenset({1, 2, 3, 4}))


def test_a_server_that_asks_for_too_much_is_refused(values) -> None:
    with pytest.raises(SecureSumError, match="too low"):
        run(values, threshold=3)
    _, clients = run(values, unmasking=0)
    with pytest.raises(SecureSumError, match="survivors"):
        clients[1].opened(frozenset({1, 2}))


def test_forged_shares_and_vectors_are_refused(values) -> None:
    server, clients = run(values, silent=frozenset({1}))
    forged = server.for_client(1)
    forged[2] = forged[2][:-1] + bytes([forged[2][-1] ^ 1])
    with pytest.raises(SecureSumError, match="client 2 are not genuine"):
        clients[1].masked(to_words(values[0]), forged)
    for bad in (np.zeros(LENGTH), np.zeros(3, dtype=np.uint64)):
        with pytest.raises(SecureSumError, match="words"):
            server.take_vector(1, bad)
    with pytest.raises(SecureSumError, match="already"):
        server.take_vector(2, server.vectors[2])
    with pytest.raises(SecureSumError, match="shared no secrets"):
        server.take_vector(9, server.vectors[2])
    server.openings[2][1] = bytes(66)
    with pytest.raises(SecureSumError, match="client 1"):
        server.total()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9])
def test_what_cannot_be_summed_is_refused_on_the_device(bad) -> None:
    with pytest.raises(ValueError, match="not finite"):
        to_words(np.array([0.0, bad]))


def test_fewer_shares_than_the_threshold_restore_nothing() -> None:
    secret = bytes(range(32))
    shares = dict(enumerate(split(secret, holders=5, threshold=3), start=1))
    assert restore({i: shares[i] for i in (5, 1, 3)}) == secret
    with pytest.raises(ValueError, match="fit no secret"):
        restore({i: shares[i] for i in (1, 2)})
