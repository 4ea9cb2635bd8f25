"""IO managers for tables, models and reports, on one `UPathIOManager` base.

Belongs here: how a value that an asset returns becomes files and back. Does not belong here: tables
that SQL makes, which the engine lands itself, and what the values mean.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Protocol, TypedDict

import dagster as dg
import pandas as pd
import pyarrow as pa
from pydantic import Field
from upath import UPath

from resources.files import RESTORE, DamagedFileError, parsed
from resources.lake import FILE_NAME, PARTITION_COLUMN, Lake, encode, put_atomically
from resources.registry import ModelRegistry, RegisteredModel, registered
from resources.seals import unsealed
from resources.tables import Column, Table

COLUMN_SCHEMA = "dagster/column_schema"


class AssetFields(TypedDict):
    """Arguments that `dg.asset`, `dg.AssetOut` and `dg.AssetSpec` have alike."""

    key: list[str]
    description: str
    group_name: str
    owners: list[str]
    metadata: dict[str, Any]


def asset_fields(table: Table, **metadata: Any) -> AssetFields:
    """What an asset of a table takes from its declaration, as arguments of Dagster's decorators.

    The columns stand in the metadata, where the UI shows them and the table IO manager finds them.
    """
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.text,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in table.columns
    ]
    return {
        "key": table.asset_key,
        "description": table.description,
        "group_name": table.group,
        "owners": [table.owner],
        "metadata": {COLUMN_SCHEMA: dg.TableSchema(columns=columns), **metadata},
    }


def declared_table(metadata: Mapping[str, Any] | None, asset: str) -> Table:
    """The table with the columns that an asset declares in its metadata.

    Raises:
        DagsterInvalidDefinitionError: It declares none.
    """
    value = (metadata or {}).get(COLUMN_SCHEMA)
    schema = getattr(value, "schema", value)
    if not isinstance(schema, dg.TableSchema):
        raise dg.DagsterInvalidDefinitionError(f"{asset} declares no {COLUMN_SCHEMA} metadata")
    return Table(
        asset,
        tuple(
            Column(column.name, column.type, nullable=column.constraints.nullable)
            for column in schema.columns
        ),
    )


class LakeFormatIOManager(dg.UPathIOManager):
    """Base of the three: `<root>/<group>/<noun>[/day=<key>]/<file>`, written atomically."""

    file_name: str

    def get_path_for_partition(
        self, context: dg.InputContext | dg.OutputContext, path: UPath, partition: str
    ) -> UPath:
        """Hive's folder of one partition."""
        folder = path.parent if path.name == self.file_name else path
        return folder / f"{PARTITION_COLUMN}={partition}" / self.file_name

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write one value, or a value a partition in a run over a range of them.

        Dagster's own writes one partition an output (its issue 14332): a run over a range gives a
        dict of values by partition key here, as such an input is read.
        """
        if not context.has_asset_partitions or len(context.asset_partition_keys) == 1:
            super().handle_output(context, obj)
            return
        paths = self._get_paths_for_partitions(context)
        if not isinstance(obj, dict) or obj.keys() != paths.keys():
            raise dg.DagsterInvariantViolationError(
                f"{context.asset_key.to_user_string()}: a run over {len(paths)} partitions must "
                "give a dict with a value for each partition key"
            )
        for key, path in paths.items():
            self.dump_to_path(context, obj[key], path)

    def get_asset_relative_path(self, context: dg.InputContext | dg.OutputContext) -> UPath:
        """The asset's folder and file."""
        return UPath(*context.asset_key.path) / self.file_name


