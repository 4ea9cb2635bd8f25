"""Where messages to customers are delivered, and the claims that keep them from going twice.

Belongs here: configuration of one machine's webhook. Does not belong here: which messages may go
(`engagement_assets.decisions.contact`), and SQS (`resources.aws.delivery`).
"""

import base64
import os
import re
import secrets
from abc import abstractmethod
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.channels import SECRET_PREFIX, Channel, SignedWebhook
from resources.claims import LEASE_SECONDS, Claims, SqliteClaims
from resources.files import DamagedFileError

MESSAGE_ID = "message_id"
SECRET_BYTES = 32
_SECRET = re.compile(
    SECRET_PREFIX.encode() + rb"(?:[A-Za-z0-9+/]{4}){8,}(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?"
)


class DeliveryResource(dg.ConfigurableResource):
    """What delivering takes; each deployment has its own kind."""

    @property
    @abstractmethod
    def channel(self) -> Channel | None:
        """Where messages go; None where nothing is to be delivered."""

    @abstractmethod
    def claims(self, lease_seconds: float = LEASE_SECONDS) -> Claims:
        """What was delivered, and who is delivering."""


class WebhookDelivery(DeliveryResource):
    """A signed webhook, with claims in a file."""

    url: str = Field(default="", description="Posted to, one message a request; empty for nowhere.")
    secret_path: str = Field(
        description="File of the key that signs, made with the first delivery; give the receiver "
        "what it holds."
    )
    claims_path: str = Field(description="SQLite file of what was delivered.")

    @property
    def channel(self) -> Channel | None:
        """The webhook."""
        if not self.url:
            return None
        return SignedWebhook(self.url, secret_in(Path(self.secret_path)), id_field=MESSAGE_ID)

    def claims(self, lease_seconds: float = LEASE_SECONDS) -> Claims:
        """The claims."""
        return SqliteClaims(Path(self.claims_path), lease_seconds=lease_seconds)


def secret_in(path: Path) -> str:
    """Return the secret in a file that only its owner reads; one that is not there is made.

    Raises:
        DamagedFileError: What the file holds is no secret.
    """
    made = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(made)
    try:
        # unlike a rename it does not replace what another process made
        os.link(beside, path)
    except FileExistsError:
        return _sound(path)
    finally:
        beside.unlink()
    return made


def _sound(path: Path) -> str:
    secret = path.read_bytes().strip()
    # a short or empty key would sign, and anybody could sign like it
    if not _SECRET.fullmatch(secret):
        raise DamagedFileError(
            f"{path} holds no secret of {SECRET_PREFIX} and at least 24 bytes in base64: restore "
            "it; or remove it for a new one, and give the receiver that"
        )
    return secret.decode()
