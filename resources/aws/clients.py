"""Clients of AWS.

`AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` are honoured by botocore itself. Belongs here:
how every client is made. Does not belong here: any one service, what an error means
(`resources.botocore_errors`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from resources.aws.errors import AwsError
from resources.botocore_errors import aws_errors, code_of, explain

# How every client behaves: bounded waits and retries. The first try and four more, with growing
# pauses between; then the error names the number.
CONFIG = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 5},
}


@lru_cache(maxsize=64)
def client(service: str, region: str) -> Any:
    """The client of a service, one a process: making one takes tens of milliseconds."""
    import boto3
    from botocore.config import Config

    with aws_call(f"making a client for {service}"):
        # a session of its own: the shared one may not be used by several threads
        return boto3.session.Session().client(service, region_name=region, config=Config(**CONFIG))


@contextmanager
def aws_call(doing: str) -> Iterator[None]:
    """Turn botocore's errors into an `AwsError` that begins with what was being done.

    Raises:
        AwsError: A call failed.
    """
    try:
        yield
    except aws_errors() as error:
        raise AwsError(f"{doing}: {explain(error)}", code=code_of(error)) from error
