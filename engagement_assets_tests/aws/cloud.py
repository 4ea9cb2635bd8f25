"""AWS on this machine: moto for the services it knows, our own server for Athena.

Belongs here: starting and filling it. Does not belong here: what is expected of the platform.
"""

import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import boto3
import pytest

from engagement_assets_tests.aws.athena_server import AthenaServer, Faults
from resources.aws import athena, clients
from resources.aws.athena import AthenaEngine
from resources.aws.glue import GlueTables
from resources.aws.storage import options
from resources.lake import Lake

REGION = "eu-west-1"
FIRST_DAY = date(2023, 12, 1)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    # nobody's own profile
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Servers:
    """The running servers."""

    endpoint: str
    athena: AthenaServer

    @property
    def environment(self) -> dict[str, str]:
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_ATHENA": self.athena.url,
        }

    def client(self, service: str) -> Any:
        return _client(service, self.athena.url if service == "athena" else self.endpoint)


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - moto takes any
    )


@contextmanager
def servers() -> Iterator[Servers]:
    """Start the servers, and let this process and those it starts find them."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - loads half of AWS

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"

    server = AthenaServer(lambda service: _client(service, endpoint))
    with pytest.MonkeyPatch.context() as patch:
        started = Servers(endpoint, server)
        for name, value in started.environment.items():
            patch.setenv(name, value)
        clients.client.cache_clear()
        try:
            yield started
        finally:
            clients.client.cache_clear()
            server.close()
            moto.stop()


@dataclass(frozen=True)
class Cloud:
    """One installation's things in AWS."""

    servers: Servers
    bucket: str
    kms_key: str
    database: str
    workgroup: str
    topic: str
    queue: str
    online_table: str
    secret: str

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}/platform/lake"

    @property
    def storage(self) -> dict[str, Any]:
        return options(region=REGION, kms_key=self.kms_key)

    @property
    def lake(self) -> Lake:
        return Lake(self.root, self.storage)

    @property
    def tables(self) -> GlueTables:
        return GlueTables(self.database, REGION, self.root, FIRST_DAY)

    def engine(self, **declared: Any) -> AthenaEngine:
        """An engine; tables are declared as `group__table=schema`."""
        schemas = {name.replace("__", "."): schema for name, schema in declared.items()}
        return AthenaEngine(self.lake, self.tables, self.workgroup, schemas)

    def client(self, service: str) -> Any:
        return self.servers.client(service)

    def keys(self, under: str = "") -> list[str]:
        """Keys of the bucket."""
        answer = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=under)
        return [entry["Key"] for entry in answer.get("Contents", ())]

    def told(self) -> list[str]:
        """Messages that the topic has delivered since the last look."""
        answer = self.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["Message"] for message in answer.get("Messages", ())]

    def environment(self, **more: str) -> dict[str, str]:
        """What a task of this installation finds in its environment."""
        return {
            **self.servers.environment,
            "ENGAGEMENT_DEPLOYMENT": "aws",
            "ENGAGEMENT_BUCKET": self.bucket,
            "ENGAGEMENT_PREFIX": "platform",
            "ENGAGEMENT_KMS_KEY": self.kms_key,
            "ENGAGEMENT_GLUE_DATABASE": self.database,
            "ENGAGEMENT_ATHENA_WORKGROUP": self.workgroup,
            "ENGAGEMENT_ONLINE_TABLE": self.online_table,
            "ENGAGEMENT_ALERT_TOPIC": self.topic,
            "ENGAGEMENT_API_SECRET": self.secret,
            **more,
        }


def cloud(servers: Servers) -> Cloud:
    """A new installation, with nothing in it."""
    name = f"lake-{uuid.uuid4().hex[:12]}"
    s3, sns, sqs = (servers.client(service) for service in ("s3", "sns", "sqs"))
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    kms = servers.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    database = name.replace("-", "_")
    servers.client("glue").create_database(DatabaseInput={"Name": database})
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    servers.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
    )
    servers.client("secretsmanager").create_secret(
        Name=name, SecretString=json.dumps({"signing_key": "very secret"})
    )
    servers.athena.faults = Faults()
    athena.sweep.cache_clear()
    return Cloud(servers, name, key, database, "platform", topic, queue, name, name)
