"""Stores the list of assets, jobs, schedules, sensors and checks that the tests compare with.

`python -m engagement_assets_tests.platform.store_definitions`, after a change that is meant.
"""

import json

from engagement_assets_tests.platform.listing import STORED, present

if __name__ == "__main__":
    STORED.write_text(json.dumps(present(), indent=1) + "\n")
