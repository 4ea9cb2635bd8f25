"""The arithmetic of costs, on figures worked out by hand, and the tables in the runbook."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import cost, templates
from deploy.cost import Prices, Sizes

RUNBOOK = Path(cost.__file__).parents[1] / "docs" / "runbook.md"


def usd(what: str, sizes: Sizes, prices: Prices | None = None) -> float:
    (line,) = [one for one in cost.estimate(sizes, prices or Prices()) if one.what == what]
    return line.usd


def test_every_customer_s_document_written_each_day_costs_two_units() -> None:
    # 1,000,000 customers x 2 units x 30 days = 60 million units at 0.625 a million
    assert usd("DynamoDB writes", Sizes(customers=1_000_000)) == pytest.approx(37.5)


def test_publishing_what_changed_costs_by_its_share() -> None:
    everyone, changed = Sizes(), Sizes(published_share=0.2)
    ratio = usd("DynamoDB writes", changed) / usd("DynamoDB writes", everyone)
    assert ratio == pytest.approx(0.2)


def test_a_document_of_one_byte_over_a_unit_takes_another() -> None:
    over = Sizes(document_kib=2.001)
    assert usd("DynamoDB writes", over) == pytest.approx(1.5 * usd("DynamoDB writes", Sizes()))


def test_a_small_query_pays_the_minimum() -> None:
    # 100 queries x 10 MB x 30 days = 0.03 TB at 5 USD
    tiny = Sizes(customers=1, queries_day=100, scanning_queries_day=50)
    assert usd("Athena", tiny) == pytest.approx(0.15)


def test_the_lake_holds_the_measured_bytes() -> None:
    # 0.949 GB of raw rows over 400 days, and nothing derived
    raw = Sizes(bytes_derived_customer_day=0.0)
    assert usd("S3 storage", raw) == pytest.approx(0.949259407 * 0.023)


def test_dagster_s_two_tasks_cost_the_same_whatever_the_size() -> None:
    small, large = Sizes(customers=1_000), Sizes(customers=10_000_000)
    what = "Fargate, webserver and daemon"
    assert usd(what, small) == usd(what, large) == pytest.approx(2 * 730 * (0.04048 + 4 * 0.004445))


def test_the_sizes_of_a_run_are_those_of_the_template() -> None:
    mapped = templates.read("services")["Mappings"]["Runs"].values()
    sizes = [(int(size["Cpu"]) // 1024, int(size["Memory"]) // 1024) for size in mapped]
    assert sizes == [(vcpu, gb) for _, vcpu, gb in cost.RUN_SIZES]


def test_the_dashboard_costs_its_tasks_and_a_load_balancer_or_nothing() -> None:
    task, balancer = 730 * (0.04048 + 4 * 0.004445), 730 * (0.0225 + 0.008)
    assert usd("Dashboard", Sizes(dashboard_tasks=2)) == pytest.approx(2 * task + balancer)
    assert usd("Dashboard", Sizes(dashboard_tasks=0)) == 0.0


def test_dagster_s_tasks_are_those_of_the_template() -> None:
    resources = templates.read("services")["Resources"]
    resources |= templates.read("dashboard")["Resources"]
    for name in ("WebserverTask", "DaemonTask", "DashboardTask"):
        task = resources[name]["Properties"]
        assert int(task["Cpu"]) == cost.TASK_VCPU * 1024
        assert int(task["Memory"]) == cost.TASK_GB * 1024


def test_the_sum_is_that_of_its_lines() -> None:
    lines = cost.estimate(Sizes(), Prices())
    assert f"**{sum(line.usd for line in lines):,.2f}**" in cost.table(Sizes(), Prices())


def test_no_line_is_without_arithmetic_or_below_nothing() -> None:
    for line in cost.estimate(Sizes(), Prices()):
        assert line.usd > 0, line.what
        assert " x " in line.arithmetic, line.what


def test_the_runbook_has_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main([]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed in RUNBOOK.read_text(), "put the output of python -m deploy.cost there"


def test_prices_of_one_s_own_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"http_api_million": 0.0}))
    assert cost.main(["--customers", "1000", "--prices", str(file)]) == 0
    assert "million x 0.0 | 0.00 |" in capsys.readouterr().out


@pytest.mark.parametrize("content", ['{"gold": 1}', '{"athena_tb": -1}', '{"athena_tb": "5"}'])
def test_a_wrong_price_is_refused(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)
    assert cost.main(["--prices", str(file)]) == 1
    assert "expected a number" in (error := capsys.readouterr().err) or "unknown gold" in error


def test_twice_the_requests_cost_twice_at_the_api() -> None:
    once, twice = Sizes(), replace(Sizes(), requests_second=10.0)
    for what in ("HTTP API", "Lambda", "DynamoDB reads"):
        assert usd(what, twice) == pytest.approx(2 * usd(what, once))
