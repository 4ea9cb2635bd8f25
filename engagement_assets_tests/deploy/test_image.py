"""The Dockerfile, and the command that runs its steps without a container engine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engagement_assets_tests.deploy import build_steps
from engagement_assets_tests.deploy.build_steps import BuildError, Image

DOCKERFILE = build_steps.DOCKERFILE
TEXT = DOCKERFILE.read_text()


def hadolint() -> str | None:
    """The linter beside this Python, or on the path."""
    beside = Path(sys.executable).parent / "hadolint"
    return str(beside) if beside.exists() else shutil.which("hadolint")


@pytest.mark.skipif(hadolint() is None, reason="hadolint is not installed (extra `dev`)")
def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [str(hadolint()), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def stages() -> dict[str, build_steps.Stage]:
    return build_steps.read_dockerfile(TEXT)[1]


@pytest.mark.parametrize("target", ["platform", "api", "lambda"])
def test_every_target_runs_as_nobody_special(target: str) -> None:
    users = [
        rest
        for stage in build_steps.in_order(stages(), target)
        for word, rest in stage.steps
        if word == "USER"
    ]
    assert users[-1:] == ["10001:10001"]


def test_the_image_s_user_is_that_of_the_task_definitions() -> None:
    services = (DOCKERFILE.parent / "cloudformation" / "services.yaml").read_text()
    assert set(re.findall(r'User: "([\d:]+)"', services)) == {"10001:10001"}


def test_the_base_is_pinned_by_version_and_can_be_by_digest() -> None:
    arguments, actual = build_steps.read_dockerfile(TEXT)
    assert arguments == ["PYTHON_IMAGE=python:3.11.14-slim-bookworm"]
    for stage in actual.values():
        assert stage.base == "${PYTHON_IMAGE}" or stage.base in actual


def test_nothing_is_installed_after_the_stage_that_is_thrown_away() -> None:
    for name, stage in stages().items():
        if name != "build":
            assert not [rest for _, rest in stage.steps if "pip install" in rest]


def test_every_installation_is_held_to_pinned_versions() -> None:
    for line in re.findall(r"pip install [^&\n]*", TEXT):
        assert "-c constraints.txt" in line or "--require-hashes" in line, line


def test_the_api_s_image_is_asked_for_its_health() -> None:
    assert "HEALTHCHECK" in [word for word, _ in stages()["api"].steps]


@pytest.mark.parametrize(
    "path",
    [
        "data/simulator-10000/lake/source/customers.parquet",
        ".git/config",
        ".venv/bin/python",
        ".env",
        "engagement_assets/__pycache__/run.cpython-311.pyc",
        "engagement_assets_tests/conftest.py",
        "deploy/stacks.py",
    ],
)
def test_the_context_leaves_out_what_no_image_needs(path: str) -> None:
    patterns = (build_steps.PROJECT / ".dockerignore").read_text().splitlines()
    kept = [line for line in patterns if line and not line.startswith("#")]
    assert build_steps.ignored(path, kept)
    assert not build_steps.ignored("engagement_assets/commands/cli.py", kept)
    assert not build_steps.ignored("deploy/dagster.yaml", kept)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    context = tmp_path / "context"
    (context / "code").mkdir(parents=True)
    (context / "code" / "a.py").write_text("A = 1\n")
    (context / "code" / "a.pyc").write_text("")
    (context / ".dockerignore").write_text("# all but code\n*\n!code\n**/*.pyc\n")
    (context / "secret").write_text("s")
    root = tmp_path / "root"
    (root / "opt").mkdir(parents=True)
    return Image(root, context, build_args={"WORD": "given"}, reuse=None, download=False)


def run(image: Image, steps: str) -> None:
    image.run(build_steps.read_dockerfile(f"FROM x AS one\n{steps}")[1]["one"])


def test_steps_run_below_the_root_with_arguments_and_environment(image: Image) -> None:
    run(
        image,
        "ARG WORD=default\nENV PLACE=/opt/a OTHER=$WORD\nWORKDIR /opt/a\n"
        'RUN echo "$WORD $OTHER $PLACE" > said \\\n    && cp said /opt/b\n',
    )
    said = (image.root / "opt/b").read_text().split()
    assert said == ["given", "given", f"{image.root}/opt/a"]


def test_what_the_ignore_file_keeps_out_is_not_copied(image: Image) -> None:
    run(image, "WORKDIR /opt\nCOPY code code\n")
    assert [file.name for file in (image.root / "opt/code").iterdir()] == ["a.py"]
    with pytest.raises(BuildError, match="secret"):
        run(image, "COPY secret secret\n")


def test_a_step_that_fails_stops_the_build(image: Image) -> None:
    with pytest.raises(BuildError, match="exit status 3"):
        run(image, "RUN exit 3\n")


def test_what_would_change_this_machine_is_skipped_and_said(
    image: Image, capfd: pytest.CaptureFixture[str]
) -> None:
    run(image, "RUN apt-get install -y something && touch /opt/done\n")
    assert "would change this machine" in capfd.readouterr().out
    assert not (image.root / "opt/done").exists()


def test_an_instruction_without_a_translation_is_an_error(image: Image) -> None:
    with pytest.raises(BuildError, match="ONBUILD"):
        run(image, "ONBUILD RUN true\n")


def test_a_stage_comes_after_what_it_copies_from() -> None:
    names = [stage.name for stage in build_steps.in_order(stages(), "api")]
    assert names == ["build", "base", "api"]
    with pytest.raises(BuildError, match="expected one of"):
        build_steps.in_order(stages(), "kitchen")


def test_what_is_loaded_is_what_the_image_starts() -> None:
    assert "engagement_assets.deployments.handler" in build_steps.entry(stages(), "lambda")
    assert "engagement_assets.commands.serve;" in build_steps.entry(stages(), "api")
    assert "engagement_assets.definitions" in build_steps.entry(stages(), "platform")
