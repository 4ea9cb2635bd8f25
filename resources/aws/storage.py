"""Files on S3: fsspec's options, and one file changed by several writers.

Belongs here: how `s3://` paths are opened, so that every put is encrypted and no listing is stale.
Does not belong here: what lies there (`resources.lake`, `resources.registry`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from resources.aws.clients import CONFIG, client
from resources.aws.errors import AwsError
from resources.botocore_errors import code_of, explain

CHANGED_MEANWHILE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
# Promotions are minutes apart: more than a few in a row means that something else is wrong.
CONFLICTS = 10


def encryption(kms_key: str) -> dict[str, str]:
    """Headers of a put; none where the bucket's own default is enough."""
    if not kms_key:
        return {}
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}


def options(*, region: str, kms_key: str = "") -> dict[str, Any]:
    """What s3fs needs, as plain data that a Dagster resource can hold."""
    return {
        # another process may have written since: what is listed is always asked for
        "use_listings_cache": False,
        "client_kwargs": {"region_name": region},
        "config_kwargs": CONFIG,
        "s3_additional_kwargs": encryption(kms_key),
    }


def split_url(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`.

    Raises:
        AwsError: It is another kind of address.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise AwsError(f"{url!r} is not an address of the form s3://bucket/key")
    return bucket, key


def change_text(
    url: str, change: Callable[[str | None], str], *, storage: Mapping[str, Any]
) -> None:
    """Change a file that others may change at the same time; no change is lost.

    The put is conditional on the file being what was read; otherwise it is read and changed again.

    Args:
        url: `s3://bucket/key`.
        change: Gives the new text from the old, or from None where there is no file yet.
        storage: The options of `options`.

    Raises:
        AwsError: S3 refuses, or others changed it each time.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split_url(url)
    s3 = client("s3", storage["client_kwargs"]["region_name"])
    try:
        for _ in range(CONFLICTS):
            old, condition = _read(s3, bucket, key)
            try:
                s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=change(old).encode(),
                    **condition,
                    **storage["s3_additional_kwargs"],
                )
            except ClientError as error:
                if code_of(error) not in CHANGED_MEANWHILE:
                    raise
            else:
                return
    except (BotoCoreError, ClientError) as error:
        raise AwsError(f"changing {url}: {explain(error)}", code=code_of(error)) from error
    raise AwsError(f"changing {url}: others changed it {CONFLICTS} times meanwhile; try again")


def _read(s3: Any, bucket: str, key: str) -> tuple[str | None, dict[str, str]]:
    """The text and the condition that it is still the same."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return None, {"IfNoneMatch": "*"}
    return answer["Body"].read().decode(), {"IfMatch": answer["ETag"]}
