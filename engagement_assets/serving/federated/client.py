"""A federated client for reference: trains on its own SQLite file, sends masked updates.

Belongs here: what an app must do, step by step. Does not belong here: the server.

    python -m engagement_assets.serving.federated.client --server 127.0.0.1:8443 --files FOLDER

`FOLDER` holds `authority.pem`, `client.pem`, `client.key` and `rows.sqlite` with the table
`examples`: the inputs in the order of the net, then `label`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sqlite3
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from engagement_assets.learning.federated.net import LocalTraining, VectorNet, clipped, small_net
from engagement_assets.learning.federated.secure_sum import MaskingClient, to_words
from engagement_assets.serving.federated.messages import (
    VERSION,
    by_number,
    keys_from_json,
    read_by_number,
    tensor,
    to_tensor,
)

# A server that is not there, or goes away while it is spoken with; not one that is another's.
AWAY = (ConnectionError, TimeoutError, http.client.HTTPException, ssl.SSLEOFError)


class AnswerError(RuntimeError):
    """The server refused a message.

    Args:
        status: HTTP's number.
        detail: Its reason.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status


class Connection:
    """Requests to one server under mutual TLS."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self._tls = ssl.create_default_context(cafile=str(folder / "authority.pem"))
        self._tls.load_cert_chain(folder / "client.pem", folder / "client.key")

    def ask(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """Return the answer's body.

        Raises:
            AnswerError: When it is not a success.
        """
        host, port = self._server.rsplit(":", 1)
        link = http.client.HTTPSConnection(host, int(port), context=self._tls, timeout=60)
        with closing(link):
            link.request(method, f"/v1/{path}", content)
            answer = link.getresponse()
            body = answer.read()
        if answer.status >= 300:
            raise AnswerError(answer.status, body.decode(errors="replace"))
        return body


def read_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the n x d inputs and n labels of a device's own file."""
    with closing(sqlite3.connect(path)) as file:
        rows = np.array(file.execute("SELECT * FROM examples").fetchall(), dtype=np.float32)
    return rows[:, :-1], rows[:, -1]


def update_words(
    sent: np.ndarray, rows: tuple[np.ndarray, np.ndarray], how: dict[str, Any]
) -> np.ndarray:
    """Train on the device's rows; return the clipped update, weighted, and its weight, as words."""
    inputs, labels = rows
    net = VectorNet(lambda: small_net(inputs.shape[1], int(how["local"]["hidden"])))
    local = {name: value for name, value in how["local"].items() if name != "hidden"}
    batch = (inputs[None], labels[None], np.ones((1, len(labels)), dtype=np.float32))
    update = net.updates(sent, batch, LocalTraining(**local))
    # rounded to 2**-32 each, hence a little within the clip
    short, _ = clipped(update.astype(np.float64), float(how["clip"]) * (1 - 1e-7))
    weight = 1.0 if how["equal_weights"] else float(len(labels))
    return to_words(np.append(short[0] * weight, weight))


def take_part(
    connection: Connection,
    rows: tuple[np.ndarray, np.ndarray],
    *,
    pause: float = 0.05,
    patience: float = 600.0,
) -> int:
    """Take part until the federation is done; return how many vectors were sent.

    Args:
        connection: To the server.
        rows: The device's inputs and labels.
        pause: Seconds between two polls.
        patience: Seconds for which a server that does not answer is asked again: it may restart.
    """
    sent, round_id, client = 0, "", MaskingClient(0, round_id="")
    did = ""
    while True:
        now = _poll(connection, pause=pause, patience=patience)
        stage = now["stage"]
        if stage == "done":
            return sent
        if stage == "wait" or (now["round"], stage) == (round_id, did):
            time.sleep(pause)
            continue
        if now["round"] != round_id:
            round_id = now["round"]
            client = MaskingClient(int(now["number"]), round_id=round_id)
        path, did = f"rounds/{round_id}/{stage}", stage
        try:
            connection.ask("POST", path, _answer(connection, client, rows, now, path))
            sent += stage == "vectors"
        except AWAY:
            # gone before it answered: the next poll says whether the round still is
            time.sleep(pause)
        except AnswerError as error:
            # the stage ended meanwhile: the next poll says what is to be done
            if error.status != http.HTTPStatus.CONFLICT:
                raise


def _poll(connection: Connection, *, pause: float, patience: float) -> dict[str, Any]:
    """Return what is to be done now, once the server answers."""
    until = time.monotonic() + patience
    while True:
        try:
            now: dict[str, Any] = json.loads(connection.ask("GET", "round"))
            break
        except AWAY:
            if time.monotonic() > until:
                raise
            time.sleep(pause)
    if now["version"] != VERSION:
        raise RuntimeError(f"the server speaks version {now['version']}, this {VERSION}")
    return now


def _answer(
    connection: Connection,
    client: MaskingClient,
    rows: tuple[np.ndarray, np.ndarray],
    now: dict[str, Any],
    path: str,
) -> bytes:
    if now["stage"] == "keys":
        keys = client.public_keys()
        return json.dumps({"mask": keys.mask.hex(), "channel": keys.channel.hex()}).encode()
    read = connection.ask("GET", path)
    if now["stage"] == "shares":
        keys_of = {int(n): keys_from_json(keys) for n, keys in json.loads(read).items()}
        return by_number(client.shares(keys_of, threshold=int(now["threshold"])))
    if now["stage"] == "vectors":
        words = update_words(tensor(connection.ask("GET", "weights")), rows, now)
        return to_tensor(client.masked(words, read_by_number(read)))
    return by_number(client.opened(frozenset(json.loads(read))))


def main() -> None:
    """Take part with the files of one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="host:port")
    parser.add_argument("--files", required=True, type=Path)
    options = parser.parse_args()
    take_part(Connection(options.server, options.files), read_rows(options.files / "rows.sqlite"))


if __name__ == "__main__":
    main()
