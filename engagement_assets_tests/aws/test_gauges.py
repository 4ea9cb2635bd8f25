"""Numbers reach CloudWatch as metrics of this installation."""

from datetime import UTC, datetime, timedelta

import pytest

from engagement_assets_tests.aws.cloud import REGION
from resources.aws.errors import AwsError
from resources.aws.gauges import NAMESPACE, CloudWatchGauges


def test_a_number_is_a_metric_with_the_dimensions_that_the_alarm_asks_for(installed):
    CloudWatchGauges(region=REGION, dimensions={"Table": "online"}).report("ServedDayAgeDays", 2)
    now = datetime.now(UTC)
    asked = installed.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="ServedDayAgeDays",
        Dimensions=[{"Name": "Table", "Value": "online"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=10_800,
        Statistics=["Maximum"],
    )
    assert [point["Maximum"] for point in asked["Datapoints"]] == [2]


@pytest.mark.usefixtures("installed")
def test_what_cloudwatch_does_not_take_is_an_error_that_names_the_metric():
    with pytest.raises(AwsError, match="putting the metric ServedDayAgeDays"):
        CloudWatchGauges(region=REGION, dimensions={"Table": ""}).report("ServedDayAgeDays", 2)
