"""The stacks as a local server that speaks AWS's protocols sees them, over HTTP.

What its CloudFormation skips or leaves out is made through each service's own API with the
template's values, worked out: the values are then checked by the service and not only by their
spelling. The skipped types are in `unimplemented.py`.
"""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import stacks, templates
from engagement_assets_tests.deploy.conftest import PROJECT
from engagement_assets_tests.deploy.resolved import Resolver, every_resource
from engagement_assets_tests.deploy.unimplemented import SKIPPED
from resources.aws.delivery import Queue

ACCOUNT = "123456789012"


def properties(template: str, name: str, deployed: dict[str, str]) -> dict[str, Any]:
    """A resource's properties with the deployed values."""
    resolver = Resolver(template, {**deployed, "Project": PROJECT})
    return resolver.resources()[name]["Properties"]


def test_every_stack_stands_and_only_the_listed_types_are_skipped(deployed: dict[str, str]) -> None:
    assert deployed
    client = boto3.client("cloudformation")
    made = set()
    for name in templates.ORDER:
        stack = f"{PROJECT}-{name}"
        (actual,) = client.describe_stacks(StackName=stack)["Stacks"]
        assert actual["StackStatus"] == "CREATE_COMPLETE"
        resources = client.describe_stack_resources(StackName=stack)["StackResources"]
        # a skipped one is listed without its type
        made |= {resource["ResourceType"] for resource in resources if "ResourceType" in resource}
    assert made.isdisjoint(SKIPPED), f"the server has learnt {made & set(SKIPPED)}"
    types = {resource["Type"] for _, _, resource in every_resource()}
    # made only with endpoints instead of a NAT gateway, or with an address or a domain
    assert types - made == set(SKIPPED)


def test_the_second_deployment_changes_nothing_by_itself(deployed: dict[str, str]) -> None:
    project = stacks.Stacks(boto3.client("cloudformation"), PROJECT)
    before = project.outputs()
    project.deploy({}, only=["storage"])
    assert project.outputs() == before
    assert before["BucketName"] == deployed["BucketName"]


def test_a_parameter_that_no_template_has_is_refused(deployed: dict[str, str]) -> None:
    assert deployed
    project = stacks.Stacks(boto3.client("cloudformation"), PROJECT)
    with pytest.raises(stacks.StackError, match="Budgte"):
        project.deploy({"Budgte": "3"})


def test_the_command_deploys_where_aws_region_says(
    aws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aws
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(stacks, "SECONDS_BETWEEN_LOOKS", 0.05)
    arguments = ["deploy", "--project", "elsewhere", "--only", "foundation"]
    assert stacks.main([*arguments, "--set", "LogDays=30"]) == 0
    printed = capsys.readouterr().out
    assert "changed: foundation\n" in printed
    assert "AlertTopicArn=arn:aws:sns:eu-west-1:123456789012:elsewhere-alerts\n" in printed
    assert stacks.main([*arguments, "--set", "LogDays"]) == 1
    assert "NAME=VALUE" in capsys.readouterr().err


def test_a_missing_parameter_is_named_with_what_it_is(aws: str) -> None:
    assert aws
    project = stacks.Stacks(boto3.client("cloudformation"), "nothing-yet")
    with pytest.raises(stacks.StackError, match=r"KmsKeyArn .*foundation"):
        project.deploy({}, only=["storage"])


def test_the_bucket_keeps_versions_is_encrypted_and_closed(deployed: dict[str, str]) -> None:
    s3 = boto3.client("s3")
    bucket = deployed["BucketName"]
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": deployed["KmsKeyArn"],
    }
    declared = properties("storage", "Bucket", deployed)
    s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration=declared["VersioningConfiguration"]
    )
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration=declared["PublicAccessBlockConfiguration"],
    )
    policy = properties("storage", "BucketPolicy", deployed)["PolicyDocument"]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    denied = [
        s["Sid"] for s in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    ]
    assert denied == ["OnlyOverTls12", "NoOldTls", "NoOtherEncryption", "NoOtherKey"]


