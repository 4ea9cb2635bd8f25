"""Lakes, stores and homes for tests of serving, and the API over a home of a year."""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from engagement_assets.deployments.serving import installation_from_environ
from engagement_assets.serving.api.app import create_app
from engagement_assets.serving.api.keys import KeyRing, new_key
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.settings.api import ApiSettings
from engagement_assets_tests.platform.homes import Home
from engagement_assets_tests.platform.made_homes import home, made_home, year
from engagement_assets_tests.resources.conftest import dynamodb_endpoint, store, stores
from engagement_assets_tests.serving.issuer import AUDIENCE, ISSUER, Issuer, jwks
from resources.lake import Lake

# shared fixtures, which pytest finds by their names here
__all__ = ["dynamodb_endpoint", "home", "made_home", "store", "stores", "year"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(str(tmp_path / "lake"))


@dataclass
class Keys:
    """Keys of a test."""

    kept: dict[str, Any] = field(default_factory=dict)

    def ring(self) -> KeyRing:
        return KeyRing(self.kept)


@dataclass
class Api:
    """The API and ways to ask it."""

    app: FastAPI
    client: TestClient
    forgiving: TestClient
    lake: Lake
    issuer: Issuer
    keys: Keys

    def key(self, *scopes: str, rate: str = "100000/second") -> str:
        kept, token = new_key("test", scopes, rate=rate)
        self.keys.kept[kept.id] = kept
        return token

    def read(self, path: str, client: TestClient | None = None) -> Any:
        headers = {"X-API-Key": self.key("read")}
        return (client or self.client).get(f"{PREFIX}{path}", headers=headers)

    def post(self, path: str, body: Any) -> Any:
        headers = {"X-API-Key": self.key("read", "score")}
        return self.client.post(f"{PREFIX}{path}", headers=headers, json=body)


def open_api(home: Home, folder: Path) -> tuple[FastAPI, Issuer, Keys]:
    """The application of a home, with keys and an issuer of the test."""
    issuer, keys = Issuer(), Keys()
    path = folder / "jwks.json"
    path.write_text(json.dumps(jwks(issuer)))
    settings = ApiSettings(
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_keys=str(path),
        warm_sentiment=False,
    )
    with patch.dict("os.environ", {"ENGAGEMENT_HOME": str(home.path)}):
        made = installation_from_environ(settings)
    installation = replace(made, keys=keys)
    return create_app(settings, installation), issuer, keys


@pytest.fixture(scope="module")
def api(year: Home, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The API of the year's home, ready."""
    app, issuer, keys = open_api(year, tmp_path_factory.mktemp("api"))
    with TestClient(app) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.05)
        forgiving = TestClient(app, raise_server_exceptions=False)
        yield Api(app, client, forgiving, year.lake, issuer, keys)
