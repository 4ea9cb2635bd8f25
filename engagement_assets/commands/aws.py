"""What `engagement aws sync-tables`, `check` and `autopilot` do.

Belongs here: making the Glue tables, and looking at each thing that a run will need. Does not
belong here: making those things (the deploy templates) and running jobs.
"""

import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from engagement_assets.deployments.resources import resources_for
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.lifecycle.access import inputs_of, last_day
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.orchestration.jobs import TUNED
from engagement_assets.settings.deployment import AwsSettings, Deployment
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings, current_home
from resources.aws.autopilot import LONGEST_NAME, AutopilotJob, run_autopilot
from resources.aws.clients import aws_call, client
from resources.aws.errors import AwsError
from resources.aws.glue import MEND, GlueTables
from resources.aws.secrets import read_secret


class NotAsItShouldBeError(Exception):
    """Something is there and is not what the platform needs; the message says what to do."""


def sync_tables() -> None:
    """Make or mend every declared table."""
    for name in _tables().sync(KNOWN_TABLES):
        sys.stdout.write(f"{name}\n")


def check() -> int:
    """Look at each thing and print a line for each; 1 where one fails."""
    aws, tables = AwsSettings(), _tables()
    looks: dict[str, Callable[[AwsSettings], str]] = {
        "bucket": _bucket,
        "workgroup": _workgroup,
        "tables": lambda _: _glue(tables),
        "alert topic": _topic,
        "online table": _online_table,
        "API secret": _secret,
        "contact queue": _queue,
    }
    failed = 0
    for name, look in looks.items():
        try:
            sys.stdout.write(f"ok      {name}: {look(aws)}\n")
        except (AwsError, NotAsItShouldBeError) as error:
            failed += 1
            sys.stdout.write(f"FAILED  {name}: {error}\n")
    return 1 if failed else 0


def autopilot(model: str, *, role: str, candidates: int, minutes: float) -> str:
    """Run SageMaker Autopilot over the rows that a model learns from.

    Returns:
        Its best candidate in a line. It is a container of AWS's without the platform's reasons and
        gates, so it becomes no version: it says what another search makes of the same rows.

    Raises:
        AwsError: A call or the job failed.
        SettingsError: There is no such model, or it has no search.
    """
    spec = next((spec for spec in TUNED if spec.name == model), None)
    if spec is None:
        raise SettingsError(f"{model}: expected one of {', '.join(one.name for one in TUNED)}")
    aws = AwsSettings()
    own = resources_for(Deployment.AWS, Settings.load(current_home()))
    names = ("engine", "registry", "source", "settings")
    inputs = inputs_of(spec, **{name: own[name] for name in names})
    lake = inputs.engine.lake
    wanted = spec.dates(last_day(lake, None), first_day=inputs.first_day)
    dated = [table for table in spec.learns_from if table.startswith(("features/", "labels/"))]
    there = [day for day in wanted.train if all(lake.exists(table, day) for table in dated)]
    adapter: Any = spec.adapter()
    rows = adapter.training_rows(inputs, Snapshots(tuple(there) or wanted.train[:1], wanted.test))
    short = model[: LONGEST_NAME - len(wanted.test.isoformat()) - 1].replace("_", "-")
    job = AutopilotJob(
        name=f"{short}-{wanted.test}",
        target=adapter.target,
        problem="BinaryClassification" if adapter.labels_are_classes else "Regression",
        folder=f"{aws.root}/.autopilot",
        role=role,
        candidates=candidates,
        minutes=minutes,
        kms_key=aws.kms_key,
    )
    best = run_autopilot(job, pa.Table.from_pandas(rows, preserve_index=False), region=aws.region)
    return f"{job.name}: {best.name}, {best.metric} {best.value:.4f}, {best.artefact}\n"


def _tables() -> GlueTables:
    tables = resources_for(Deployment.AWS, Settings.load(current_home()))["catalogue"].tables
    assert isinstance(tables, GlueTables)  # noqa: S101 - for the type checker: it is a property of Any
    return tables


