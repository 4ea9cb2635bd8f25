"""The platform's ground on AWS: S3, Athena, Glue, SNS, Secrets Manager; loaded there alone."""
