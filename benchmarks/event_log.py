"""Time of reporting a range of partitions to Dagster's event log and to the batching one.

python -m benchmarks.event_log --days 400 --tables 19
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

BATCHING = """event_log_storage:
  module: resources.event_log
  class: BatchingSqliteEventLogStorage
  config: {base_dir: HISTORY}
"""


def main() -> None:
    """Measure both, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--tables", type=int, default=19)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.home:
        report(options)
        return
    for name in ("dagster's own", "batching"):
        with tempfile.TemporaryDirectory() as home:
            text = BATCHING.replace("HISTORY", f"{home}/history") if name == "batching" else ""
            (Path(home) / "dagster.yaml").write_text(text)
            size = "1000" if name == "batching" else "0"
            done = subprocess.run(  # noqa: S603 - itself
                [
                    *(sys.executable, "-m", "benchmarks.event_log", "--home", home),
                    *("--days", str(options.days), "--tables", str(options.tables)),
                ],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "DAGSTER_EVENT_BATCH_SIZE": size},
            )
            seconds = done.stdout.strip().splitlines()[-1]
            print(f"| {name} | {options.days} days of {options.tables} tables | {seconds} s |")


def report(options: argparse.Namespace) -> None:
    """Materialise every partition of every table in one run, and print the seconds."""
    import dagster as dg  # noqa: PLC0415 - the parent does not need it

    names = [f"table_{n}" for n in range(options.tables)]
    partitions = dg.DailyPartitionsDefinition("2024-01-01")

    @dg.multi_asset(
        specs=[dg.AssetSpec(name) for name in names],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def tables() -> Iterator[dg.MaterializeResult]:
        for name in names:
            yield dg.MaterializeResult(asset_key=name, metadata={"rows": 1})

    job = dg.define_asset_job("all", "*")
    defs = dg.Definitions(assets=[tables], jobs=[job], executor=dg.in_process_executor)
    keys = partitions.get_partition_keys()
    with dg.DagsterInstance.from_config(options.home) as instance:
        began = time.perf_counter()
        defs.resolve_job_def("all").execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[options.days - 1],
            },
        )
        print(f"{time.perf_counter() - began:.1f}")


if __name__ == "__main__":
    main()