def test_the_bucket_forgets_staging_after_a_day_and_old_versions_after_90(
    deployed: dict[str, str],
) -> None:
    rules = {
        rule["Id"]: rule
        for rule in properties("storage", "Bucket", deployed)["LifecycleConfiguration"]["Rules"]
    }
    assert rules["athena-staging"]["Prefix"] == "lake/.athena/"
    assert rules["athena-staging"]["ExpirationInDays"] == 1
    assert rules["old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"]
    assert all(rule["Status"] == "Enabled" for rule in rules.values())


def test_the_table_expires_recovers_and_cannot_be_deleted_by_mistake(
    deployed: dict[str, str],
) -> None:
    dynamodb = boto3.client("dynamodb")
    name = deployed["OnlineTableName"]
    declared = properties("storage", "OnlineTable", deployed)
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "key", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    with pytest.raises(ClientError, match="DeletionProtectionEnabled"):
        dynamodb.delete_table(TableName=name)
    if (
        dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
        == "DISABLED"
    ):
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification=declared["TimeToLiveSpecification"]
        )
    dynamodb.update_continuous_backups(
        TableName=name,
        PointInTimeRecoverySpecification=declared["PointInTimeRecoverySpecification"],
    )
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == "ENABLED"


def test_the_workgroup_overrules_its_clients(deployed: dict[str, str]) -> None:
    declared = properties("storage", "WorkGroup", deployed)
    athena = boto3.client("athena")
    athena.create_work_group(
        Name=declared["Name"],
        Description=declared["Description"],
        Configuration=declared["WorkGroupConfiguration"]
        | {
            "BytesScannedCutoffPerQuery": int(
                declared["WorkGroupConfiguration"]["BytesScannedCutoffPerQuery"]
            ),
            "ResultConfiguration": {
                **declared["WorkGroupConfiguration"]["ResultConfiguration"],
                "OutputLocation": f"s3://{deployed['BucketName']}/lake/.athena/",
            },
        },
    )
    group = athena.get_work_group(WorkGroup=deployed["AthenaWorkGroup"])["WorkGroup"]
    assert group["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert declared["WorkGroupConfiguration"]["ResultConfiguration"]["OutputLocation"] == (
        "s3://<Bucket>/lake/.athena/"
    )
    assert group["Configuration"]["BytesScannedCutoffPerQuery"] == 1024**4


def test_the_glue_database_has_a_name_that_athena_takes(deployed: dict[str, str]) -> None:
    declared = properties("storage", "GlueDatabase", deployed)["DatabaseInput"]
    glue = boto3.client("glue")
    glue.create_database(DatabaseInput=declared)
    assert "-" not in declared["Name"]
    assert glue.get_database(Name=deployed["GlueDatabaseName"])["Database"]["Name"]


def test_the_key_rotates_and_the_topic_uses_it(deployed: dict[str, str]) -> None:
    key = deployed["KmsKeyArn"]
    assert boto3.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    sns = boto3.client("sns")
    topic = deployed["AlertTopicArn"]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == key
    policy = properties("foundation", "AlertTopicPolicy", deployed)["PolicyDocument"]
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy)
    )
    assert "OnlyOverTls" in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]


def test_logs_do_not_stay_for_ever(deployed: dict[str, str]) -> None:
    assert deployed
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"/{PROJECT}/")
    days = {group["logGroupName"]: group["retentionInDays"] for group in groups["logGroups"]}
    assert days == {f"/{PROJECT}/{name}": 90 for name in ("api", "api-access", "platform", "texts")}


