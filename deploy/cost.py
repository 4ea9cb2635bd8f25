"""What the platform costs on AWS in a month, line by line, for any number of customers.

    python -m deploy.cost --customers 100000 1000000 10000000
    python -m deploy.cost --customers 250000 --requests-per-second 20 --prices prices.json

Every price is an assumption: on-demand, us-east-1, as remembered on the date below and not fetched.
Check the current price list, and put yours into a JSON file of the same names. Sizes come from
`benchmarks/RESULTS.md`, so a customer is as active as a simulated one. Belongs here: prices, sizes,
arithmetic. Does not belong here: how the platform changes with size (docs/scale.md).
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

PRICES_OF = "2026-11-25"
DAYS = 30
HOURS = 730
GB = 1_000_000_000
MILLION = 1_000_000
KIB = 1024


@dataclass(frozen=True)
class Prices:
    """USD, on-demand, us-east-1; assumptions, see the module's docstring."""

    athena_tb: float = 5.0  # scanned by Athena, a TB
    s3_gb_month: float = 0.023  # S3 Standard
    s3_put_1000: float = 0.005  # PUT, COPY, LIST, by the thousand
    s3_get_1000: float = 0.0004  # GET, by the thousand
    fargate_vcpu_hour: float = 0.04048  # a Fargate vCPU, x86
    fargate_gb_hour: float = 0.004445  # a GB of a Fargate task's memory
    balancer_hour: float = 0.0225  # an application load balancer
    balancer_unit_hour: float = 0.008  # a capacity unit of it
    dynamodb_write_million: float = 0.625  # write units, on demand, by the million
    # read units, on demand, by the million; an eventually consistent read of up to 4 KiB takes
    # half a unit
    dynamodb_read_million: float = 0.125
    dynamodb_gb_month: float = 0.25  # stored in DynamoDB
    dynamodb_pitr_gb_month: float = 0.20  # point-in-time recovery of it
    rds_hour: float = 0.032  # db.t4g.small, PostgreSQL, one zone
    rds_gb_month: float = 0.115  # gp3 storage
    lambda_request_million: float = 0.20  # invocations, by the million
    lambda_gb_second: float = 0.0000166667  # memory and time
    http_api_million: float = 1.0  # HTTP API requests, by the million
    kms_key_month: float = 1.0  # a key; each of its yearly rotations adds one, up to two
    kms_10000: float = 0.03  # calls, by ten thousand
    nat_hour: float = 0.045  # a NAT gateway
    nat_gb: float = 0.045  # through it
    logs_gb: float = 0.50  # taken in by CloudWatch Logs
    alarm_month: float = 0.10  # an alarm
    metric_month: float = 0.30  # a custom metric
    secret_month: float = 0.40  # a secret
    ecr_gb_month: float = 0.10  # images


@dataclass(frozen=True)
class Sizes:
    """What one customer and one day weigh, and how much is asked."""

    customers: int = 100_000  # customers
    days_kept: int = 400  # days of raw rows in the lake
    # 44,720,317 rows / 100,000 customers / 400 days (RESULTS.md)
    rows_customer_day: float = 44_720_317 / 100_000 / 400
    # 949,259,407 bytes of Parquet / 44,720,317 rows (RESULTS.md)
    bytes_row: float = 949_259_407 / 44_720_317
    # features, signals, predictions and explanations of a customer and day, in Parquet:
    # 38,668,590 bytes / 100,000 customers (RESULTS.md)
    bytes_derived_customer_day: float = 38_668_590 / 100_000
    queries_day: int = 200  # Athena queries a day: tables, checks, analysts; an assumption
    days_scanned: int = 30  # days of raw rows that a scanning query reads, by its partitions
    # of these queries, those that scan so much; the rest pay the 10 MB minimum
    scanning_queries_day: int = 60
    job_seconds: float = 289.0  # a day's job: 289 s on two cores at 100,000 customers (RESULTS.md)
    training_seconds: float = 535.0  # training and evaluating every model, 535 s there (RESULTS.md)
    job_scale_customers: int = 100_000  # for so many customers
    # Fargate's start and the loading of the image, which is paid too
    job_start_seconds: float = 90.0
    # a customer's document in the online store as it is billed, in whole KiB; it has 1,560 bytes
    # on average (RESULTS.md)
    document_kib: float = 2.0
    # share of customers whose document is written each day; 1 is everyone
    published_share: float = 1.0
    releases_kept: int = 2  # releases in the table at once
    requests_second: float = 5.0  # requests of the API, on average
    request_seconds: float = 0.02  # how long the function takes for one
    dashboard_tasks: int = 1  # tasks of the dashboard; 0 where its stack is not deployed
    function_gib: float = 1769 / 1024  # its memory
    log_bytes_request: float = 600.0  # access log and application log of a request
    log_gb_day: float = 0.05  # logs of Dagster and its runs