class LakeFormatFactory(dg.ConfigurableIOManagerFactory):
    """Base of their configurations."""

    kind: ClassVar[type[LakeFormatIOManager]]

    root: str = Field(description="Folder or URL under which the values lie.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )

    def create_io_manager(self, context: dg.InitResourceContext) -> Any:
        """The IO manager."""
        return self.kind(UPath(self.root, **self.options))


class _TableIOManager(LakeFormatIOManager):
    file_name = FILE_NAME

    def __init__(self, base_path: UPath, lake: Lake) -> None:
        super().__init__(base_path)
        self.lake = lake

    def dump_to_path(self, context: dg.OutputContext, obj: pd.DataFrame, path: UPath) -> None:
        name = context.asset_key.to_user_string()
        table = declared_table(context.definition_metadata, name)
        rows = table.conform(pa.Table.from_pandas(obj, preserve_index=False))
        self.lake.put(path, encode(rows))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pd.DataFrame:
        with self.lake.content(path) as file:
            rows: pd.DataFrame = unsealed(file).read().to_pandas()
        return rows

    def get_metadata(
        self, context: dg.OutputContext, obj: pd.DataFrame
    ) -> dict[str, dg.MetadataValue]:
        return {"dagster/row_count": dg.MetadataValue.int(len(obj))}


class TableIOManager(LakeFormatFactory):
    """A `pandas.DataFrame` as one Parquet partition, checked against the asset's column schema."""

    key_file: str = Field(
        default="", description="A file with the key that encrypts the files of a folder."
    )

    def create_io_manager(self, context: dg.InitResourceContext) -> Any:
        """The IO manager."""
        lake = Lake(self.root, self.options, self.key_file)
        return _TableIOManager(UPath(self.root, **self.options), lake)


@dataclass(frozen=True)
class Report:
    """A report: its figures and its text.

    Attributes:
        figures: JSON data.
        markdown: The text, with plots as data URIs.
    """

    figures: dict[str, Any]
    markdown: str


def _report(path: UPath) -> Report:
    text = path.with_suffix(".md")
    try:
        return Report(parsed(path, path.read_bytes()), text.read_text())
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{text} is no text ({error}): {RESTORE}") from error


def newest_report(root: UPath, key: Sequence[str]) -> tuple[Report, str] | None:
    """Return the newest report of an asset.

    Args:
        root: Folder of the reports.
        key: Its asset.

    Returns:
        The report and its partition, empty where the asset has none; None where none was made.
    """
    folder = root.joinpath(*key)
    if not folder.exists():
        return None
    name = _ReportIOManager.file_name
    made = {path.parent.name: path for path in folder.glob(f"{PARTITION_COLUMN}=*/{name}")}
    if made:
        newest = max(made)
        return _report(made[newest]), newest.removeprefix(f"{PARTITION_COLUMN}=")
    path = folder / name
    return (_report(path), "") if path.exists() else None


def _write_report(path: UPath, report: Report) -> None:
    figures = json.dumps(report.figures, indent=1, allow_nan=False).encode()
    put_atomically(path.with_suffix(".md"), report.markdown.encode())
    # last, since its presence says that the report is there
    put_atomically(path, figures)


class _ReportIOManager(LakeFormatIOManager):
    file_name = "report.json"

    def dump_to_path(self, context: dg.OutputContext, obj: Report, path: UPath) -> None:
        # first, so that figures that are not JSON leave the old report whole
        _write_report(path, obj)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Report:
        return _report(path)

    def save(self, key: Sequence[str], report: Report) -> UPath:
        """Write a report that an asset makes beside what it gives back; returns its text's path."""
        path: UPath = UPath(self._base_path).joinpath(*key, self.file_name)
        _write_report(path, report)
        return path.with_suffix(".md")

    def latest(self, key: Sequence[str]) -> Report | None:
        """Return the newest report of an asset, or None where none was made."""
        newest = newest_report(UPath(self._base_path), key)
        return newest[0] if newest else None

    def get_metadata(self, context: dg.OutputContext, obj: Report) -> dict[str, dg.MetadataValue]:
        return {"report": dg.MetadataValue.md(obj.markdown)}


class ReportIOManager(LakeFormatFactory):
    """A `Report` as JSON beside Markdown."""

    kind = _ReportIOManager


class Saveable(Protocol):
    """A fitted model that can write itself as data."""

    def save(self, folder: Path) -> None:
        """Write its files into a folder."""


@dataclass(frozen=True)
class ModelPackage:
    """A fitted model on its way into the registry.

    Attributes:
        model: The fitted model.
        card: What is known of it, as JSON data.
    """

    model: Saveable
    card: dict[str, Any]


@dataclass(frozen=True)
class NotTrained:
    """A model that could not be learnt, in place of a model.

    Attributes:
        reason: What is missing, a sentence.
    """

    reason: str


class _ModelIOManager(LakeFormatIOManager):
    """Registers a version; the path holds only which version the asset made last."""

    file_name = "latest.json"

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self._base_path)

    def dump_to_path(
        self, context: dg.OutputContext, obj: ModelPackage | NotTrained, path: UPath
    ) -> None:
        name = context.asset_key.path[0]
        if isinstance(obj, NotTrained):
            put_atomically(path, json.dumps({"name": name, "not_trained": obj.reason}).encode())
            return
        with TemporaryDirectory() as folder:
            obj.model.save(Path(folder))
            version = self.registry.register(name, Path(folder), obj.card)
        put_atomically(path, json.dumps({"name": name, "version": version}).encode())
        context.add_output_metadata({"model_version": version})

    def load_from_path(self, context: dg.InputContext, path: UPath) -> RegisteredModel | NotTrained:
        latest = parsed(path, path.read_bytes())
        if "not_trained" in latest:
            return NotTrained(latest["not_trained"])
        return registered(self.registry, latest["name"], latest["version"])


class ModelIOManager(LakeFormatFactory):
    """A `ModelPackage` in as a registry version, a `RegisteredModel` out; `NotTrained` as it is."""

    kind = _ModelIOManager


class RegistryResource(dg.ConfigurableResource):
    """The model registry."""

    root: str = Field(description="Folder of the registry.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )

    @property
    def registry(self) -> ModelRegistry:
        """The registry."""
        return ModelRegistry(UPath(self.root, **self.options))
