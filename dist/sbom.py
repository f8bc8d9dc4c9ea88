#!/usr/bin/env python3
"""Prints the SBOM of the binary as CycloneDX 1.6: sbom.py BUILT, the directory that dist/binary filled

It has the crates that were compiled, not all of Cargo.lock: those in the binary as required, those of build scripts and macros
as excluded.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crates import Crate, crates, root


def component(crate: Crate) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": crate.purl,
        "name": crate.name,
        "version": crate.version,
        "scope": "required" if crate.in_binary else "excluded",
        "purl": crate.purl,
    }
    if crate.checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    if crate.licence:
        found["licenses"] = [{"expression": crate.licence}]
    if crate.repository:
        found["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    return found


def tools(built: Path) -> list[dict[str, str]]:
    """The compilers that dist/binary names."""
    info = dict(line.split(": ", 1) for line in (built / "build-info").read_text().splitlines())
    versions = {"rustc": info["rustc"].split()[1], "cargo-zigbuild": info["cargo-zigbuild"], "zig": info["zig"]}
    return [{"type": "application", "name": name, "version": version} for name, version in versions.items()]


def main() -> None:
    built = Path(sys.argv[1])
    package, needs = root(built / "compiled.json")
    found = crates(built / "compiled.json")
    purls = {crate.id: crate.purl for crate in found}
    digest = hashlib.sha256((built / "flowlake").read_bytes()).hexdigest()
    itself = f"pkg:cargo/{package['name']}@{package['version']}"
    sbom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the binary, and so the same whenever it is.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC).isoformat(),
            "tools": {"components": tools(built)},
            "component": {
                "type": "application",
                "bom-ref": itself,
                "name": package["name"],
                "version": package["version"],
                "description": package["description"],
                "licenses": [{"expression": package["license"]}],
                "purl": itself,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": [component(crate) for crate in found],
        "dependencies": [
            {"ref": itself, "dependsOn": sorted(purls[need] for need in needs)},
            *({"ref": crate.purl, "dependsOn": sorted(purls[need] for need in crate.needs)} for crate in found),
        ],
    }
    print(json.dumps(sbom, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
