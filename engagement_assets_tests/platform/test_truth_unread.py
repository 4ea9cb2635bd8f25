"""What the simulator knows and the platform must not see is read by nothing of the platform."""

import re

import duckdb

from engagement_assets.definitions import defs
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.serving.duckdb_catalogue import MaskedCatalogue
from engagement_assets_tests.platform.homes import PROJECT
from resources.engine import DuckDBEngine
from resources.tables import by_sql_name

# a path, a table in SQL, an import, or the schemas
READS = re.compile(
    r"""['"/. ]truth[/.]|\btruth["'] */|\btruth\.\w|import \w*truth|\btruth_\w+|\.truth\b"""
)
SIMULATOR = PROJECT / "engagement_assets" / "source" / "simulator"
LEARNING = PROJECT / "engagement_assets" / "learning"


def modules():
    for folder in ("engagement_assets", "resources", "sql"):
        for path in sorted((PROJECT / folder).rglob("*")):
            # the library of learning reads no table, and calls labels the truth
            apart = path.is_relative_to(SIMULATOR) or path.is_relative_to(LEARNING)
            if path.suffix in (".py", ".sql", ".toml") and not apart:
                yield path


def code_of(path):
    """A file without its comments; docstrings stay, so that the search errs on the safe side."""
    mark = "--" if path.suffix == ".sql" else "#"
    return "\n".join(line.split(mark)[0] for line in path.read_text().splitlines())


def test_the_search_finds_a_read_of_the_truth():
    for line in (
        "lake.read('truth/customers')",
        'root / "truth" / "customers"',
        "SELECT * FROM truth.customers",
        "from engagement_assets.source.simulator.truth import churn",
        "from engagement_assets.source.truth import write_truth",
        "simulator.truth_customers(day)",
    ):
        assert READS.search(line), line


def test_no_module_and_no_sql_reads_a_truth_table():
    # one writes the truth for benchmarks, one asks it to after a run, and one names the group to
    # leave it out
    allowed = {
        PROJECT / "engagement_assets" / "commands" / "pipeline.py",
        PROJECT / "engagement_assets" / "source" / "truth.py",
        PROJECT / "resources" / "catalogue.py",
    }
    actual = [
        str(path.relative_to(PROJECT))
        for path in modules()
        if READS.search(code_of(path)) and path not in allowed
    ]
    assert not actual


def test_the_pipeline_has_the_truth_written_and_reads_none_of_it():
    code = code_of(PROJECT / "engagement_assets" / "commands" / "pipeline.py")
    lines = [line.strip() for line in code.splitlines() if READS.search(line)]
    assert lines == ["from engagement_assets.source.truth import CHURN, write_truth"]
    assert len(re.findall(r"\bCHURN\b", code)) == 2
    assert "lake.exists(CHURN, day)" in code


def test_no_asset_is_a_truth_table_and_no_column_tells_a_persona():
    graph = defs.resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    assert not [key for key in keys if "truth" in key.path]
    columns = {
        column.name
        for key in keys
        if (shown := graph.get(key).metadata.get("dagster/column_schema"))
        for column in getattr(shown, "schema", shown).columns
    }
    assert "customer_id" in columns
    assert not columns & {"persona", "is_bot", "is_fraud", "leaving_from", "nominal_effect"}


def test_the_catalogue_does_not_list_the_truth(home, tmp_path):
    assert home.lake.days("truth/customers")
    assert home.lake.days("truth/churn")
    engine = DuckDBEngine(home.lake, declared=by_sql_name(KNOWN_TABLES))
    other = home.path / "other.duckdb"
    made = MaskedCatalogue(path=str(other), masking_key=str(tmp_path / "key")).publish(engine)
    tables = made.tables
    assert "source.sessions" in tables
    with duckdb.connect(str(home.path / "other.duckdb"), read_only=True) as connection:
        schemas = connection.execute("SELECT DISTINCT schema_name FROM duckdb_views()").fetchall()
    assert ("truth",) not in schemas
    assert ("source",) in schemas
