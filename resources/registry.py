"""Where trained models live: an immutable version for each, and which one is the champion.

Belongs here: storing, checking, promoting and rolling back versions. Does not belong here: what a
model's files mean (its estimator) or whether it deserves promotion (`champion`).

Layout under the root, a local folder or any filesystem of universal_pathlib:

    <name>/<version>/<files>     never changed once there
    <name>/<version>/card.json   what the version is; written last, so a version without is none
    <name>/champion.json         the history of promotions and rollbacks
    <name>/audit.json            versions that were refused, and those taken on record all the same
    <name>/shadow.json           versions that predict beside the champion before they replace it

A version is named by its content: the same files and card are the same version. That also makes
it a seal: `open` computes the name again from the bytes and refuses what does not match.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from resources.lake import put_atomically
from resources.standing import Acceptance, Refusal, Shadow

Folder = Path | UPath

CARD_FILE = "card.json"
CHAMPION_FILE = "champion.json"
AUDIT_FILE = "audit.json"
SHADOW_FILE = "shadow.json"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"[0-9a-f]{16}")
# What the entries of a history are read by.
_ENTRY = {"action", "version", "at"}
_RESERVED = ("name", "version", "files", "registered_at")
_TIMES = ("_at", "_seconds")


class RegistryError(Exception):
    """Something the registry refuses."""


class UnknownModelError(RegistryError):
    """No version of this model has been registered."""


class ModelNameError(RegistryError, ValueError):
    """A name that no model can have, such as a path."""


class UnknownVersionError(RegistryError):
    """The model has no such version."""


class NoChampionError(RegistryError):
    """The model has no champion, or no earlier one to go back to."""


class TamperedModelError(RegistryError):
    """A stored version is not what was registered."""


@dataclass(frozen=True)
class RegisteredModel:
    """A model version in the registry, its files checked by hash.

    Attributes:
        name: Model name.
        version: Version, the hash of its content.
        folder: Its files.
        card: What is known of it.
    """

    name: str
    version: str
    folder: Folder
    card: dict[str, Any]


class ModelRegistry:
    """Versions of models under one folder.

    Writes to a local folder are atomic: written beside, then renamed. On an object store the card
    is written last, and a version without a card does not exist. On S3 two promotions at once both
    come into the history; elsewhere they should come from one process at a time, since the last of
    two at once wins.

    Args:
        root: Folder of the registry; made when it is first written to.
    """

    def __init__(self, root: Folder) -> None:
        protocol = getattr(root, "protocol", "")
        # A file:// path of universal_pathlib cannot be renamed in one step; a pathlib path can.
        local = isinstance(root, Path) or protocol in ("", "file", "local")
        self.root: Folder = Path(root.path) if local and not isinstance(root, Path) else root

    def register(self, name: str, files_folder: Folder, card: Mapping[str, Any]) -> str:
        """Store a version, unless it is there already.

        Args:
            name: Model name: lower-case letters, digits and underscores.
            files_folder: Folder with the model's files and no folders within.
            card: JSON data about the version: snapshots, features, metrics, thresholds, code
                version, seeds, data versions. Top-level keys that end in `_at` or `_seconds` are
                times: they are kept but do not count towards the version.

        Returns:
            The version: 16 hexadecimal digits.

        Raises:
            ValueError: When the name is malformed, the folder has no files or has folders, or the
                card is not JSON data or uses a key of the registry's own.
        """
        contents = _read_files(files_folder)
        clashes = [key for key in _RESERVED if key in card]
        if clashes:
            raise ValueError(f"the card uses keys that the registry writes: {clashes}")
        hashes = {file: hashlib.sha256(data).hexdigest() for file, data in contents.items()}
        full = {**card, "name": _checked_name(name), "files": hashes}
        version = _version_of(full)
        target = self._model(name) / version
        if (target / CARD_FILE).exists():
            if version in self.retired(name):
                # learnt again, without those for whose sake it was to go
                entry = {"action": "learnt_again", "version": version, "at": _now()}
                self._append(name, AUDIT_FILE, entry)
            return version
        full |= {"version": version, "registered_at": _now()}
        self._write_version(target, contents, _to_json(full))
        return version

    def open(self, name: str, version: str) -> Folder:
        """Return the folder of a version after checking every byte of it.

        Raises:
            UnknownModelError: When the model has no versions.
            UnknownVersionError: When it has no such version.
            TamperedModelError: When a file was changed, added or lost; it is named.
        """
        folder = self._existing(name, version)
        card = _read_card(folder)
        where = f"{name} version {version}"
        if card.get("version") != version or card.get("name") != name:
            raise TamperedModelError(f"{where}: {CARD_FILE} belongs to another version")
        if _version_of(card) != version:
            raise TamperedModelError(f"{where}: {CARD_FILE} was changed after registration")
        files = {path.name for path in folder.iterdir()} - {CARD_FILE}
        for file in sorted(files | set(card["files"])):
            if file not in files:
                raise TamperedModelError(f"{where}: {file} is missing")
            if file not in card["files"]:
                raise TamperedModelError(f"{where}: {file} was added after registration")
            if hashlib.sha256((folder / file).read_bytes()).hexdigest() != card["files"][file]:
                raise TamperedModelError(f"{where}: {file} was changed after registration")
        return folder

    def card(self, name: str, version: str) -> dict[str, Any]:
        """Return the card of a version, with `name`, `version`, `files` and `registered_at`.

        Raises:
            UnknownModelError: When the model has no versions.
            UnknownVersionError: When it has no such version.
            TamperedModelError: When the card was changed.
        """
        card = _read_card(self._existing(name, version))
        if _version_of(card) != version:
            raise TamperedModelError(
                f"{name} version {version}: {CARD_FILE} was changed after registration"
            )
        return card

    def versions(self, name: str) -> list[str]:
        """Return the versions, the earliest registered first; none for an unknown model."""
        folder = self._model(name)
        if not folder.exists():
            return []
        versions = [
            path.name
            for path in folder.iterdir()
            if _VERSION.fullmatch(path.name) and (path / CARD_FILE).exists()
        ]
        return sorted(versions, key=lambda v: (str(_read_card(folder / v).get("registered_at")), v))

    def promote(self, name: str, version: str, reason: str) -> None:
        """Make a version the champion, with the reason on record.

        Promoting the present champion again changes nothing.

        Raises:
            UnknownModelError: When the model has no versions.
            UnknownVersionError: When it has no such version.
            TamperedModelError: When its files are not what was registered.
        """
        self.open(name, version)
        if self.champion(name) != version:
            self._append(name, CHAMPION_FILE, _change("promote", version, reason))
        self.remove_retired(name)

    def champion(self, name: str) -> str | None:
        """Return the version that serves; None when none was promoted, or it may serve no more."""
        history = self.history(name)
        version = str(history[-1]["version"]) if history else None
        until = self.retired(name).get(version or "")
        return None if until is not None and until < datetime.now(UTC).date() else version

    def retire(self, name: str, versions: Iterable[str], *, until: date, reason: str) -> None:
        """Let versions serve up to a day and no longer; an earlier last day stays.

        They are removed as soon as they do not serve: with the next promotion, or after the day.

        Raises:
            UnknownVersionError: When it has no such version.
        """
        retired = self.retired(name)
        for version in versions:
            self._existing(name, version)
            if retired.get(version, date.max) > until:
                entry = {"action": "retire", "version": version, "until": until.isoformat()}
                self._append(name, AUDIT_FILE, {**entry, "reason": reason, "at": _now()})

    def retired(self, name: str) -> dict[str, date]:
        """Return the last day of versions that may serve only so long."""
        days: dict[str, date] = {}
        for one in self.audit(name):
            if one["action"] == "retire":
                day = date.fromisoformat(one["until"])
                days[one["version"]] = min(day, days.get(one["version"], day))
            elif one["action"] == "learnt_again":
                days.pop(one["version"], None)
        return days

    def remove_retired(self, name: str) -> list[str]:
        """Remove the retired versions that do not serve; returns which."""
        serving, versions = self.champion(name), self.versions(name)
        gone = [one for one in self.retired(name) if one in versions and one != serving]
        for version in gone:
            folder = self._model(name) / version
            files = [path for path in folder.iterdir() if path.name != CARD_FILE]
            # the card goes last: who is killed before that finds the version again
            for file in (*files, folder / CARD_FILE):
                file.unlink()
            if isinstance(folder, Path):
                folder.rmdir()
        return gone

    def history(self, name: str) -> list[dict[str, str]]:
        """Return the promotions and rollbacks, the earliest first.

        Each has `action` ("promote" or "rollback"), `version`, `reason` and `at` (UTC, ISO 8601).
        """
        return self._entries(name, CHAMPION_FILE)

    def refuse(self, name: str, version: str, reasons: Sequence[str]) -> None:
        """Put on record that a version did not become champion, and why.

        Raises:
            UnknownModelError: When the model has no versions.
            UnknownVersionError: When it has no such version.
        """
        self._existing(name, version)
        entry = {"action": "refuse", "version": version, "reasons": list(reasons), "at": _now()}
        self._append(name, AUDIT_FILE, entry)

    def accept(self, name: str, version: str, *, reason: str, by: str, until: date) -> Acceptance:
        """Make a refused version the champion, with who answers for it, why and until when.

        Accepting it again sets a new last day.

        Raises:
            RegistryError: The version was not refused, there is no reason, or the day is over.
            UnknownModelError: When the model has no versions.
            UnknownVersionError: When it has no such version.
            TamperedModelError: When its files are not what was registered.
        """
        self.open(name, version)
        refusals = [one for one in self.refusals(name) if one.version == version]
        if not refusals:
            raise RegistryError(f"{name} version {version} was not refused: there is no need")
        if not reason.strip() or not by.strip():
            raise RegistryError("a reason and who answers for it are needed: they stay on record")
        if until < datetime.now(UTC).date():
            raise RegistryError(f"{until} is over: choose a later last day")
        accepted = Acceptance(
            version, reason.strip(), by.strip(), until.isoformat(), refusals[-1].reasons, _now()
        )
        self._append(name, AUDIT_FILE, {"action": "accept", **asdict(accepted)})
        self.promote(name, version, str(accepted))
        return accepted

    def audit(self, name: str) -> list[dict[str, Any]]:
        """Return refusals, acceptances, retirements and shadow runs, the earliest first."""
        return self._entries(name, AUDIT_FILE)

    def refusals(self, name: str) -> list[Refusal]:
        """Return what was refused, the earliest first."""
        return [
            Refusal(one["version"], one["reasons"], one["at"])
            for one in self.audit(name)
            if one["action"] == "refuse"
        ]

    def refused(self, name: str) -> Refusal | None:
        """Return the refusal of the latest candidate, or None where the latest became champion."""
        refusals, history = self.refusals(name), self.history(name)
        if not refusals or (history and history[-1]["at"] > refusals[-1].at):
            return None
        return refusals[-1]

    def begin_shadow(
        self, name: str, version: str, reasons: Sequence[str], *, after: date, days: int
    ) -> None:
        """Let a version predict beside the champion for some days; one that does already goes on.

        Raises:
            UnknownModelError: When the model has no versions.
            UnknownVersionError: When it has no such version.
        """
        self._existing(name, version)
        present = self.shadow(name)
        if present is None or present.version != version:
            entry = {"version": version, "reasons": list(reasons), "after": after.isoformat()}
            self._append(
                name, SHADOW_FILE, {"action": "begin", **entry, "days": days, "at": _now()}
            )

    def shadowed(self, name: str, version: str, day: date, figures: Mapping[str, Any]) -> None:
        """Put on record that a version predicted a day beside the champion."""
        entry = {"version": version, "day": day.isoformat(), "figures": dict(figures)}
        self._append(name, SHADOW_FILE, {"action": "day", **entry, "at": _now()})

    def shadow(self, name: str) -> Shadow | None:
        """Return the version that predicts beside the champion, or None.

        A promotion or rollback since it began ends it, and so does its own refusal.
        """
        entries = self._entries(name, SHADOW_FILE)
        places = [place for place, one in enumerate(entries) if one["action"] == "begin"]
        if not places:
            return None
        begun, later = entries[places[-1]], entries[places[-1] + 1 :]
        version, history = begun["version"], self.history(name)
        refused = [one.at for one in self.refusals(name) if one.version == version]
        ended = [*refused, *(entry["at"] for entry in history[-1:])]
        if any(at >= begun["at"] for at in ended):
            return None
        done = {one["day"]: one["figures"] for one in later if one["day"] > begun["after"]}
        return Shadow(version, begun["reasons"], begun["after"], begun["days"], done)

    def acceptance(self, name: str, version: str) -> Acceptance | None:
        """Return the latest acceptance of a version, also one whose day is over."""
        accepted = [
            Acceptance(**{key: value for key, value in one.items() if key != "action"})
            for one in self.audit(name)
            if one["action"] == "accept" and one["version"] == version
        ]
        return accepted[-1] if accepted else None

    def rollback(self, name: str, *, to: str | None = None, reason: str = "rollback") -> str:
        """Go back to the champion before the present one, or to a given earlier champion.

        A version that was rolled back is not gone back to by a further rollback.

        Returns:
            The version that serves now.

        Raises:
            NoChampionError: When there is no champion, or none to go back to.
            UnknownVersionError: When `to` is not a version.
            TamperedModelError: When its files are not what was registered.
        """
        history = self.history(name)
        if not history:
            raise NoChampionError(f"{name} has no champion: promote a version first")
        target = to if to is not None else _previous(name, history)
        self.open(name, target)
        if target not in {entry["version"] for entry in history}:
            raise NoChampionError(
                f"{name} version {target} was never champion: promote it instead of rolling back"
            )
        self._append(name, CHAMPION_FILE, _change("rollback", target, reason))
        return target

    def _model(self, name: str) -> Folder:
        return self.root / _checked_name(name)

    def _existing(self, name: str, version: str) -> Folder:
        folder = self._model(name)
        known = self.versions(name)
        if not known:
            raise UnknownModelError(f"no version of {name!r} is registered under {self.root}")
        if version not in known:
            raise UnknownVersionError(
                f"{name} has no version {version!r}; it has {', '.join(known)}"
            )
        return folder / version

    def _entries(self, name: str, file: str) -> list[dict[str, Any]]:
        path = self._model(name) / file
        try:
            # an object comes whole: one that is read in parts may be replaced between two of them
            text = (
                path.read_text() if isinstance(path, Path) else path.fs.cat_file(path.path).decode()
            )
        except FileNotFoundError:
            text = None
        return _history(path, text)

    def _append(self, name: str, file: str, entry: Mapping[str, Any]) -> None:
        path = self._model(name) / file
        if not isinstance(path, Path):
            self._append_remotely(path, entry)
            return
        text = _to_json({"history": [*self._entries(name, file), entry]})
        put_atomically(UPath(path), text.encode())

    def _append_remotely(self, path: UPath, entry: Mapping[str, Any]) -> None:
        """Add to a history on an object store; on S3 two promoters at once lose nothing."""

        def longer(old: str | None) -> str:
            return _to_json({"history": [*_history(path, old), entry]})

        if path.protocol != "s3":
            # one put to an object store is atomic; of two at once the last stays
            path.write_text(longer(path.read_text() if path.exists() else None))
            return
        from resources.aws.storage import change_text  # noqa: PLC0415 - boto3 is for S3 alone

        change_text(str(path), longer, storage=path.storage_options)

    def _write_version(self, target: Folder, contents: Mapping[str, bytes], card: str) -> None:
        if not isinstance(target, Path):
            # object stores have no folders: a file's name is all there is
            _write_files(target, contents, card)
            return
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        beside.mkdir(parents=True)
        try:
            _write_files(beside, contents, card)
            beside.rename(target)
        except OSError:
            # Another process may have registered the same content in the meantime.
            if not (target / CARD_FILE).exists():
                raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def registered(registry: ModelRegistry, name: str, version: str) -> RegisteredModel:
    """Open a version, its files checked.

    Raises:
        TamperedModelError: A file is not what was registered.
    """
    return RegisteredModel(
        name, version, registry.open(name, version), registry.card(name, version)
    )


def _change(action: str, version: str, reason: str) -> dict[str, str]:
    return {"action": action, "version": version, "reason": reason, "at": _now()}


def _history(path: Folder, text: str | None) -> list[dict[str, Any]]:
    if text is None:
        return []
    try:
        entries = list(json.loads(text)["history"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryError(f"{path} is damaged, it is no history: restore it") from error
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not entry.keys() >= _ENTRY:
            raise RegistryError(
                f"{path} is damaged: entry {number} has not {', '.join(sorted(_ENTRY))}: restore it"
            )
    return entries


def _write_files(folder: Folder, contents: Mapping[str, bytes], card: str) -> None:
    for file, data in contents.items():
        (folder / file).write_bytes(data)
    (folder / CARD_FILE).write_text(card)


def _read_files(folder: Folder) -> dict[str, bytes]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: save the model there first")
    paths: list[Folder] = sorted(folder.iterdir(), key=lambda path: path.name)
    wrong = [path.name for path in paths if path.is_dir() or path.name == CARD_FILE]
    if wrong:
        raise ValueError(f"a model's files may not include folders or {CARD_FILE}: {wrong}")
    if not paths:
        raise ValueError(f"{folder} has no files: save the model there first")
    return {path.name: path.read_bytes() for path in paths}


def _read_card(folder: Folder) -> dict[str, Any]:
    try:
        card = json.loads((folder / CARD_FILE).read_text())
    except (ValueError, RecursionError) as error:
        raise TamperedModelError(f"{folder}: {CARD_FILE} is not JSON") from error
    if not isinstance(card, dict) or not isinstance(card.get("files"), dict):
        raise TamperedModelError(f"{folder}: {CARD_FILE} is not the card of a version")
    return card


def _version_of(card: Mapping[str, Any]) -> str:
    counted = {k: v for k, v in card.items() if k != "version" and not k.endswith(_TIMES)}
    return hashlib.sha256(_to_json(counted).encode()).hexdigest()[:16]


def _to_json(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the card is not JSON data: {error}; use None for a NaN") from error


def _previous(name: str, history: list[dict[str, str]]) -> str:
    """The champion below the present one when promotions push and rollbacks pop."""
    stack: list[str] = []
    for entry in history:
        if entry["action"] == "rollback" and entry["version"] in stack:
            del stack[stack.index(entry["version"]) + 1 :]
        else:
            stack.append(entry["version"])
    if len(stack) < 2:
        raise NoChampionError(f"{name} has no earlier champion than {stack[-1]}")
    return stack[-2]


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ModelNameError(
            f"model name {name!r} must be lower-case letters, digits and underscores"
        )
    return name


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
