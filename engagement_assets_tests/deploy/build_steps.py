"""Run the steps of the Dockerfile without a container engine, in a clean folder.

    python -m engagement_assets_tests.deploy.build_steps platform --reuse-venv .venv

Where no engine is at hand, this shows that the steps install what the platform needs, that what
they copy suffices, and that what the image starts does load. A folder stands for the image's root.
How each instruction is translated:

- `FROM` another stage: that stage's steps first. `FROM` an image: this Python stands for it.
- `RUN`: by `sh`, in the working folder, `/opt/…`, `/build` and `/tmp` below the root. Lines with
  `apt-get`, `groupadd` or `useradd` would change this machine: they are skipped, and said to be.
- `COPY`: what `.dockerignore` lets through. `COPY --from`: nothing, since stages share one root.
- `ADD` of an address: skipped unless `--download`.
- `ARG`, `ENV`, `WORKDIR`: as they are. `USER`, `VOLUME`, `EXPOSE`, `HEALTHCHECK`: noted only.

`--reuse-venv` lets the steps find what another environment has: pip then installs what is missing
alone. Not shown here: the base image itself, the user, the read-only file system.
Belongs here: reading and running a Dockerfile. Does not belong here: what is in it.
"""

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "Dockerfile"
# Folders of the image that are made below the stand-in's root.
MAPPED = re.compile(r"(?<![\w./:-])/(?=(?:opt|build|tmp)\b)")
NOT_HERE = ("apt-get", "groupadd", "useradd")
NOTED = ("USER", "VOLUME", "EXPOSE", "HEALTHCHECK")
ENTRY_SECONDS = 300
# What each target must be able to do once its steps have run.
ENTRIES = {
    "platform": (
        "import engagement_assets.definitions as d; "
        "print(len(d.defs.get_repository_def().job_names), 'jobs from', d.__file__)"
    ),
    "api": (
        "import engagement_assets.commands.cli, engagement_assets.commands.serve; "
        "from engagement_assets.serving.api.routes import router; "
        "print(len(router.routes), 'routes')"
    ),
    "lambda": (
        "from importlib import import_module; import awslambdaric; "
        "assert callable(getattr(import_module({module!r}), {name!r})); print('handler')"
    ),
}


class BuildError(RuntimeError):
    """A step cannot be read or failed; the message names it."""


@dataclass
class Stage:
    """One stage of a Dockerfile.

    Attributes:
        name: What `AS` calls it.
        base: The image or stage that it begins with.
        steps: Its instructions in order, as (word, rest).
    """

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def read_dockerfile(text: str) -> tuple[list[str], dict[str, Stage]]:
    """Arguments before the first stage, and the stages by name.

    Raises:
        BuildError: A stage has no name, or the file begins with something else.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    arguments: list[str] = []
    stages: dict[str, Stage] = {}
    current: Stage | None = None
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            match = re.fullmatch(r"(\S+) AS (\S+)", rest)
            if match is None:
                raise BuildError(f"FROM {rest}: expected FROM <image> AS <name>")
            current = stages[match[2]] = Stage(name=match[2], base=match[1])
        elif current is not None:
            current.steps.append((word, rest.strip()))
        elif word == "ARG":
            arguments.append(rest)
        else:
            raise BuildError(f"{word} before the first FROM")
    return arguments, stages


def in_order(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """The stages that a target stands on, ground first, each once.

    Raises:
        BuildError: The target is unknown.
    """
    if target not in stages:
        raise BuildError(f"target {target}: expected one of {', '.join(stages)}")
    stage = stages[target]
    sources = [stage.base] if stage.base in stages else []
    for word, rest in stage.steps:
        match = re.match(r"--from=(\S+)", rest)
        if word == "COPY" and match and match[1] in stages:
            sources.append(match[1])
    ordered: list[Stage] = []
    for source in sources:
        ordered += [earlier for earlier in in_order(stages, source) if earlier not in ordered]
    return [*ordered, stage]


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether `.dockerignore` keeps a path out: the last pattern that fits decides."""
    out = False
    parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    for pattern in patterns:
        plain = pattern.removeprefix("!")
        name = plain.removeprefix("**/")
        fits = any(
            fnmatch.fnmatch(each, plain)
            or (plain.startswith("**/") and fnmatch.fnmatch(Path(each).name, name))
            for each in parents
        )
        if fits:
            out = not pattern.startswith("!")
    return out


