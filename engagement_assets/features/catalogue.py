"""The catalogue of the features, and what follows from it.

Belongs here: the features by name and group, their tables, their dictionary. Does
not belong here: the declarations themselves (`declarations/`), the SQL that computes them
(`sql/features/`) and the writing of snapshots (`snapshot.py`).
"""

from engagement_assets.features.declarations import DECLARED
from engagement_assets.features.feature import GROUPS, Feature
from engagement_assets.learning import markdown
from engagement_assets.source.versions import CORRECTIONS
from resources.tables import Column, Table

FEATURES: dict[str, Feature] = {feature.name: feature for feature in DECLARED}
FEATURE_NAMES: tuple[str, ...] = tuple(FEATURES)
GROUP_FEATURES: dict[str, tuple[Feature, ...]] = {
    group: tuple(feature for feature in DECLARED if feature.group == group) for group in GROUPS
}
GROUP_SOURCES: dict[str, tuple[str, ...]] = {
    group: tuple(
        dict.fromkeys(
            ["source/customers", *CORRECTIONS, *(table for f in features for table in f.sources)]
        )
    )
    for group, features in GROUP_FEATURES.items()
}
"""Lake tables that the SQL of a group reads: each needs the customers, whom it has a row for."""
MODEL_INPUTS: tuple[str, ...] = tuple(f.name for f in DECLARED if f.model_input)
"""Features that a model learns from unless told otherwise: all but the sensitive ones."""
CATEGORY_FEATURES: tuple[str, ...] = tuple(f.name for f in DECLARED if not f.numeric)

OWNER = "team:data-science"
KEY_COLUMNS: tuple[Column, ...] = (
    Column("customer_id", "string", "The customer", nullable=False, names_customer=True),
    Column("snapshot_date", "date", "The date at whose end (UTC) the values hold", nullable=False),
)


def _table(noun: str, features: tuple[Feature, ...], description: str, *, whole: bool) -> Table:
    return Table(
        f"features/{noun}",
        (*KEY_COLUMNS, *features),
        description=description,
        unique=("customer_id",),
        owner=OWNER,
        # the table of all features, made of the groups in the same step, is checked
        checked=whole,
        steady=whole,
    )


FEATURE_TABLES: dict[str, Table] = {
    table.key: table
    for table in (
        *(
            _table(
                group,
                features,
                f"{len(features)} {group} features of every customer at the end of the snapshot "
                f"date: {', '.join(feature.name for feature in features)}.",
                whole=False,
            )
            for group, features in GROUP_FEATURES.items()
        ),
        _table(
            "customer_features",
            DECLARED,
            f"All {len(DECLARED)} features of every customer at the end of the snapshot date, from "
            "what had happened and was recorded by then.",
            whole=True,
        ),
    )
}
"""The feature tables by key, in the order they are landed: the groups, then all of them in one."""
CUSTOMER_FEATURES = "features/customer_features"
CUSTOMER_FEATURES_TABLE = FEATURE_TABLES[CUSTOMER_FEATURES]


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
        lines += [markdown.table(_DICTIONARY, [_dictionary_cells(f) for f in features])]
    return "\n".join(lines) + "\n"


_DICTIONARY = ("feature", "type", "unit", "range", "meaning", "from", "null", "model input")


def _dictionary_cells(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.type,
        feature.unit,
        feature.legal or "any",
        feature.meaning,
        ", ".join(f"`{source}`" for source in feature.sources),
        feature.null_rule,
        "yes" if feature.model_input else "no (sensitive)" if feature.sensitive else "no",
    )
