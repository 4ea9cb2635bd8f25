"""Numbers of how the platform is, as metrics of CloudWatch.

Belongs here: how a number becomes a metric. Does not belong here: alarms on it (`deploy/`).
"""

from pydantic import Field

from resources.gauges import Gauges

# The role of the daemon may write to no other.
NAMESPACE = "Engagement"


class CloudWatchGauges(Gauges):
    """Reports numbers as metrics."""

    region: str = Field(description="The region.")
    dimensions: dict[str, str] = Field(description="What tells this installation from others.")

    def report(self, name: str, value: float) -> None:
        """Put one value.

        Raises:
            AwsError: CloudWatch did not take it.
        """
        from resources.aws.clients import aws_call, client  # noqa: PLC0415 - loads boto3

        dimensions = [{"Name": key, "Value": text} for key, text in self.dimensions.items()]
        metric = {"MetricName": name, "Dimensions": dimensions, "Value": value}
        with aws_call(f"putting the metric {name}"):
            client("cloudwatch", self.region).put_metric_data(
                Namespace=NAMESPACE, MetricData=[metric]
            )