class Image:
    """A folder that stands for an image's root.

    Args:
        root: The folder.
        context: What is built from.
        build_args: Values of `ARG`s, which win over their defaults.
        reuse: An environment whose packages the image's own may use; none when None.
        download: Whether `ADD` fetches addresses.
    """

    def __init__(
        self,
        root: Path,
        context: Path,
        *,
        build_args: Mapping[str, str],
        reuse: Path | None,
        download: bool,
    ) -> None:
        self.root = root
        self._context = context
        self._build_args = build_args
        self._reuse = reuse
        self._download = download
        self._folder = root
        self.environment = {
            name: os.environ[name]
            for name in ("LANG", "PATH", "SSL_CERT_FILE")
            if name in os.environ
        }
        # pip's own settings of this machine (index, cache) stay in force
        self.environment |= {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
        self.environment["HOME"] = os.environ.get("HOME", str(root))
        ignore = context / ".dockerignore"
        lines = ignore.read_text().splitlines() if ignore.exists() else []
        self._ignore = [line for line in lines if line and not line.startswith("#")]

    def run(self, stage: Stage) -> None:
        """Run a stage's steps."""
        for word, rest in stage.steps:
            if word in ("RUN", "COPY", "ADD"):
                say(f"{stage.name}: {word} {rest}")
            getattr(self, f"_{word.lower()}", self._unknown(word))(rest)

    def python(self, code: str) -> str:
        """Run Python code as the image would, in a fresh process.

        Raises:
            BuildError: It failed.
        """
        environment = {**self.environment, "HOME": str(self.root / "tmp")}
        done = subprocess.run(
            [str(self.root / "opt/venv/bin/python"), "-c", code],
            env=environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=ENTRY_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"what the image starts does not load:\n{done.stderr}")
        return done.stdout.strip()

    def _place(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self._folder / path

    def _mapped(self, text: str) -> str:
        return MAPPED.sub(f"{self.root}/", text)

    def _unknown(self, word: str) -> object:
        def fail(rest: str) -> None:
            if word not in (*NOTED, "CMD", "ENTRYPOINT"):
                raise BuildError(f"{word} {rest}: this instruction is not translated")

        return fail

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.environment[name] = self._build_args.get(name, default)

    def _env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            filled = re.sub(
                r"\$(\w+)", lambda m: self.environment.get(m[1], ""), self._mapped(value)
            )
            # the folder is thrown away, so keeping pip's cache costs nothing and saves much
            if name not in {"PIP_NO_CACHE_DIR", "HOME"}:
                self.environment[name] = filled

    def _workdir(self, rest: str) -> None:
        self._folder = self._place(rest)
        self._folder.mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        if rest.startswith("--from="):
            _, source, target = rest.split()
            if source != target:
                raise BuildError(f"COPY {rest}: stages share one root, so both must be one path")
            return
        *sources, target = rest.split()
        for source in sources:
            self._copy_one(source, self._place(target), into=target.endswith("/") or target == ".")

    def _copy_one(self, source: str, target: Path, *, into: bool) -> None:
        origin = self._context / source
        files = [origin] if origin.is_file() else [f for f in origin.rglob("*") if f.is_file()]
        copied = 0
        for file in files:
            inside = str(file.relative_to(self._context))
            if ignored(inside, self._ignore):
                continue
            place = target / file.name if into else target
            if origin.is_dir():
                place = target / file.relative_to(origin)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            copied += 1
        if not copied:
            raise BuildError(f"COPY {source}: nothing of that name, or .dockerignore keeps it out")

    def _add(self, rest: str) -> None:
        *_, address, target = rest.split()
        if not self._download:
            say("  skipped: an address, and no --download")
            return
        place = self._place(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["curl", "-fsSL", "-o", str(place), address], check=True)

    def _run(self, rest: str) -> None:
        if any(word in rest for word in NOT_HERE):
            say("  skipped: it would change this machine")
            return
        command = self._mapped(rest)
        if rest.startswith("python -m venv "):
            command = command.replace("python", shlex.quote(sys.executable), 1)
        done = subprocess.run(
            ["/bin/sh", "-ec", command], env=self.environment, cwd=self._folder, check=False
        )
        if done.returncode:
            raise BuildError(f"RUN {rest}: exit status {done.returncode}")
        if rest.startswith("python -m venv ") and self._reuse:
            self._lend()

    def _lend(self) -> None:
        (packages,) = self._reuse.resolve().glob("lib/python3*/site-packages")  # type: ignore[union-attr] # only called with one
        (own,) = (self.root / "opt/venv").glob("lib/python3*/site-packages")
        (own / "lent.pth").write_text(f"{packages}\n")


def say(text: str) -> None:
    """Tell what is done, at once."""
    print(text, flush=True)


def entry(stages: Mapping[str, Stage], target: str) -> str:
    """Python code that loads what a target starts, read from its `CMD`."""
    (command,) = [rest for word, rest in stages[target].steps if word == "CMD"]
    for word in json.loads(command):
        match = re.fullmatch(r"([\w.]+):(\w+)", word) or re.fullmatch(r"([\w.]+)\.(\w+)", word)
        if match and match[1].startswith("engagement_assets"):
            return ENTRIES[target].format(module=match[1], name=match[2])
    return ENTRIES[target]


def build(target: str, image: Image, stages: Mapping[str, Stage], built: set[str]) -> None:
    """Run what a target stands on, then load what it starts."""
    for stage in in_order(stages, target):
        if stage.name not in built:
            image.run(stage)
            built.add(stage.name)
    where = image.python("import engagement_assets; print(engagement_assets.__file__)")
    if not Path(where).is_relative_to(image.root):
        raise BuildError(f"engagement_assets is loaded from {where}, not from what was copied")
    say(f"{target}: {image.python(entry(stages, target))}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    arguments_before, stages = read_dockerfile(DOCKERFILE.read_text())
    parser = argparse.ArgumentParser(
        prog="python -m engagement_assets_tests.deploy.build_steps", description=__doc__
    )
    parser.add_argument("targets", nargs="+", choices=tuple(ENTRIES))
    parser.add_argument("--reuse-venv", type=Path)
    parser.add_argument("--root", type=Path, help="where to build; a folder thrown away by default")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--download", action="store_true")
    options = parser.parse_args(arguments)
    given = dict(pair.split("=", 1) for pair in options.build_arg)
    say(f"standing for {', '.join(arguments_before)}: Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory(prefix="image-") as scratch:
        root = (options.root or Path(scratch)).resolve()
        for folder in ("opt", "tmp"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        image = Image(
            root, PROJECT, build_args=given, reuse=options.reuse_venv, download=options.download
        )
        built: set[str] = set()
        try:
            for target in options.targets:
                build(target, image, stages, built)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
