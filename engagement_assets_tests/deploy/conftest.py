"""A local server that speaks AWS's protocols, and the stacks deployed to it over HTTP."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from deploy import stacks, templates
from engagement_assets_tests.deploy.unimplemented import ADAPTED, STAND_INS

PROJECT = "engagement-test"
IMAGES = {
    "PlatformImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/engagement-test:platform-1",
    "LambdaImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/engagement-test:lambda-1",
}


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """Address of the server; boto3 goes there and nowhere else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **variables, "PYTHONWARNINGS": "ignore"},
    )
    patch = pytest.MonkeyPatch()
    for name, value in variables.items():
        patch.setenv(name, value)
    try:
        _wait_for(f"{address}/moto-api/", process)
        yield address
    finally:
        patch.undo()
        process.terminate()
        process.wait(timeout=10)


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
def deployed(aws: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Outputs of all stacks, deployed with the runbook's own command."""
    assert aws
    folder = tmp_path_factory.mktemp("templates")
    for name in templates.ORDER:
        text = templates.path(name).read_text()
        for before, after in ADAPTED.get(name, {}).items():
            assert before in text, f"{name}: nothing to adapt any more"
            text = text.replace(before, after)
        (folder / f"{name}.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(templates, "FOLDER", Path(folder))
        patch.setattr(stacks, "SECONDS_BETWEEN_LOOKS", 0.05)
        project = stacks.Stacks(boto3.client("cloudformation"), PROJECT)
        changed = project.deploy({**IMAGES, **STAND_INS})
        assert changed == list(templates.ORDER)
        return {**STAND_INS, **project.outputs()}
