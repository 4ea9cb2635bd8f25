"""Which partitions a run over a range reports to Dagster, and with which metadata.

Dagster reports every partition of the range for every asset, and its `add_asset_metadata` goes
through all keys of the range and copies all that was noted before, at each call: 5,000 days of 20
tables are 100,000 events of 7 kB and hours. Both are set here at once, on private attributes, so a
test runs a range through Dagster and reads what it recorded.

Belongs here: what is reported. Does not belong here: how events are stored (`event_log.py`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.execution.context.metadata_logging import (
    AssetMetadataHandle,
    OutputMetadataAccumulator,
)

PartitionMetadata = Mapping[str, Mapping[str, Any]]


def report_partitions(
    context: dg.AssetExecutionContext, metadata: Mapping[dg.AssetKey, PartitionMetadata]
) -> None:
    """Report some partitions of each asset of a step, and no others of the range.

    Args:
        context: Of the step.
        metadata: By asset and partition key, at least one of each. An asset that is not there
            reports every partition.
    """
    step = context.op_execution_context.get_step_execution_context()
    step._metadata_accumulator = OutputMetadataAccumulator(
        per_output_metadata={
            **step._metadata_accumulator.per_output_metadata,
            **{
                AssetMetadataHandle(asset_key=asset, partition_key=key): values
                for asset, partitions in metadata.items()
                for key, values in partitions.items()
            },
        }
    )
    whole = step.get_output_context

    def output_context(*args: Any, **kwargs: Any) -> dg.OutputContext:
        output = whole(*args, **kwargs)
        if output.has_asset_key and output.asset_key in metadata:
            keys = metadata[output.asset_key]
            output._asset_partitions_subset = (
                output.asset_partitions_def.subset_with_partition_keys(keys)
            )
        return output

    step.get_output_context = output_context  # type: ignore[method-assign] # of this step alone
