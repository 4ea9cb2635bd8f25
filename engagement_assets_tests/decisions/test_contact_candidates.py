"""A choice that would contact somebody comes with the segment, where one is known."""

from datetime import date

from engagement_assets.decisions.contact.candidates import candidates
from engagement_assets.decisions.segment_actions.spec import SPEC
from engagement_assets_tests.decisions.tables import write_predictions
from resources.lake import Lake

DAY = date(2026, 1, 1)


def test_a_wish_has_its_customers_segment_and_who_is_left_alone_is_none(tmp_path):
    lake = Lake(str(tmp_path))
    chosen = {"ann": "retention campaign", "bob": "none", "eve": "onboarding optimisation"}
    rows = [{"customer_id": name, "action": action} for name, action in chosen.items()]
    write_predictions(lake, "segment_actions", DAY, rows)
    assert candidates(lake, [SPEC], DAY)["segment"].tolist() == [None, None]
    write_predictions(lake, "segments", DAY, [{"customer_id": "ann", "segment": "at risk"}])
    wishes = candidates(lake, [SPEC], DAY)
    assert wishes[["customer_id", "channel", "segment"]].to_numpy().tolist() == [
        ["ann", "email", "at risk"],
        ["eve", "in_app", None],
    ]
