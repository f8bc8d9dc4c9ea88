"""Which crates the binary is made of, by what cargo said while it compiled it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = "x86_64-unknown-linux-gnu"


@dataclass(frozen=True)
class Crate:
    """A crate of the registry, as Cargo.lock and its own manifest have it."""

    id: str
    name: str
    version: str
    licence: str
    repository: str | None
    checksum: str
    directory: Path
    # Not only a part of a build script or a macro.
    in_binary: bool
    needs: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:cargo/{self.name}@{self.version}"


def compiled(path: Path) -> dict[str, bool]:
    """The crates of dist/binary's compiled.json, and whether each is in the binary."""
    found: dict[str, bool] = {}
    for line in path.read_text().splitlines():
        message = json.loads(line)
        if message["reason"] != "compiler-artifact":
            continue
        # Libraries for the target lie in its directory; build scripts, macros and what they need do not.
        for_target = any(f"/{TARGET}/" in name for name in message["filenames"])
        found[message["package_id"]] = found.get(message["package_id"], False) or for_target
    return found


def metadata() -> dict[str, Any]:
    """What cargo knows of all crates for the target."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={TARGET}"]
    return json.loads(subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout)


def crates(path: Path) -> list[Crate]:
    """All but flowlake itself, by name and version."""
    built, known = compiled(path), metadata()
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum", "") for package in lock}
    needs = {node["id"]: node["dependencies"] for node in known["resolve"]["nodes"]}
    found = [
        Crate(
            id=package["id"],
            name=package["name"],
            version=package["version"],
            # Old manifests write a slash for OR.
            licence=(package["license"] or "").replace(" / ", " OR ").replace("/", " OR "),
            repository=package["repository"],
            checksum=checksums[package["name"], package["version"]],
            directory=Path(package["manifest_path"]).parent,
            in_binary=built[package["id"]],
            needs=tuple(sorted(need for need in needs[package["id"]] if need in built)),
        )
        for package in known["packages"]
        if package["id"] in built and package["source"]
    ]
    return sorted(found, key=lambda crate: (crate.name, crate.version))


def root(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """flowlake itself, and the ids of what it needs."""
    built, known = compiled(path), metadata()
    node = next(node for node in known["resolve"]["nodes"] if node["id"] == known["resolve"]["root"])
    package = next(package for package in known["packages"] if package["id"] == node["id"])
    return package, tuple(sorted(need for need in node["dependencies"] if need in built))
