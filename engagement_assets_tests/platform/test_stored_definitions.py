"""Assets, jobs, schedules, sensors and checks change only when someone means it."""

import pytest

from engagement_assets.definitions import defs
from engagement_assets_tests.platform.listing import listed, present

HOW = "if the change is meant: python -m engagement_assets_tests.platform.store_definitions"


@pytest.mark.parametrize("kind", ["assets", "jobs", "schedules", "sensors", "checks"])
def test_the_location_holds_what_the_stored_list_says(kind):
    stored, now = listed()[kind], present()[kind]
    new, gone = sorted(set(now) - set(stored)), sorted(set(stored) - set(now))
    assert now == stored, f"{kind}: new {new}, gone {gone}; {HOW}"


def test_every_asset_has_a_key_of_group_and_noun():
    assert all(len(key.split("/")) == 2 for key in listed()["assets"])


def test_every_asset_is_made_by_a_job():
    graph = defs.resolve_asset_graph()
    made = set()
    for name in listed()["jobs"]:
        made |= {
            key.to_user_string()
            for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys
        }
    assert made == {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_the_daily_job_runs_the_checks_of_what_it_makes():
    daily = defs.resolve_job_def("daily").asset_layer
    made = {key.to_user_string() for key in daily.selected_asset_keys}
    checks = {
        f"{key.asset_key.to_user_string()}: {key.name}"
        for key in daily.asset_graph.asset_check_keys
    }
    wanted = {check for check in listed()["checks"] if check.partition(": ")[0] in made}
    assert checks == wanted