def _bucket(aws: AwsSettings) -> str:
    s3 = client("s3", aws.region)
    with aws_call(f"looking at the bucket {aws.bucket}"):
        s3.head_bucket(Bucket=aws.bucket)
        versioned = s3.get_bucket_versioning(Bucket=aws.bucket).get("Status")
        rules = s3.get_bucket_encryption(Bucket=aws.bucket)["ServerSideEncryptionConfiguration"]
    if versioned != "Enabled":
        raise NotAsItShouldBeError(
            f"{aws.bucket} keeps no versions, without which a report or model that is overwritten "
            "is gone: switch versioning on"
        )
    kind = rules["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    if kind != "aws:kms":
        raise NotAsItShouldBeError(f"{aws.bucket} encrypts by {kind}: expected aws:kms")
    return f"{aws.bucket} is there, keeps versions and encrypts by {kind}"


def _workgroup(aws: AwsSettings) -> str:
    with aws_call(f"looking at the workgroup {aws.athena_workgroup}"):
        answer = client("athena", aws.region).get_work_group(WorkGroup=aws.athena_workgroup)
    group: dict[str, Any] = answer["WorkGroup"]
    limit = group.get("Configuration", {}).get("BytesScannedCutoffPerQuery")
    if group["State"] != "ENABLED":
        raise NotAsItShouldBeError(f"{aws.athena_workgroup} is switched off")
    if not limit:
        raise NotAsItShouldBeError(
            f"{aws.athena_workgroup} does not limit what a query may scan: set "
            "BytesScannedCutoffPerQuery"
        )
    return f"{aws.athena_workgroup} is enabled; a query may scan {limit:,} bytes"


def _glue(tables: GlueTables) -> str:
    wrong = {table.key: problems for table in KNOWN_TABLES if (problems := tables.problems(table))}
    if wrong:
        listed = "; ".join(f"{table}: {', '.join(faults)}" for table, faults in wrong.items())
        raise NotAsItShouldBeError(f"{listed}; {MEND}")
    return f"all {len(KNOWN_TABLES)} are in {tables.database} as declared"


def _topic(aws: AwsSettings) -> str:
    sns = client("sns", aws.region)
    with aws_call(f"looking at the topic {aws.alert_topic}"):
        sns.get_topic_attributes(TopicArn=aws.alert_topic)
        # a page of a hundred is enough to know whether somebody listens
        subscriptions = sns.list_subscriptions_by_topic(TopicArn=aws.alert_topic)["Subscriptions"]
    # one that waits for its owner's word has no ARN yet
    listeners = sum(one["SubscriptionArn"].startswith("arn:") for one in subscriptions)
    if not listeners:
        raise NotAsItShouldBeError(f"nobody has subscribed to {aws.alert_topic}")
    return f"{aws.alert_topic} has subscribers: {listeners}"


def _online_table(aws: AwsSettings) -> str:
    with aws_call(f"looking at the DynamoDB table {aws.online_table}"):
        answer = client("dynamodb", aws.region).describe_table(TableName=aws.online_table)
    status = answer["Table"]["TableStatus"]
    if status != "ACTIVE":
        raise NotAsItShouldBeError(f"{aws.online_table} is {status}")
    return f"{aws.online_table} is active"


def _secret(aws: AwsSettings) -> str:
    names = sorted(read_secret(aws.api_secret, region=aws.region, kept_seconds=0))
    return f"{aws.api_secret} holds {', '.join(names)}"


def _queue(aws: AwsSettings) -> str:
    url = aws.contact_queue
    if not url:
        return "none is set, so due messages go nowhere"
    with aws_call(f"looking at the queue {url}"):
        answer = client("sqs", aws.region).get_queue_attributes(
            QueueUrl=url, AttributeNames=["RedrivePolicy", "ApproximateNumberOfMessages"]
        )
    attributes = answer.get("Attributes", {})
    if "RedrivePolicy" not in attributes:
        raise NotAsItShouldBeError(
            f"{url} has no queue of dead letters, so a message that fails is tried for ever: set "
            "its RedrivePolicy"
        )
    return f"{url} is there, with about {attributes['ApproximateNumberOfMessages']} waiting"
