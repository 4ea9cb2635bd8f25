"""A local server that speaks AWS's protocols, and the stacks deployed to it over HTTP."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import boto3
import pytest

from deploy import stacks, templates
from engagement_assets_tests.deploy.unimplemented import ADAPTED, STAND_INS

PROJECT = "engagement-test"
IMAGES = {
    "PlatformImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/engagement-test:platform-1",
    "LambdaImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/engagement-test:lambda-1",
}


def variables(address: str) -> dict[str, str]:
    """What sends boto3 to the server and nowhere else."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **variables(address), "PYTHONWARNINGS": "ignore"},
    )
    try:
        _wait_for(f"{address}/moto-api/", process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server, where boto3 goes during this test alone, for every service."""
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")]:
        monkeypatch.delenv(name)
    for name, value in variables(server).items():
        monkeypatch.setenv(name, value)
    return server


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the local AWS server stopped at once"
        try:
            urllib.request.urlopen(address, timeout=1).close()  # noqa: S310 - a fixed http address
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    pytest.fail("the local AWS server did not answer within 30 s")


@pytest.fixture(scope="session")
def outputs(server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Outputs of all stacks, deployed with the runbook's own command."""
    folder = tmp_path_factory.mktemp("templates")
    for name in templates.ORDER:
        text = templates.path(name).read_text()
        for before, after in ADAPTED.get(name, {}).items():
            assert before in text, f"{name}: nothing to adapt any more"
            text = text.replace(before, after)
        (folder / f"{name}.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables(server).items():
            patch.setenv(name, value)
        patch.setattr(templates, "FOLDER", folder)
        patch.setattr(stacks, "SECONDS_BETWEEN_LOOKS", 0.05)
        project = stacks.Stacks(boto3.client("cloudformation"), PROJECT)
        certificate = boto3.client("acm").request_certificate(DomainName="look.example.org")
        dashboard = {
            "DashboardCidr": "10.40.0.0/16",
            "DashboardCertificateArn": certificate["CertificateArn"],
        }
        changed = project.deploy({**IMAGES, **dashboard, **STAND_INS})
        assert changed == list(templates.ORDER)
        return {**STAND_INS, **project.outputs()}


@pytest.fixture
def deployed(aws: str, outputs: dict[str, str]) -> dict[str, str]:
    """The deployed stacks' outputs, with boto3 going to where they are."""
    assert aws
    return outputs
