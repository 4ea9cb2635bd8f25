"""The catalogue of the 49 features, and what follows from it.

Belongs here: the features by name and group, the schemas of their tables, their dictionary. Does
not belong here: the declarations themselves (`declarations.py`), the SQL that computes them
(`sql/features/`) and the writing of snapshots (`snapshot.py`).
"""

from engagement_assets.features.declarations import DECLARED
from engagement_assets.features.feature import GROUPS, Feature
from resources.schema import Column, TableSchema

FEATURES: dict[str, Feature] = {feature.name: feature for feature in DECLARED}
FEATURE_NAMES: tuple[str, ...] = tuple(FEATURES)
GROUP_FEATURES: dict[str, tuple[Feature, ...]] = {
    group: tuple(feature for feature in DECLARED if feature.group == group) for group in GROUPS
}
GROUP_SOURCES: dict[str, tuple[str, ...]] = {
    group: tuple(
        dict.fromkeys(["source/customers", *(table for f in features for table in f.sources)])
    )
    for group, features in GROUP_FEATURES.items()
}
"""Lake tables that the SQL of a group reads: each needs the customers, whom it has a row for."""
SENSITIVE_FEATURES: tuple[str, ...] = tuple(f.name for f in DECLARED if f.sensitive)
MODEL_INPUTS: tuple[str, ...] = tuple(f.name for f in DECLARED if f.model_input)
"""Features that a model learns from unless told otherwise: all but the sensitive ones."""
NUMERIC_FEATURES: tuple[str, ...] = tuple(f.name for f in DECLARED if f.numeric)
CATEGORY_FEATURES: tuple[str, ...] = tuple(f.name for f in DECLARED if not f.numeric)

CUSTOMER_FEATURES = "features/customer_features"

KEY_COLUMNS: tuple[Column, ...] = (
    Column("customer_id", "string", nullable=False, description="The customer"),
    Column(
        "snapshot_date",
        "date",
        nullable=False,
        description="The date at whose end (UTC) the values hold",
    ),
)


def _schema(features: tuple[Feature, ...]) -> TableSchema:
    columns = (
        Column(
            feature.name,
            feature.type,
            nullable=feature.nullable,
            description=f"{feature.meaning} ({feature.unit})" if feature.unit else feature.meaning,
        )
        for feature in features
    )
    return TableSchema((*KEY_COLUMNS, *columns))


CUSTOMER_FEATURES_SCHEMA: TableSchema = _schema(DECLARED)
GROUP_SCHEMAS: dict[str, TableSchema] = {
    group: _schema(features) for group, features in GROUP_FEATURES.items()
}
FEATURE_SCHEMAS: dict[str, TableSchema] = {
    **{f"features/{group}": schema for group, schema in GROUP_SCHEMAS.items()},
    CUSTOMER_FEATURES: CUSTOMER_FEATURES_SCHEMA,
}
"""Schema of each of the seven feature tables by its lake name, in the order they are landed."""


def dictionary_markdown() -> str:
    """The feature dictionary: a Markdown table a group, one line a feature."""
    lines = [
        "# Feature dictionary",
        "",
        "Values hold at the end of the snapshot date (UTC) and use only rows that had happened and "
        'were recorded by then. "The month" is the 30 days that end with the snapshot date.',
    ]
    for group, features in GROUP_FEATURES.items():
        lines += ["", f"## {group.capitalize()} ({len(features)})", ""]
        lines += ["| feature | type | unit | range | meaning | from | null | model input |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        lines += [_dictionary_line(feature) for feature in features]
    return "\n".join(lines) + "\n"


def _dictionary_line(feature: Feature) -> str:
    cells = (
        f"`{feature.name}`",
        feature.type,
        feature.unit,
        range_text(feature),
        feature.meaning,
        ", ".join(f"`{source}`" for source in feature.sources),
        feature.null_rule,
        "yes" if feature.model_input else "no (sensitive)" if feature.sensitive else "no",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def range_text(feature: Feature) -> str:
    """The values that a feature can take, in words."""
    if feature.allowed:
        return ", ".join(feature.allowed)
    least, most = feature.minimum, feature.maximum
    if least is not None and most is not None:
        return f"{least:g} to {most:g}"
    if least is not None:
        return f"at least {least:g}"
    return f"at most {most:g}" if most is not None else "any"