@dataclass(frozen=True)
class Line:
    """One line of an estimate: what is paid, how its figure comes about, and USD a month."""

    what: str
    arithmetic: str
    usd: float


# (up to so many customers, vCPU, GB) of a run's task; the sizes of services.yaml.
RUN_SIZES = ((300_000, 2, 16), (3_000_000, 8, 60), (sys.maxsize, 16, 120))
PLATFORM_TASKS, TASK_VCPU, TASK_GB = 2, 1, 4
MINIMUM_SCAN = 10_000_000
DATABASE_GB = 20
SECRETS, ALARMS, METRICS, IMAGES_GB = 2, 13, 2, 30


def run_size(customers: int) -> tuple[int, int]:
    """VCPU and GB of a run's task for so many customers."""
    return next((vcpu, gb) for most, vcpu, gb in RUN_SIZES if customers <= most)


def lake_lines(sizes: Sizes, prices: Prices) -> list[Line]:
    """S3 and Athena."""
    raw_day = sizes.customers * sizes.rows_customer_day * sizes.bytes_row
    derived_day = sizes.customers * sizes.bytes_derived_customer_day
    lake = (raw_day + derived_day) * sizes.days_kept
    puts, gets = 400 * DAYS, 20_000 * DAYS
    scanned = sizes.scanning_queries_day * max(raw_day * sizes.days_scanned, MINIMUM_SCAN)
    small = (sizes.queries_day - sizes.scanning_queries_day) * MINIMUM_SCAN
    return [
        Line(
            "S3 storage",
            f"({raw_day / GB:,.4f} GB raw + {derived_day / GB:,.4f} GB derived a day) x "
            f"{sizes.days_kept} days = {lake / GB:,.1f} GB x {prices.s3_gb_month}",
            lake / GB * prices.s3_gb_month,
        ),
        Line(
            "S3 requests",
            f"{puts:,} puts x {prices.s3_put_1000}/1000 + {gets:,} gets x "
            f"{prices.s3_get_1000}/1000",
            puts / 1000 * prices.s3_put_1000 + gets / 1000 * prices.s3_get_1000,
        ),
        Line(
            "Athena",
            f"({sizes.scanning_queries_day} queries of "
            f"{scanned / sizes.scanning_queries_day / GB:,.3f} GB + "
            f"{sizes.queries_day - sizes.scanning_queries_day} of the 10 MB minimum) x {DAYS} "
            f"days = {(scanned + small) * DAYS / 1e12:,.4f} TB x {prices.athena_tb}",
            (scanned + small) * DAYS / 1e12 * prices.athena_tb,
        ),
    ]


