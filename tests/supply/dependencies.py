#!/usr/bin/env python3
"""Compares Cargo.toml with the tables of CONTRIBUTING.md, and with what `cargo machete` finds unused."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Named for their features alone, see the comments beside them.
FOR_FEATURES = {"flowlake": {"num-traits"}, "flowlake-fuzz": {"polars"}}


def in_manifest() -> set[str]:
    manifest = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    parts = [manifest, *manifest.get("target", {}).values()]
    sections = ("dependencies", "dev-dependencies", "build-dependencies")
    return {name for part in parts for section in sections for name in part.get(section, {})}


def in_tables() -> set[str]:
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text()
    section = re.search(r"^## Dependencies\n(.*?)^## ", contributing, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([a-z0-9_, -]+) \| [^|]+ \|$", section[1] if section else "", re.MULTILINE)
    return {name for row in rows for name in row.split(", ")} - {"crate"}


def unused() -> dict[str, set[str]]:
    """By package. Fails when `cargo machete` is missing or fails itself."""
    ended = subprocess.run(
        ["cargo", "machete", "--with-metadata"], cwd=REPOSITORY, text=True, capture_output=True, check=False
    )
    if ended.returncode not in (0, 1) or "Done!" not in ended.stdout + ended.stderr:
        sys.exit(f"cargo machete: {ended.stdout}{ended.stderr}")
    found: dict[str, set[str]] = {}
    package = ""
    for line in ended.stdout.splitlines():
        if heading := re.match(r"(\S+) -- \S+Cargo.toml:", line):
            package = heading[1]
        elif line.startswith("\t"):
            found.setdefault(package, set()).add(line.strip())
    return found


def main() -> int:
    wrong = [f"CONTRIBUTING.md does not say what {name} is for" for name in sorted(in_manifest() - in_tables())]
    wrong += [f"CONTRIBUTING.md has {name}, Cargo.toml does not" for name in sorted(in_tables() - in_manifest())]
    found = unused()
    for package in sorted(found.keys() | FOR_FEATURES.keys()):
        now, known = found.get(package, set()), FOR_FEATURES.get(package, set())
        wrong += [f"{package} does not use {name}" for name in sorted(now - known)]
        wrong += [f"{package} uses {name} now: take it out of FOR_FEATURES" for name in sorted(known - now)]
    print("\n".join(wrong) if wrong else f"{len(in_manifest())} dependencies, each with its reason, none unused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
