"""Commands that measure the platform; their figures stand in `RESULTS.md`."""