def compute_lines(sizes: Sizes, prices: Prices) -> list[Line]:
    """Fargate: Dagster's own tasks, and the runs."""
    task = TASK_VCPU * prices.fargate_vcpu_hour + TASK_GB * prices.fargate_gb_hour
    vcpu, gb = run_size(sizes.customers)
    # As if further cores did not help and time grew with customers: the upper end.
    scale = sizes.customers / sizes.job_scale_customers
    hours = (sizes.job_seconds * scale + sizes.job_start_seconds) * DAYS / 3600
    training = (sizes.training_seconds * scale + sizes.job_start_seconds) / 3 / 3600
    hourly = vcpu * prices.fargate_vcpu_hour + gb * prices.fargate_gb_hour
    return [
        Line(
            "Fargate, webserver and daemon",
            f"{PLATFORM_TASKS} tasks x {HOURS} h x ({TASK_VCPU} vCPU x {prices.fargate_vcpu_hour} "
            f"+ {TASK_GB} GB x {prices.fargate_gb_hour})",
            PLATFORM_TASKS * HOURS * task,
        ),
        Line(
            "Dashboard",
            f"{sizes.dashboard_tasks} tasks x {HOURS} h x the same, and a load balancer of one "
            f"unit: {HOURS} h x ({prices.balancer_hour} + {prices.balancer_unit_hour})",
            sizes.dashboard_tasks * HOURS * task
            + bool(sizes.dashboard_tasks)
            * HOURS
            * (prices.balancer_hour + prices.balancer_unit_hour),
        ),
        Line(
            "Fargate, daily runs",
            f"({sizes.job_seconds:.0f} s x {scale:g} + {sizes.job_start_seconds:.0f} s) x {DAYS} "
            f"days = {hours:,.1f} h x ({vcpu} vCPU x {prices.fargate_vcpu_hour} + {gb} GB x "
            f"{prices.fargate_gb_hour})",
            hours * hourly,
        ),
        Line(
            "Fargate, training",
            f"({sizes.training_seconds:.0f} s x {scale:g} + {sizes.job_start_seconds:.0f} s) / 3 "
            f"months = {training:,.2f} h x the same",
            training * hourly,
        ),
    ]


