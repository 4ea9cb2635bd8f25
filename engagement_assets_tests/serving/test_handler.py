"""The handler answers real shapes of API Gateway's events, from a home, as Lambda would call it."""

import base64
import json
from unittest.mock import patch

import pytest

from engagement_assets.serving.api.keys import KEYS_FILE, KeyRing, new_key, write_keys

pytestmark = pytest.mark.slow


def http_api(method, path, *, headers=None, query="", body=None, encoded=False):
    """An event of an HTTP API, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "x.execute-api.us-east-1.amazonaws.com", **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "x",
            "domainName": "x.execute-api.us-east-1.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "25/Nov/2026:04:00:00 +0000",
            "timeEpoch": 1795579200000,
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def rest_api(method, path, *, headers=None, query=None):
    """An event of a REST API, payload format 1.0."""
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "x.execute-api.us-east-1.amazonaws.com", **(headers or {})},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": None
        if query is None
        else {name: [value] for name, value in query.items()},
        "pathParameters": {"proxy": path.lstrip("/")},
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": path,
            "stage": "prod",
            "requestId": "id",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="module")
def ask(year, tmp_path_factory):
    """The handler of the year's home, with a key that opens it."""
    from engagement_assets.deployments import handler as module  # noqa: PLC0415 - opened with the environment

    kept, token = new_key("test", ["read", "score"])
    path = tmp_path_factory.mktemp("keys") / KEYS_FILE
    write_keys(path, KeyRing({kept.id: kept}))
    named = {"ENGAGEMENT_HOME": str(year.path), "ENGAGEMENT_API_KEYS": str(path)}
    module._opened.cache_clear()
    with patch.dict("os.environ", named):
        opened = module._opened()
    with patch.object(module, "_opened", lambda: opened):
        yield lambda event: module.handler(event, None), {"x-api-key": token}


def test_an_event_of_either_kind_is_answered_alike(ask):
    handler, headers = ask
    path = "/v1/customers/c0000001"
    first = handler(http_api("GET", path, headers=headers))
    second = handler(rest_api("GET", path, headers=headers))
    assert first["statusCode"] == second["statusCode"] == 200
    assert not first["isBase64Encoded"]
    assert json.loads(first["body"]) == json.loads(second["body"])
    assert json.loads(first["body"])["customer_id"] == "c0000001"


def test_a_query_comes_through(ask):
    handler, headers = ask
    event = http_api(
        "GET", "/v1/customers/c0000001/recommendations", headers=headers, query="limit=3"
    )
    assert len(json.loads(handler(event)["body"])["items"]) <= 3


def test_a_body_comes_through_plain_and_encoded(ask):
    handler, headers = ask
    told = {**headers, "content-type": "application/json"}
    body = json.dumps({"customer_ids": ["c0000001", "nobody"]})
    for sent, encoded in ((body, False), (base64.b64encode(body.encode()).decode(), True)):
        event = http_api("POST", "/v1/customers:batch", headers=told, body=sent, encoded=encoded)
        answer = json.loads(handler(event)["body"])
        assert [one["customer_id"] for one in answer["customers"]] == ["c0000001"]
        assert answer["unknown"] == ["nobody"]


def test_an_error_is_text_and_nobody_is_let_in(ask):
    handler, _ = ask
    answer = handler(http_api("GET", "/v1/customers/c0000001"))
    assert answer["statusCode"] == 401
    assert not answer["isBase64Encoded"]
    assert json.loads(answer["body"])["title"] == "Not authenticated"
    assert handler(http_api("GET", "/healthz"))["statusCode"] == 200
