"""Versions are named by their content, never change, and champions can be taken back."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from upath import UPath

from resources import registry as r
from resources.registry import ModelRegistry

CARD = {"training_snapshot": "2024-03-31", "metrics": {"auc": {"value": 0.8}}, "seeds": {"fit": 0}}


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "booster.ubj").write_bytes(b"\x00trees")
    (folder / "estimator.json").write_text("{}")
    return folder


@pytest.fixture(params=["local", "upath", "file", "memory", "s3"])
def registry(request, tmp_path):
    if request.param == "s3":
        cloud = request.getfixturevalue("installed")
        return ModelRegistry(UPath(f"s3://{cloud.bucket}/registry", **cloud.storage))
    roots = {
        "local": tmp_path / "registry",
        "upath": UPath(str(tmp_path / "registry")),
        "file": UPath(f"file://{tmp_path}/registry"),
        "memory": UPath(f"memory://{tmp_path.name}/registry"),
    }
    return ModelRegistry(roots[request.param])


def three(registry, files):
    return [registry.register("churn", files, CARD | {"number": i}) for i in range(3)]


def test_a_registered_version_can_be_opened_and_its_card_read(registry, files):
    version = registry.register("churn", files, CARD)
    folder = registry.open("churn", version)
    assert (folder / "booster.ubj").read_bytes() == b"\x00trees"
    card = registry.card("churn", version)
    assert {key: card[key] for key in CARD} == CARD
    assert (card["name"], card["version"]) == ("churn", version)
    assert set(card["files"]) == {"booster.ubj", "estimator.json"}
    assert len(version) == 16


def test_the_same_content_is_the_same_version_and_not_copied(registry, files):
    one = registry.register("churn", files, CARD | {"trained_at": "10:00", "fit_seconds": 3.1})
    first = registry.card("churn", one)
    two = registry.register("churn", files, CARD | {"trained_at": "11:00", "fit_seconds": 2.9})
    assert one == two
    assert registry.versions("churn") == [one]
    assert registry.card("churn", one) == first


def test_other_files_or_another_card_or_name_are_another_version(registry, files):
    one = registry.register("churn", files, CARD)
    two = registry.register("churn", files, CARD | {"seeds": {"fit": 1}})
    (files / "estimator.json").write_text("{ }")
    three = registry.register("churn", files, CARD)
    assert registry.versions("churn") == [one, two, three]
    assert registry.register("other", files, CARD) != three


def test_the_version_is_the_same_everywhere(tmp_path, files):
    registries = [ModelRegistry(tmp_path / "a"), ModelRegistry(UPath("memory://elsewhere/b"))]
    assert len({registry.register("churn", files, CARD) for registry in registries}) == 1


def changed(folder):
    (folder / "booster.ubj").write_bytes(b"\x00treez")


def lost(folder):
    (folder / "estimator.json").unlink()


def added(folder):
    (folder / "extra.py").write_text("print()")


def better_looking(folder):
    card = json.loads((folder / "card.json").read_text())
    card["metrics"]["auc"]["value"] = 0.99
    (folder / "card.json").write_text(json.dumps(card))


def resealed(folder):
    changed(folder)
    card = json.loads((folder / "card.json").read_text())
    card["files"]["booster.ubj"] = hashlib.sha256(b"\x00treez").hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def no_card(folder):
    (folder / "card.json").write_text("[]")


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (changed, "booster.ubj was changed"),
        (lost, "estimator.json is missing"),
        (added, "extra.py was added"),
        (better_looking, "card.json was changed"),
        (resealed, "card.json was changed"),
        (no_card, "card.json is not the card"),
    ],
)
def test_a_tampered_version_is_refused_and_the_file_named(registry, files, tamper, named):
    version = registry.register("churn", files, CARD)
    tamper(registry.root / "churn" / version)
    with pytest.raises(r.TamperedModelError, match=named):
        registry.open("churn", version)
    with pytest.raises(r.TamperedModelError, match=named):
        registry.promote("churn", version, "looks good")
    assert registry.champion("churn") is None


def test_a_champion_is_promoted_and_the_history_tells_why(registry, files):
    one, two, _ = three(registry, files)
    assert registry.champion("churn") is None
    registry.promote("churn", one, "first")
    registry.promote("churn", two, "better by 0.01")
    registry.promote("churn", two, "again")
    assert registry.champion("churn") == two
    history = registry.history("churn")
    assert [(e["action"], e["version"], e["reason"]) for e in history] == [
        ("promote", one, "first"),
        ("promote", two, "better by 0.01"),
    ]
    assert history[0]["at"] <= history[1]["at"]


def test_rolling_back_goes_down_the_champions_one_by_one(registry, files):
    one, two, last = three(registry, files)
    for version in (one, two, last):
        registry.promote("churn", version, "newer")
    assert registry.rollback("churn", reason="complaints") == two
    assert registry.champion("churn") == two
    assert registry.history("churn")[-1]["reason"] == "complaints"
    assert registry.rollback("churn") == one
    with pytest.raises(r.NoChampionError, match="no earlier champion"):
        registry.rollback("churn")
    registry.promote("churn", last, "repaired")
    assert registry.rollback("churn") == one


def test_rolling_back_to_a_given_version_needs_an_earlier_champion(registry, files):
    one, two, never = three(registry, files)
    registry.promote("churn", one, "")
    registry.promote("churn", two, "")
    with pytest.raises(r.NoChampionError, match="never champion: promote it"):
        registry.rollback("churn", to=never)
    with pytest.raises(r.UnknownVersionError):
        registry.rollback("churn", to="0" * 16)
    assert registry.rollback("churn", to=one) == one
    # The one that was rolled away may be asked for by name.
    assert registry.rollback("churn", to=two) == two


def test_a_rollback_to_a_tampered_version_leaves_the_champion(registry, files):
    one, two, _ = three(registry, files)
    registry.promote("churn", one, "")
    registry.promote("churn", two, "")
    changed(registry.root / "churn" / one)
    with pytest.raises(r.TamperedModelError):
        registry.rollback("churn")
    assert registry.champion("churn") == two


def test_what_is_unknown_is_said(registry, files):
    assert registry.versions("churn") == []
    with pytest.raises(r.UnknownModelError, match="'churn'"):
        registry.open("churn", "0" * 16)
    with pytest.raises(r.NoChampionError, match="churn has no champion"):
        registry.rollback("churn")
    version = registry.register("churn", files, CARD)
    message = f"no version '{'0' * 16}'; it has {version}"
    for act in (registry.open, registry.card, lambda n, v: registry.promote(n, v, "")):
        with pytest.raises(r.UnknownVersionError, match=message):
            act("churn", "0" * 16)


def test_bad_input_is_named(registry, files, tmp_path):
    for name in ("../churn", "Churn", "", "a/b"):
        with pytest.raises(ValueError, match="must be lower-case"):
            registry.register(name, files, CARD)
    with pytest.raises(ValueError, match="the registry writes"):
        registry.register("churn", files, {"version": "1"})
    with pytest.raises(ValueError, match="not JSON data"):
        registry.register("churn", files, {"auc": float("nan")})
    with pytest.raises(ValueError, match="is no folder"):
        registry.register("churn", tmp_path / "nowhere", CARD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no files"):
        registry.register("churn", tmp_path / "empty", CARD)
    (files / "sub").mkdir()
    with pytest.raises(ValueError, match=r"\['sub'\]"):
        registry.register("churn", files, CARD)
    assert registry.versions("churn") == []


def test_a_write_that_breaks_off_leaves_no_version(tmp_path, files, monkeypatch):
    registry = ModelRegistry(tmp_path / "registry")
    whole = r._write_files

    def half(folder, contents, _card):
        (folder / "booster.ubj").write_bytes(contents["booster.ubj"])
        raise OSError("disk full")

    monkeypatch.setattr(r, "_write_files", half)
    with pytest.raises(OSError, match="disk full"):
        registry.register("churn", files, CARD)
    assert registry.versions("churn") == []
    assert list((tmp_path / "registry" / "churn").iterdir()) == []
    monkeypatch.setattr(r, "_write_files", whole)
    assert registry.open("churn", registry.register("churn", files, CARD))


def test_a_version_without_its_card_on_an_object_store_is_none():
    root = UPath("memory://broken-off/registry")
    registry = ModelRegistry(root)
    half = root / "churn" / ("a" * 16)
    half.mkdir(parents=True)
    (half / "booster.ubj").write_bytes(b"half")
    assert registry.versions("churn") == [] == registry.history("churn")


def test_a_promotion_that_breaks_off_leaves_the_old_history(tmp_path, files, monkeypatch):
    registry = ModelRegistry(tmp_path / "registry")
    one, two, _ = three(registry, files)
    registry.promote("churn", one, "first")
    with monkeypatch.context() as broken:
        broken.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            registry.promote("churn", two, "second")
    assert registry.champion("churn") == one
    assert not [p for p in (registry.root / "churn").iterdir() if p.name.startswith(".")]


def test_another_process_that_registers_the_same_at_once_does_no_harm(tmp_path, files, monkeypatch):
    registry = ModelRegistry(tmp_path / "registry")
    whole = r._write_files

    def overtaken(folder, contents, card):
        monkeypatch.setattr(r, "_write_files", whole)
        ModelRegistry(tmp_path / "registry").register("churn", files, CARD)
        whole(folder, contents, card)

    monkeypatch.setattr(r, "_write_files", overtaken)
    version = registry.register("churn", files, CARD)
    assert registry.versions("churn") == [version]
    assert registry.open("churn", version)


def test_a_history_that_cannot_be_read_is_an_error_not_an_empty_one(registry, files):
    version = registry.register("churn", files, CARD)
    (registry.root / "churn" / "champion.json").write_text("{")
    with pytest.raises(r.RegistryError, match="is damaged"):
        registry.promote("churn", version, "")


def test_a_refused_version_serves_once_its_owner_takes_it_on_record(registry, files):
    first, second, _ = three(registry, files)
    registry.promote("churn", first, "good")
    assert registry.refused("churn") is None
    registry.refuse("churn", second, ["AUC 0.6, at least 0.7 wanted"])
    assert registry.champion("churn") == first
    assert registry.refused("churn").reasons == ["AUC 0.6, at least 0.7 wanted"]
    until = datetime.now(UTC).date() + timedelta(days=30)
    registry.accept("churn", second, reason="a pilot", by="ann", until=until)
    assert registry.champion("churn") == second
    assert registry.refused("churn") is None, "the champion is newer than the refusal"
    accepted = registry.acceptance("churn", second)
    assert (accepted.by, accepted.reason, accepted.until) == ("ann", "a pilot", until.isoformat())
    assert accepted.refused == ["AUC 0.6, at least 0.7 wanted"]
    assert accepted.stands(until)
    assert not accepted.stands(until + timedelta(days=1))
    assert "ann" in registry.history("churn")[-1]["reason"]
    assert [one["action"] for one in registry.audit("churn")] == ["refuse", "accept"]
    assert registry.acceptance("churn", first) is None
    assert registry.rollback("churn") == first


def test_what_cannot_be_accepted_changes_nothing(registry, files):
    first, second, _ = three(registry, files)
    registry.refuse("churn", first, ["too little"])
    today = datetime.now(UTC).date()
    good = {"reason": "a pilot", "by": "ann", "until": today}
    for version, changed, words in (
        (second, {}, "was not refused"),
        (first, {"reason": " "}, "a reason and who answers"),
        (first, {"by": ""}, "a reason and who answers"),
        (first, {"until": today - timedelta(days=1)}, "is over"),
    ):
        with pytest.raises(r.RegistryError, match=words):
            registry.accept("churn", version, **(good | changed))
    with pytest.raises(r.UnknownVersionError):
        registry.accept("churn", "0" * 16, **good)
    assert registry.champion("churn") is None
    assert [one["action"] for one in registry.audit("churn")] == ["refuse"]


def test_a_retired_champion_serves_up_to_its_last_day_and_no_longer(registry, files):
    first, second, third = three(registry, files)
    registry.promote("churn", first, "better")
    today = datetime.now(UTC).date()
    registry.retire("churn", [first, second], until=today, reason="it learnt from the erased")
    assert registry.champion("churn") == first
    # what does not serve need not wait
    assert registry.remove_retired("churn") == [second]
    assert registry.versions("churn") == [first, third]
    registry.retire("churn", [first], until=today - timedelta(days=1), reason="at once")
    assert registry.champion("churn") is None
    registry.retire("churn", [first], until=today, reason="a later day does not bring it back")
    assert registry.champion("churn") is None


def test_a_retired_champion_is_removed_by_the_next_promotion(registry, files):
    first, second, _ = three(registry, files)
    registry.promote("churn", first, "better")
    registry.retire("churn", [first], until=datetime.now(UTC).date(), reason="erased")
    registry.promote("churn", second, "learnt without them")
    assert first not in registry.versions("churn")
    assert registry.champion("churn") == second


def test_a_version_that_is_learnt_again_without_them_is_retired_no_more(registry, files):
    first, *_ = three(registry, files)
    registry.promote("churn", first, "better")
    past = datetime.now(UTC).date() - timedelta(days=1)
    registry.retire("churn", [first], until=past, reason="erased")
    assert registry.register("churn", files, CARD | {"number": 0}) == first
    assert registry.champion("churn") == first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"history": [{}]}', "entry 1 has not action, at, version"),
        ('{"history": "ab"}', "entry 1 has not"),
        ("[]", "it is no history"),
        ("{", "it is no history"),
        ("[" * 100_000, "it is no history"),
    ],
)
def test_a_history_that_someone_edited_is_named(tmp_path, files, text, words):
    registry = ModelRegistry(tmp_path / "registry")
    registry.register("churn", files, CARD)
    path = tmp_path / "registry" / "churn" / "champion.json"
    path.write_text(text)
    with pytest.raises(r.RegistryError, match=rf"{path} is damaged.*{words}"):
        registry.rollback("churn")


def test_a_model_named_by_a_path_is_refused(registry):
    with pytest.raises(r.RegistryError, match=r"'\.\./x' must be lower-case"):
        registry.rollback("../x")
