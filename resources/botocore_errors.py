"""What botocore's errors mean, in one clear sentence each.

Belongs here: codes, meanings, what to do. Does not belong here: clients (`resources.aws.clients`).
Outside of `resources.aws`, because the lake tells S3's errors and `resources.aws` reads the lake.
"""

from typing import Any

_NO_PERMISSION = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "SlowDown",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_CLOCK = {"RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException"}
_UNKNOWN_KEYS = {"InvalidAccessKeyId", "UnrecognizedClientException", "InvalidClientTokenId"}


def aws_errors() -> tuple[type[Exception], ...]:
    """What botocore raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


def code_of(error: BaseException | None) -> str:
    """AWS's code of an error or of what caused it, or "" where it has none."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__ or error.__context__
    return ""


def explain(error: BaseException) -> str:
    """What an error of botocore, or one that it caused, means and what to do."""
    from botocore import exceptions as kinds

    cause = _botocore(error)
    if isinstance(cause, kinds.NoCredentialsError | kinds.PartialCredentialsError):
        return (
            "no credentials were found: give the task or this shell a role, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if isinstance(cause, kinds.NoRegionError):
        return "no region is set: set AWS_REGION"
    if isinstance(cause, kinds.HTTPClientError | kinds.ConnectionError):
        # connection refused, timeouts, names that do not resolve
        return f"the endpoint cannot be reached ({cause}); check the network and AWS_ENDPOINT_URL"
    if not isinstance(cause, kinds.ClientError):
        return str(error)
    return _explain_answer(cause.response, cause.operation_name)


def _explain_answer(answer: Any, action: str) -> str:
    """What AWS answered."""
    code, message = answer["Error"].get("Code", ""), answer["Error"].get("Message", "")
    tries = answer.get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1
    if code in ("NoSuchBucket",) or (code == "404" and action == "HeadBucket"):
        return f"{action}: there is no such bucket; check ENGAGEMENT_BUCKET ({message})"
    meanings = {
        "this role may not do that: allow the action in its policy": _NO_PERMISSION,
        f"AWS throttled the call, also after {tries} tries: ask for less at once or a higher "
        "quota": _THROTTLED,
        "the session token has expired: sign in again": _EXPIRED,
        "the signature is not accepted; most often this machine's clock is wrong: set the clock "
        "(NTP), then check the secret key": _CLOCK,
        "the access key is not known to AWS: check the credentials and the region": _UNKNOWN_KEYS,
    }
    for meaning, codes in meanings.items():
        if code in codes:
            return f"{action}: {meaning} ({code}: {message})"
    return f"{action}: {code}: {message}"


def _botocore(error: BaseException) -> BaseException:
    """The error of botocore in a chain of causes, or the error itself."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, aws_errors()):
            return link
        link = link.__cause__ or link.__context__
    return error