def test_generated_secrets_have_the_fields_that_containers_read(deployed: dict[str, str]) -> None:
    client = boto3.client("secretsmanager")
    fields = {}
    for template, name in (("database", "DatabaseSecret"),):
        declared = properties(template, name, deployed)["GenerateSecretString"]
        word = client.get_random_password(
            PasswordLength=declared["PasswordLength"],
            ExcludePunctuation=declared["ExcludePunctuation"],
        )["RandomPassword"]
        assert len(word) >= 40
        assert word.isalnum()
        template_text = json.loads(declared["SecretStringTemplate"])
        fields[name] = {*template_text, declared["GenerateStringKey"]}
    assert fields == {"DatabaseSecret": {"username", "password"}}
    # the form that the API reads, with no key in it
    assert json.loads(properties("foundation", "ApiSecret", deployed)["SecretString"]) == {
        "keys": []
    }


def test_every_role_exists_and_runs_may_be_started_with_theirs_alone(
    deployed: dict[str, str],
) -> None:
    assert deployed
    iam = boto3.client("iam")
    roles = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    names = ("execution", "daemon", "webserver", "run", "api", "texts", "dashboard")
    assert roles >= {f"{PROJECT}-{name}" for name in names}
    policies = iam.list_policies(Scope="Local")["Policies"]
    (control,) = [p["Arn"] for p in policies if p["PolicyName"] == f"{PROJECT}-control"]
    version = iam.get_policy_version(PolicyArn=control, VersionId="v1")
    statements = version["PolicyVersion"]["Document"]["Statement"]
    (passing,) = [s for s in statements if s["Action"] == "iam:PassRole"]
    assert passing["Resource"] == [deployed["RunRoleArn"], deployed["ExecutionRoleArn"]]


def test_dagster_s_services_and_the_task_of_a_run_stand(deployed: dict[str, str]) -> None:
    ecs = boto3.client("ecs")
    cluster = deployed["ClusterName"]
    services = ecs.list_services(cluster=cluster)["serviceArns"]
    names = {arn.rsplit("/", 1)[1] for arn in services}
    assert names == {"dagster-webserver", "dagster-daemon", "dashboard"}
    task = ecs.describe_task_definition(taskDefinition=f"{PROJECT}-run")["taskDefinition"]
    (container,) = task["containerDefinitions"]
    assert container["name"] == "run"
    environment = {variable["name"]: variable["value"] for variable in container["environment"]}
    assert environment["ENGAGEMENT_BUCKET"] == deployed["BucketName"]
    assert environment["DAGSTER_RUN_TASK_DEFINITION"] == f"{PROJECT}-run"


def test_the_load_balancer_sends_people_to_the_dashboard_and_keeps_them_there(
    deployed: dict[str, str],
) -> None:
    balancing = boto3.client("elbv2")
    (balancer,) = balancing.describe_load_balancers()["LoadBalancers"]
    assert balancer["Scheme"] == "internal"
    assert balancer["DNSName"] == deployed["DashboardAddress"]
    listeners = balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    (listener,) = listeners["Listeners"]
    group = deployed["DashboardTargetGroupArn"]
    assert [action["TargetGroupArn"] for action in listener["DefaultActions"]] == [group]
    assert listener["Protocol"] == "HTTPS"
    for name, change in (
        ("TargetGroup", balancing.modify_target_group_attributes),
        ("LoadBalancer", balancing.modify_load_balancer_attributes),
    ):
        declared = properties("dashboard", name, deployed)[f"{name}Attributes"]
        arn = {"TargetGroup": group, "LoadBalancer": balancer["LoadBalancerArn"]}[name]
        change(**{f"{name}Arn": arn, "Attributes": declared})
    attributes = balancing.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    kept = {one["Key"]: one["Value"] for one in attributes}
    assert kept["stickiness.enabled"] == "true"


def test_the_api_s_function_has_its_handler_s_environment(deployed: dict[str, str]) -> None:
    name = deployed["ApiFunctionName"]
    function = boto3.client("lambda").get_function_configuration(FunctionName=name)
    assert (
        function["Environment"]["Variables"]["ENGAGEMENT_ONLINE_TABLE"]
        == (deployed["OnlineTableName"])
    )


