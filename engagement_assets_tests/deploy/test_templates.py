"""What must hold of every template, whatever it says."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import templates
from engagement_assets.commands.dashboard import SECRETS_VARIABLE, secrets_file
from engagement_assets.orchestration.sensors import SERVED_DAY_AGE
from engagement_assets.settings.dashboard import PREFIX, DashboardSettings
from engagement_assets.settings.fields import SettingsError
from engagement_assets.signals.sentiment.events import LEASE_SECONDS
from engagement_assets.signals.sentiment.events import PREFIX as TEXT
from engagement_assets_tests.deploy.resolved import Resolver, every_resource, of_type
from resources.aws.claims import PREFIX as CLAIM
from resources.aws.gauges import NAMESPACE

ANYTHING = "*"
# (template, statement) that names no resource, and why.
WITHOUT_RESOURCE = {
    ("foundation", "AccountAdministersAndDelegates"): "in a key's policy, * is that key",
    ("foundation", "LogsOfThisProject"): "in a key's policy, * is that key",
    ("foundation", "AlarmsAndBudgetsPublishToTheTopic"): "in a key's policy, * is that key",
    ("platform", "EcrLogin"): "ecr:GetAuthorizationToken has no resource",
    ("dashboard", "EcrLogin"): "ecr:GetAuthorizationToken has no resource",
    (
        "platform",
        "ReadTaskDefinitionAndOwnNetwork",
    ): "both actions have no resource; both only read",
    ("platform", "ReadTaskDefinition"): "ecs:DescribeTaskDefinition has no resource",
    ("platform", "TunnelToTheUi"): "the ssmmessages actions have no resource",
    ("platform", "AgeOfTheServedDay"): "cloudwatch:PutMetricData has no resource; a condition "
    "names the namespace",
}
# Actions that AWS's service authorization reference lists without a resource type.
NO_RESOURCE_TYPE = {
    "cloudwatch:PutMetricData",
    "ec2:DescribeNetworkInterfaces",
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
# What the containers get; resources are made from these and from nothing else.
PLATFORM_VARIABLES = {
    "ENGAGEMENT_DEPLOYMENT",
    "ENGAGEMENT_BUCKET",
    "ENGAGEMENT_PREFIX",
    "ENGAGEMENT_KMS_KEY",
    "ENGAGEMENT_GLUE_DATABASE",
    "ENGAGEMENT_ATHENA_WORKGROUP",
    "ENGAGEMENT_ONLINE_TABLE",
    "ENGAGEMENT_ALERT_TOPIC",
    "ENGAGEMENT_API_SECRET",
    "ENGAGEMENT_SETTINGS",
}
# Who sends due messages, and builds the definitions that do.
DELIVERY_VARIABLES = {"ENGAGEMENT_CONTACT_QUEUE"}
# boto3 reads this one and not AWS_REGION, which Fargate sets.
DAGSTER_VARIABLES = {
    "AWS_DEFAULT_REGION",
    "DAGSTER_HOME",
    "DAGSTER_LOGS_PREFIX",
    "DAGSTER_POSTGRES_DB",
    "DAGSTER_POSTGRES_HOST",
    "DAGSTER_RUN_TASK_DEFINITION",
}
DASHBOARD_VARIABLES = {
    "AWS_DEFAULT_REGION",
    "ENGAGEMENT_DASHBOARD_HOST",
    "ENGAGEMENT_DASHBOARD_PORT",
    "ENGAGEMENT_DASHBOARD_ROLES_CLAIM",
    "ENGAGEMENT_DASHBOARD_SIGN_IN",
    "ENGAGEMENT_HOME",
}
API_VARIABLES = {"ENGAGEMENT_API_LAKE", "ENGAGEMENT_API_WARM_SENTIMENT"}
SECRET_VARIABLES = {"DAGSTER_POSTGRES_PASSWORD", "DAGSTER_POSTGRES_USER"}
# Bytes that CloudFormation takes without a bucket between.
LARGEST_TEMPLATE = 51_200
# GiB that Fargate allows for so many units of CPU.
FARGATE_GIB = {
    256: {0.5, 1, 2},
    512: set(range(1, 5)),
    1024: set(range(2, 9)),
    2048: set(range(4, 17)),
    4096: set(range(8, 31)),
    8192: set(range(16, 61, 4)),
    16384: set(range(32, 121, 8)),
}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """(template, statement) of every policy of any kind."""

    def inside(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if "Effect" in node:
                yield node
            for value in node.values():
                yield from inside(value)
        elif isinstance(node, list):
            for value in node:
                yield from inside(value)

    for template, _, resource in every_resource():
        for statement in inside(resource.get("Properties", {})):
            yield template, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_linter_has_nothing_to_say() -> None:
    files = [str(templates.path(name)) for name in templates.ORDER]
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_template_is_short_enough_to_be_sent() -> None:
    for name in templates.ORDER:
        assert len(templates.path(name).read_bytes()) <= LARGEST_TEMPLATE, name


def test_every_file_is_one_of_the_stacks() -> None:
    assert {file.stem for file in templates.FOLDER.glob("*.yaml")} == set(templates.ORDER)


@pytest.mark.parametrize("name", templates.ORDER)
def test_every_parameter_output_and_template_says_what_it_is(name: str) -> None:
    template = templates.read(name)
    assert template["Description"].startswith("Engagement platform, ")
    for kind in ("Parameters", "Outputs"):
        assert template[kind]
        for key, declared in template[kind].items():
            assert declared.get("Description", "").endswith("."), f"{name}: {kind} {key}"


def test_what_a_template_needs_is_put_out_before_it() -> None:
    given = {"PlatformImage", "LambdaImage", "DashboardCertificateArn", "DashboardCidr"}
    for name in templates.ORDER:
        template = templates.read(name)
        needed = {key for key, value in template["Parameters"].items() if "Default" not in value}
        assert needed <= given, f"{name} needs {needed - given}"
        given |= set(template["Outputs"])


def test_no_statement_allows_every_action_of_a_service() -> None:
    for template, statement in statements():
        for action in as_list(statement["Action"]):
            assert statement["Effect"] == "Deny" or not action.endswith(ANYTHING), (
                f"{template}: {statement}"
            )


def test_a_statement_without_a_resource_is_listed_with_its_reason() -> None:
    actual = {
        (template, statement.get("Sid"))
        for template, statement in statements()
        if ANYTHING in as_list(statement.get("Resource", []))
    }
    assert actual == set(WITHOUT_RESOURCE)


def test_a_role_names_no_resource_only_for_actions_that_have_none() -> None:
    for template, statement in statements():
        if template != "foundation" and ANYTHING in as_list(statement.get("Resource", [])):
            assert set(as_list(statement["Action"])) <= NO_RESOURCE_TYPE


def test_only_services_and_this_account_are_trusted() -> None:
    for template, statement in statements():
        principal = statement.get("Principal", {})
        if statement["Effect"] == "Deny" or not principal:
            continue
        assert set(principal) <= {"Service", "AWS"}, template
        if template in ("api", "texts"):
            assert principal == {"Service": "lambda.amazonaws.com"}
        else:
            assert "Condition" in statement or "AWS" in principal, f"{template}: {statement}"
        if "AWS" in principal:
            assert principal["AWS"] == {
                "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"
            }


def allowed(role: str) -> list[dict[str, Any]]:
    """The statements of a role's own policies."""
    return [
        statement
        for policy in dict(of_type("AWS::IAM::Role"))[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def test_the_api_reads_and_never_writes() -> None:
    actions = {action for s in allowed("ApiRole") for action in as_list(s["Action"])}
    writes = {action for action in actions if re.search(r":(Put|Update|Delete|BatchWrite)", action)}
    assert writes == {"logs:PutLogEvents"}
    # the models' files and nothing else of the bucket
    assert {action for action in actions if action.startswith(("s3:", "athena:"))} == {
        "s3:GetObject",
        "s3:ListBucket",
    }


def test_the_dashboard_reads_the_lake_and_writes_questions_verdicts_and_own_results_alone() -> None:
    writes = {
        resource["Fn::Sub"]
        for statement in allowed("DashboardRole")
        for action in as_list(statement["Action"])
        if re.search(r":(Put|Update|Delete|Create|Publish|Send|Invoke)", action)
        for resource in as_list(statement["Resource"])
    }
    assert writes == {
        "${BucketArn}/${Prefix}/reviews/*",
        "${BucketArn}/${Prefix}/questions/*",
        "${BucketArn}/${Prefix}/.athena/*",
        "${BucketArn}/${Prefix}/lake/.athena/*",
    }
    # what opens the door is handed to the task at its start, and read by nobody in it
    assert not [s for s in allowed("DashboardRole") if "secretsmanager" in str(s["Action"])]
    (secret,) = [s for s in allowed("DashboardExecutionRole") if s["Sid"] == "SignIn"]
    assert secret["Resource"] == {"Ref": "DashboardSecretArn"}


def test_the_dashboard_is_reached_over_tls_by_its_load_balancer_alone() -> None:
    ((_, listener),) = of_type("AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert listener["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    groups = dict(of_type("AWS::EC2::SecurityGroup"))
    (people,) = groups["LoadBalancerSecurityGroup"]["SecurityGroupIngress"]
    assert people["CidrIp"] == {"Ref": "DashboardCidr"}
    everybody = templates.read("dashboard")["Parameters"]["DashboardCidr"]["AllowedPattern"]
    assert not re.fullmatch(everybody, "0.0.0.0/0")
    assert re.fullmatch(everybody, "10.40.0.0/16")
    (pages,) = groups["DashboardSecurityGroup"]["SecurityGroupIngress"]
    assert pages["SourceSecurityGroupId"] == {"Ref": "LoadBalancerSecurityGroup"}
    parameters = templates.read("dashboard")["Parameters"]
    assert parameters["DashboardScheme"]["Default"] == "internal"


def test_a_person_stays_with_one_task_and_a_silent_page_is_not_cut_off() -> None:
    ((_, group),) = of_type("AWS::ElasticLoadBalancingV2::TargetGroup")
    ((_, balancer),) = of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")
    attributes = {one["Key"]: one["Value"] for one in group["TargetGroupAttributes"]}
    assert attributes["stickiness.enabled"] == "true"
    assert group["HealthCheckPath"] == "/_stcore/health"
    balanced = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}
    assert int(balanced["idle_timeout.timeout_seconds"]) > 60


def test_the_dashboard_of_the_template_is_started_as_the_command_takes_it() -> None:
    ((_, container),) = [pair for pair in containers() if pair[0] == "DashboardTask"]
    variables = {one["Name"]: one["Value"] for one in container["Environment"]}
    port = container["PortMappings"][0]["ContainerPort"]
    assert container["Command"][1:] == ["-m", "engagement_assets.commands", "dashboard"]
    assert variables["ENGAGEMENT_DASHBOARD_SIGN_IN"] == "oidc"
    assert variables["ENGAGEMENT_DASHBOARD_PORT"] == str(port)
    (balanced,) = dict(of_type("AWS::ECS::Service"))["DashboardService"]["LoadBalancers"]
    assert (balanced["ContainerName"], balanced["ContainerPort"]) == (container["Name"], port)
    assert balanced["TargetGroupArn"] == {"Ref": "TargetGroup"}
    (secret,) = container["Secrets"]
    assert secret["Name"] == SECRETS_VARIABLE
    known = set(DashboardSettings.variables().values())
    assert {name for name in variables if name.startswith(PREFIX)} <= known


def test_the_empty_secret_of_the_template_opens_nothing() -> None:
    secret = dict(of_type("AWS::SecretsManager::Secret"))["DashboardSecret"]
    with pytest.raises(SettingsError, match="cookie_secret"):
        secrets_file(secret["SecretString"])


@pytest.mark.parametrize(
    ("kind", "encrypted"),
    [
        ("AWS::S3::Bucket", "BucketEncryption"),
        ("AWS::DynamoDB::Table", "SSESpecification"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::RDS::DBInstance", "KmsKeyId"),
        ("AWS::Lambda::Function", "KmsKeyArn"),
        ("AWS::ECR::Repository", "EncryptionConfiguration"),
    ],
)
def test_what_holds_data_is_encrypted_with_the_platform_s_key(kind: str, encrypted: str) -> None:
    actual = of_type(kind)
    assert actual
    for name, properties in actual:
        setting = json.dumps(properties[encrypted])
        assert "KmsKeyArn" in setting or '["Key", "Arn"]' in setting, name


def test_the_database_keeps_itself_and_takes_tls_alone() -> None:
    ((_, database),) = of_type("AWS::RDS::DBInstance")
    ((_, parameters),) = of_type("AWS::RDS::DBParameterGroup")
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert database["BackupRetentionPeriod"] >= 7
    assert parameters["Parameters"]["rds.force_ssl"] == "1"
    assert "resolve:secretsmanager" in database["MasterUserPassword"]["Fn::Sub"]


def test_nothing_comes_into_the_platform_from_outside_its_network() -> None:
    for name, group in of_type("AWS::EC2::SecurityGroup"):
        for rule in group.get("SecurityGroupIngress", []):
            assert rule.get("CidrIp") != "0.0.0.0/0", name


def test_what_holds_data_outlives_its_stack() -> None:
    kinds = (
        "S3::Bucket",
        "DynamoDB::Table",
        "KMS::Key",
        "SecretsManager::Secret",
        "RDS::DBInstance",
    )
    holders = [(n, r) for _, n, r in every_resource() if r["Type"].removeprefix("AWS::") in kinds]
    assert len(holders) == 7
    for name, resource in holders:
        assert resource["DeletionPolicy"] in ("Retain", "Snapshot"), name
        assert resource["UpdateReplacePolicy"] == resource["DeletionPolicy"], name


def test_the_api_s_access_log_holds_nothing_of_a_person() -> None:
    ((_, stage),) = of_type("AWS::ApiGatewayV2::Stage")
    logged = re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"])
    assert "status" in logged
    for personal in ("path", "routeKey", "identity", "authorizer", "requestOverride"):
        assert not [field for field in logged if field.startswith(personal)]
    assert isinstance(json.loads(stage["AccessLogSettings"]["Format"]), dict)


def test_the_api_is_throttled_and_its_concurrency_is_its_own() -> None:
    function = dict(of_type("AWS::Lambda::Function"))["Function"]
    ((_, stage),) = of_type("AWS::ApiGatewayV2::Stage")
    assert function["ReservedConcurrentExecutions"] == {"Ref": "ApiConcurrency"}
    assert function["ImageConfig"]["Command"] == ["engagement_assets.deployments.handler.handler"]
    assert set(stage["DefaultRouteSettings"]) >= {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
    ((_, domain),) = of_type("AWS::ApiGatewayV2::DomainName")
    assert domain["DomainNameConfigurations"][0]["SecurityPolicy"] == "TLS_1_2"


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_every_task_has_a_size_that_fargate_allows(size: str) -> None:
    resources = Resolver("services", {"RunSize": size}).resources()
    tasks = [r["Properties"] for r in resources.values() if "TaskDefinition" in r["Type"]]
    tasks += [task for name, task in of_type("AWS::ECS::TaskDefinition") if "Dashboard" in name]
    assert len(tasks) == 4
    for task in tasks:
        assert int(task["Memory"]) / 1024 in FARGATE_GIB[int(task["Cpu"])]
        assert 21 <= int(task["EphemeralStorage"]["SizeInGiB"]) <= 200


def containers() -> list[tuple[str, dict[str, Any]]]:
    """(task, container) of every task."""
    return [
        (name, container)
        for name, task in of_type("AWS::ECS::TaskDefinition")
        for container in task["ContainerDefinitions"]
    ]


def test_no_container_runs_as_root() -> None:
    for task, container in containers():
        user = container["User"].split(":")[0]
        assert user.isdigit(), task
        assert int(user) > 0, task


def test_only_the_task_behind_the_tunnel_writes_to_its_own_file_system() -> None:
    writable = {task for task, container in containers() if not container["ReadonlyRootFilesystem"]}
    assert writable == {"WebserverTask"}
    for _, container in containers():
        assert {mount["ContainerPath"] for mount in container["MountPoints"]} == {"/tmp"}  # noqa: S108 - the container's


def test_containers_get_exactly_the_documented_variables() -> None:
    for task, container in containers():
        names = [variable["Name"] for variable in container["Environment"]]
        secrets = {secret["Name"] for secret in container["Secrets"]}
        assert len(names) == len(set(names))
        if task == "DashboardTask":
            assert set(names) == PLATFORM_VARIABLES | DASHBOARD_VARIABLES
            assert secrets == {SECRETS_VARIABLE}
            continue
        assert secrets == SECRET_VARIABLES
        if container["Name"] in ("code", "run"):
            assert set(names) == PLATFORM_VARIABLES | DELIVERY_VARIABLES | DAGSTER_VARIABLES, task
        else:
            assert set(names) == {"ENGAGEMENT_BUCKET", "ENGAGEMENT_PREFIX"} | DAGSTER_VARIABLES
    functions = {
        name: set(function["Environment"]["Variables"])
        for name, function in of_type("AWS::Lambda::Function")
    }
    assert functions == {
        "Function": PLATFORM_VARIABLES | API_VARIABLES,
        "TextsFunction": PLATFORM_VARIABLES,
    }


def test_no_password_stands_in_a_plain_variable() -> None:
    for task, container in containers():
        for variable in container["Environment"]:
            assert not re.search("PASSWORD|TOKEN|SECRETS", variable["Name"]), task


def test_the_code_location_is_reached_on_the_task_s_own_loopback() -> None:
    workspace = yaml.safe_load((Path(templates.__file__).parent / "workspace.yaml").read_text())
    server = workspace["load_from"][0]["grpc_server"]
    codes = [container for _, container in containers() if container["Name"] == "code"]
    assert len(codes) == 2
    for code in codes:
        command = code["Command"]
        assert command[command.index("--host") + 1] == server["host"] == "127.0.0.1"
        assert command[command.index("--port") + 1] == str(server["port"])
        assert command[command.index("--location-name") + 1] == server["location_name"]


def test_there_is_never_a_second_daemon() -> None:
    services = dict(of_type("AWS::ECS::Service"))
    assert set(services) == {"DaemonService", "WebserverService", "DashboardService"}
    assert services["DaemonService"]["DeploymentConfiguration"]["MaximumPercent"] == 100
    assert templates.read("services")["Parameters"]["ServiceCount"]["MaxValue"] == 1


def test_every_alarm_tells_the_topic_and_stands_in_the_runbook() -> None:
    runbook = (Path(templates.__file__).parents[1] / "docs" / "runbook.md").read_text()
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) >= 8
    for name, alarm in alarms:
        assert alarm["AlarmActions"] == [{"Ref": "AlertTopicArn"}], name
        assert f"`{alarm['AlarmName']['Fn::Sub'].removeprefix('${Project}-')}`" in runbook, name


def test_the_budget_warns_before_the_amount_is_spent() -> None:
    ((_, budget),) = of_type("AWS::Budgets::Budget")
    kinds = {n["Notification"]["NotificationType"] for n in budget["NotificationsWithSubscribers"]}
    assert kinds == {"ACTUAL", "FORECASTED"}
    parameters = templates.read("budget")["Parameters"]
    assert parameters["EarlyPercent"]["Default"] < parameters["LatePercent"]["Default"] < 100


def test_the_daemon_may_write_the_metric_that_the_alarm_reads() -> None:
    (alarm,) = [a for name, a in of_type("AWS::CloudWatch::Alarm") if name == "ServedDayAlarm"]
    (allowed,) = [s for _, s in statements() if s.get("Sid") == "AgeOfTheServedDay"]
    assert allowed["Condition"]["StringEquals"]["cloudwatch:namespace"] == alarm["Namespace"]
    assert alarm["Dimensions"] == [{"Name": "Table", "Value": {"Ref": "OnlineTableName"}}]
    assert alarm["MetricName"] == SERVED_DAY_AGE
    assert alarm["Namespace"] == NAMESPACE
    # nobody saying how old it is, is bad news too
    assert alarm["TreatMissingData"] == "breaching"


QUEUES = [name for name, _ in of_type("AWS::SQS::Queue")]


@pytest.mark.parametrize("name", [name for name in QUEUES if name.endswith("Queue")])
def test_what_a_queue_cannot_hand_over_is_kept_longer_and_told(name: str) -> None:
    queues = dict(of_type("AWS::SQS::Queue"))
    dead = name.removesuffix("Queue") + "DeadLetters"
    queue, letters = queues[name], queues[dead]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead, "Arn"]}
    # a dead letter's age counts from when it was sent
    assert letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    source = queue["QueueName"]["Fn::Sub"]
    (only,) = letters["RedriveAllowPolicy"]["sourceQueueArns"]
    assert only["Fn::Sub"].rsplit(":", 1)[1] == source
    watched = {
        (alarm["MetricName"], alarm["Dimensions"][0]["Value"]["Ref"])
        for _, alarm in of_type("AWS::CloudWatch::Alarm")
        if alarm["Namespace"] == "AWS/SQS"
    }
    assert ("ApproximateAgeOfOldestMessage", f"{name}Name") in watched
    assert ("ApproximateNumberOfMessagesVisible", f"{dead}Name") in watched


def test_every_queue_takes_tls_alone() -> None:
    closed = {
        policy["Queues"][0]["Ref"]
        for _, policy in of_type("AWS::SQS::QueuePolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert closed == set(QUEUES)


def test_texts_are_handed_to_the_handler_and_come_again_one_by_one() -> None:
    function = dict(of_type("AWS::Lambda::Function"))["TextsFunction"]
    ((_, mapping),) = of_type("AWS::Lambda::EventSourceMapping")
    (command,) = function["ImageConfig"]["Command"]
    module, name = command.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["FunctionName"] == {"Ref": "TextsFunction"}
    queue = dict(of_type("AWS::SQS::Queue"))["TextsQueue"]
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["TextsQueue", "Arn"]}
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    # a claim that a killed function left is free again before its message comes back
    assert queue["VisibilityTimeout"] > LEASE_SECONDS


def test_what_reads_texts_writes_claims_of_texts_results_and_alerts_alone() -> None:
    writes = {
        statement["Sid"]
        for statement in allowed("TextsRole")
        for action in as_list(statement["Action"])
        if re.search(r":(Put|Update|Delete|Create|Publish|Send)", action)
    }
    assert writes == {"Texts", "Claims", "Support", "SupportLog", "ResultsOfQueries", "Logs"}
    by_sid = {statement["Sid"]: statement for statement in allowed("TextsRole")}
    (claims,) = by_sid["Claims"]["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert claims == f"{CLAIM}{TEXT}*"
    assert {resource["Fn::Sub"] for resource in by_sid["ResultsOfQueries"]["Resource"]} == {
        "${BucketArn}/${Prefix}/.athena/*",
        "${BucketArn}/${Prefix}/lake/.athena/*",
    }


def test_a_function_s_image_may_be_fetched_by_it() -> None:
    (fetch,) = [s for _, s in statements() if s.get("Sid") == "FunctionsFetchTheirImage"]
    names = {
        arn["Fn::Sub"].rsplit(":", 1)[1] for arn in fetch["Condition"]["ArnLike"]["aws:SourceArn"]
    }
    functions = of_type("AWS::Lambda::Function")
    assert names == {function["FunctionName"]["Fn::Sub"] for _, function in functions}


@pytest.mark.parametrize("name", ["own", "own.fifo"])
def test_a_contact_queue_of_one_s_own_is_sent_to_instead(name: str) -> None:
    arn = f"arn:aws:sqs:us-east-1:210987654321:{name}"
    platform = Resolver("platform", {"ContactQueueArn": arn})
    resources = platform.resources()
    assert not [r for r in resources.values() if r["Type"].startswith("AWS::SQS::")]
    statements = resources["RunRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    (send,) = [s for s in statements if s["Sid"] == "Contact"]
    assert send["Resource"] == arn
    outputs = platform.outputs()
    assert outputs["ContactQueueUrl"] == f"https://sqs.us-east-1.amazonaws.com/210987654321/{name}"
    # an output under a parameter's name would be taken for it at the next deployment
    assert not set(outputs) & set(templates.read("platform")["Parameters"])
    alarms = Resolver("alarms", outputs).resources()
    assert not [name for name in alarms if name.startswith("Contact")]
