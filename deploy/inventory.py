"""What is installed: a bill of materials in CycloneDX's format, or the licences alone.

    python -m deploy.inventory > sbom.json
    python -m deploy.inventory --licences

Of the environment that runs it, so run it where the platform runs. Belongs here: listing packages.
Does not belong here: judging their licences, or which of them are vulnerable.
"""

import argparse
import sys
from collections import Counter
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ENCODER = Path(__file__).parents[1] / "encoder.txt"
UNKNOWN = "not stated"
PREFIX = "License :: "


def packages() -> list[Distribution]:
    """Return every installed package once, by name."""
    by_name = {one.metadata["Name"].lower(): one for one in distributions()}
    return [by_name[name] for name in sorted(by_name)]


def licence_of(package: Distribution) -> str:
    """Return the licence that a package states: an expression, its classifiers, or its short name.

    A whole text in the field for the name is none of these: a person must read it.
    """
    about = package.metadata
    classifiers = [
        one.split(" :: ")[-1] for one in about.get_all("Classifier", []) if one.startswith(PREFIX)
    ]
    short = (about.get("License") or "").strip()
    stated = about.get("License-Expression") or " AND ".join(sorted(classifiers))
    return stated or (short if short and "\n" not in short else UNKNOWN)


def bill_of_materials() -> str:
    """Return the bill as JSON; the same environment gives the same packages in the same order."""
    licences, hashes, bom = LicenseFactory(), HashTypeFactory(), Bom()
    for package in packages():
        name, version = package.metadata["Name"], package.version
        stated = licence_of(package)
        bom.components.add(
            Component(
                type=ComponentType.LIBRARY,
                name=name,
                version=version,
                bom_ref=f"{name}=={version}",
                purl=PackageURL("pypi", name=name.lower(), version=version),
                licenses=[] if stated == UNKNOWN else [licences.make_with_name(stated)],
                hashes=[hashes.from_composite_str(one) for one in pinned_hashes(name)],
            )
        )
    return JsonV1Dot6(bom).output_as_string(indent=1)


def pinned_hashes(name: str) -> list[str]:
    """Return the hashes that a package was held to at its installation."""
    lines = ENCODER.read_text().replace("\\\n", " ").splitlines()
    own = [line for line in lines if line.startswith(f"{name}==")]
    return [part.partition("=")[2] for line in own for part in line.split() if "--hash=" in part]


def licences() -> str:
    """Return every package with its licence, and how many have each."""
    rows = [(one.metadata["Name"], one.version, licence_of(one)) for one in packages()]
    counts = Counter(licence for _, _, licence in rows)
    lines = [f"{name} {version}: {licence}" for name, version, licence in rows]
    return "\n".join([*lines, "", *(f"{n:4} {name}" for name, n in counts.most_common())]) + "\n"


def main() -> None:
    """Print the bill of materials or the licences."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--licences", action="store_true", help="packages with their licences")
    text = licences() if parser.parse_args().licences else bill_of_materials()
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