def test_a_run_s_messages_go_to_the_stack_s_queue(deployed: dict[str, str]) -> None:
    task = boto3.client("ecs").describe_task_definition(taskDefinition=f"{PROJECT}-run")
    (container,) = task["taskDefinition"]["containerDefinitions"]
    environment = {variable["name"]: variable["value"] for variable in container["environment"]}
    url = environment["ENGAGEMENT_CONTACT_QUEUE"]
    assert url == deployed["ContactQueueUrl"]
    Queue(url, region="us-east-1").send({"message_id": "m", "customer_id": "ann"})
    sqs = boto3.client("sqs")
    for _ in range(5):
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        assert json.loads(message["Body"])["customer_id"] == "ann"
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    # what five tries did not take is a dead letter
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)
    dead = sqs.get_queue_url(QueueName=deployed["ContactDeadLettersName"])["QueueUrl"]
    assert len(sqs.receive_message(QueueUrl=dead)["Messages"]) == 1


@pytest.mark.parametrize("kind", ["Contact", "Texts"])
def test_queues_are_encrypted_and_closed(kind: str, deployed: dict[str, str]) -> None:
    template = {"Contact": "platform", "Texts": "texts"}[kind]
    sqs = boto3.client("sqs")
    for which in ("Queue", "DeadLetters"):
        url = sqs.get_queue_url(QueueName=deployed[f"{kind}{which}Name"])["QueueUrl"]
        policy = properties(template, f"{kind}{which}Policy", deployed)["PolicyDocument"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        actual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert actual["KmsMasterKeyId"] == deployed["KmsKeyArn"]
        assert "OnlyOverTls" in actual["Policy"]


def test_the_queue_of_texts_is_read_by_its_function(deployed: dict[str, str]) -> None:
    (mapping,) = boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"] == deployed["TextsQueueArn"]
    assert mapping["FunctionArn"].endswith(f":{deployed['TextsFunctionName']}")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_budget_and_every_alarm_are_accepted_by_their_services(
    deployed: dict[str, str],
) -> None:
    budgets, cloudwatch = boto3.client("budgets"), boto3.client("cloudwatch")
    declared = properties("budget", "Budget", deployed)
    limit = declared["Budget"]["BudgetLimit"]
    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget={**declared["Budget"], "BudgetLimit": {**limit, "Amount": str(limit["Amount"])}},
        NotificationsWithSubscribers=declared["NotificationsWithSubscribers"],
    )
    assert budgets.describe_budget(AccountId=ACCOUNT, BudgetName=PROJECT)["Budget"]
    resolver = Resolver("alarms", {**deployed, "Project": PROJECT})
    for resource in resolver.resources().values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            alarm = resource["Properties"]
            cloudwatch.put_metric_alarm(**alarm)
        else:
            boto3.client("logs").put_metric_filter(
                filterName="failed-runs",
                logGroupName=resource["Properties"]["LogGroupName"],
                filterPattern=resource["Properties"]["FilterPattern"],
                metricTransformations=[
                    {key[0].lower() + key[1:]: value for key, value in transformation.items()}
                    for transformation in resource["Properties"]["MetricTransformations"]
                ],
            )
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    assert len({alarm["AlarmName"] for alarm in alarms}) == len(alarms) == 12
    assert all(alarm["AlarmActions"] == [deployed["AlertTopicArn"]] for alarm in alarms)


def test_a_network_without_a_nat_gateway_has_endpoints_instead(aws: str) -> None:
    assert aws
    project = stacks.Stacks(boto3.client("cloudformation"), "closed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacks, "SECONDS_BETWEEN_LOOKS", 0.05)
        project.deploy({"Egress": "endpoints"}, only=["network"])
    ec2 = boto3.client("ec2")
    vpc = {"Name": "vpc-id", "Values": [project.outputs()["VpcId"]]}
    endpoints = ec2.describe_vpc_endpoints(Filters=[vpc])["VpcEndpoints"]
    kinds = [endpoint["VpcEndpointType"] for endpoint in endpoints]
    assert (kinds.count("Gateway"), kinds.count("Interface")) == (2, 13)
    assert ec2.describe_nat_gateways(Filters=[vpc])["NatGateways"] == []