def online_lines(sizes: Sizes, prices: Prices) -> list[Line]:
    """DynamoDB, Lambda, the HTTP API."""
    units = -(-sizes.document_kib // 1)
    writes = sizes.customers * sizes.published_share * units * DAYS
    requests = sizes.requests_second * 86_400 * DAYS
    read_units = -(-sizes.document_kib // 4) / 2
    stored = sizes.customers * sizes.releases_kept * sizes.document_kib * KIB / GB
    seconds = requests * sizes.request_seconds * sizes.function_gib
    storage_price = prices.dynamodb_gb_month + prices.dynamodb_pitr_gb_month
    return [
        Line(
            "DynamoDB writes",
            f"{sizes.customers:,} customers x {sizes.published_share:.0%} x {units:.0f} units x "
            f"{DAYS} days = {writes / MILLION:,.1f} million x {prices.dynamodb_write_million}",
            writes / MILLION * prices.dynamodb_write_million,
        ),
        Line(
            "DynamoDB reads",
            f"{requests / MILLION:,.2f} million x {read_units:g} unit x "
            f"{prices.dynamodb_read_million}",
            requests / MILLION * read_units * prices.dynamodb_read_million,
        ),
        Line(
            "DynamoDB storage and recovery",
            f"{sizes.customers:,} x {sizes.releases_kept} releases x {sizes.document_kib:g} KiB = "
            f"{stored:,.2f} GB x ({prices.dynamodb_gb_month} + {prices.dynamodb_pitr_gb_month})",
            stored * storage_price,
        ),
        Line(
            "Lambda",
            f"{requests / MILLION:,.2f} million x {prices.lambda_request_million} + {seconds:,.0f} "
            f"GB-s x {prices.lambda_gb_second}",
            requests / MILLION * prices.lambda_request_million + seconds * prices.lambda_gb_second,
        ),
        Line(
            "HTTP API",
            f"{sizes.requests_second:g} a second x 86,400 x {DAYS} = {requests / MILLION:,.2f} "
            f"million x {prices.http_api_million}",
            requests / MILLION * prices.http_api_million,
        ),
    ]


def standing_lines(sizes: Sizes, prices: Prices) -> list[Line]:
    """What costs about the same whatever the size."""
    requests = sizes.requests_second * 86_400 * DAYS
    logs = requests * sizes.log_bytes_request / GB + sizes.log_gb_day * DAYS
    calls = 300_000
    watched = ALARMS * prices.alarm_month + METRICS * prices.metric_month
    return [
        Line(
            "RDS",
            f"{HOURS} h x {prices.rds_hour} + {DATABASE_GB} GB x {prices.rds_gb_month}",
            HOURS * prices.rds_hour + DATABASE_GB * prices.rds_gb_month,
        ),
        Line(
            "NAT gateway",
            f"{HOURS} h x {prices.nat_hour} + {IMAGES_GB} GB x {prices.nat_gb}",
            HOURS * prices.nat_hour + IMAGES_GB * prices.nat_gb,
        ),
        Line(
            "CloudWatch",
            f"{logs:,.2f} GB of logs x {prices.logs_gb} + {ALARMS} alarms x {prices.alarm_month} + "
            f"{METRICS} metrics x {prices.metric_month}",
            logs * prices.logs_gb + watched,
        ),
        Line(
            "KMS and secrets",
            f"1 key x {prices.kms_key_month} + {calls:,} calls x {prices.kms_10000}/10000 + "
            f"{SECRETS} secrets x {prices.secret_month}",
            prices.kms_key_month
            + calls / 10_000 * prices.kms_10000
            + SECRETS * prices.secret_month,
        ),
        Line(
            "Images",
            f"{IMAGES_GB} GB x {prices.ecr_gb_month}",
            IMAGES_GB * prices.ecr_gb_month,
        ),
    ]


def estimate(sizes: Sizes, prices: Prices) -> list[Line]:
    """Every line of a month."""
    return [
        *lake_lines(sizes, prices),
        *compute_lines(sizes, prices),
        *online_lines(sizes, prices),
        *standing_lines(sizes, prices),
    ]


def table(sizes: Sizes, prices: Prices) -> str:
    """A month as a Markdown table, with its sum."""
    lines = estimate(sizes, prices)
    total = sum(line.usd for line in lines)
    head = (
        f"### {sizes.customers:,} customers, {sizes.requests_second:g} requests a second\n\n"
        "| what | arithmetic | USD a month |\n|---|---|---:|\n"
    )
    rows = "".join(f"| {line.what} | {line.arithmetic} | {line.usd:,.2f} |\n" for line in lines)
    return f"{head}{rows}| **sum** | | **{total:,.2f}** |\n"


def changed(default: Any, path: Path | None) -> Any:
    """A table of prices or sizes with the values of a JSON file.

    Raises:
        ValueError: The file names something unknown or gives it no number.
    """
    values: Mapping[str, Any] = json.loads(path.read_text()) if path else {}
    known = {each.name for each in fields(default)}
    wrong = sorted(name for name in values if name not in known)
    if wrong:
        raise ValueError(
            f"{path}: unknown {', '.join(wrong)}; known are {', '.join(sorted(known))}"
        )
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{path}: {name}={value}: expected a number of at least 0")
    return replace(default, **values)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.cost", description=__doc__)
    parser.add_argument(
        "--customers", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000]
    )
    parser.add_argument("--requests-per-second", type=float, help="for every size alike")
    parser.add_argument("--prices", type=Path, help="JSON of prices, by the names of Prices")
    parser.add_argument("--sizes", type=Path, help="JSON of sizes, by the names of Sizes")
    options = parser.parse_args(arguments)
    try:
        prices, sizes = changed(Prices(), options.prices), changed(Sizes(), options.sizes)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Assumed prices: on-demand, us-east-1, {PRICES_OF}. Check the current price list.\n")
    for customers in options.customers:
        # five requests a second for every 100,000 customers, unless one rate is given
        rate = options.requests_per_second or sizes.requests_second * customers / 100_000
        print(table(replace(sizes, customers=customers, requests_second=rate), prices))
    return 0


if __name__ == "__main__":
    sys.exit(main())
