"""What the local server does not implement, so that nothing is passed over without a word.

Belongs here: the list, which deploy/README.md repeats. A test fails when the server has learnt one.
"""

# Resource types that its CloudFormation skips. Marked True: the test makes them through the
# service's own API, with the template's values.
SKIPPED = {
    "AWS::ApiGatewayV2::Api": False,
    "AWS::ApiGatewayV2::ApiMapping": False,
    "AWS::ApiGatewayV2::DomainName": False,
    "AWS::ApiGatewayV2::Integration": False,
    "AWS::ApiGatewayV2::Route": False,
    "AWS::ApiGatewayV2::Stage": False,
    "AWS::Athena::WorkGroup": True,
    "AWS::Budgets::Budget": True,
    "AWS::CloudWatch::Alarm": True,
    "AWS::Glue::Database": True,
    "AWS::Logs::MetricFilter": True,
    "AWS::S3::BucketPolicy": True,
    "AWS::SNS::Subscription": False,
    "AWS::SNS::TopicPolicy": True,
    "AWS::SQS::QueuePolicy": True,
    "AWS::SecretsManager::Secret": True,
}
# What the skipped ones would have put out.
STAND_INS = {
    "ApiSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:engagement-test/api-a",
    "DatabaseSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:engagement-test/d-b",
    "DashboardSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:engagement-test/e",
    "ApiId": "api0123456",
}
# It makes parameter groups but no instance that refers to one of the same stack.
ADAPTED = {"database": {"      DBParameterGroupName: !Ref DatabaseParameters\n": ""}}
