"""A further decision is its folder and a line in a list: all else follows from its spec."""

import json
import subprocess
import sys

import pytest

from engagement_assets.settings.installation import PROJECT

NOTHING = {"action": "none", "propensity": 1.0, "warmth": 0.1}
HELLO = {"action": "say hello", "propensity": 1.0, "warmth": 0.9}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    command = [
        sys.executable,
        "-m",
        "engagement_assets_tests.decisions.dummy.through",
        str(tmp_path_factory.mktemp("lake")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_has_an_asset_and_checks_and_runs_with_the_day(report):
    assert report["asset"]
    assert {"schema", "keys", "bounds"} <= set(report["checks"])
    assert {"daily", "predictions"} <= set(report["jobs"])
    assert report["feeds_unified"]


def test_it_stands_in_the_unified_tables_and_among_the_actions_due(report):
    ann, bob = (report["unified"][name] for name in ("ann", "bob"))
    assert (ann["hello_warmth"], ann["hello_action"], ann["actions_due"]) == (
        0.9,
        "say hello",
        "say hello",
    )
    assert (bob["hello_action"], bob["actions_due"]) == ("none", "")
    assert ann["hello_version"].startswith("rule-")
    assert list(report["changes"]) == ["bob"]
    moved = report["changes"]["bob"]
    assert (moved["hello_action_before"], moved["hello_action_now"]) == ("say hello", "none")


def test_it_is_published_answered_alone_and_part_of_the_api(report):
    for name, chosen, due in (("ann", HELLO, ["say hello"]), ("bob", NOTHING, [])):
        document, actions = report["documents"][name]
        assert chosen.items() <= document.items()
        assert actions == due
    assert [HELLO.items() <= one.items() for one in report["online"][:1]] == [True]
    assert report["online"] == [report["documents"][name][0] for name in ("ann", "bob")]
    assert {"action", "propensity", "warmth"} <= set(report["api"])
