"""Run the command line of tuning: `python -m engagement_assets.learning.tuning --help`."""

import sys

from engagement_assets.learning.tuning.command import main

if __name__ == "__main__":
    sys.exit(main())
