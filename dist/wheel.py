#!/usr/bin/env python3
"""Makes the wheel, which installs the command and nothing else: wheel.py TREE VERSION SBOM DIRECTORY

TREE is what dist/artifacts lays out for the archive. The binary is there already, so no build system of Python is asked.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
import time
import tomllib
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
# The glibc that dist/binary builds for, in the names of PEP 600 and, for old versions of pip, of PEP 599.
PLATFORM = "manylinux_2_17_x86_64.manylinux2014_x86_64"
PAGE = """
The command `flowlake` as one binary, for Linux with glibc 2.17 or newer. It needs no Python itself.

```sh
pip install flowlake
flowlake demo      # no account needed: loads two invented exports into ./lake
```
"""


def python_version(version: str) -> str:
    """A semantic version as PEP 440 has it: 0.2.0-rc.1 is 0.2.0rc1."""
    found = re.fullmatch(r"(\d+\.\d+\.\d+)(?:-(alpha|beta|rc)\.?(\d+))?", version)
    if not found:
        sys.exit(f"wheel: PyPI has no way to write the version {version}: use X.Y.Z or X.Y.Z-rc.N, with alpha, beta or rc")
    release, phase, number = found.groups()
    return release + ({"alpha": "a", "beta": "b", "rc": "rc"}[phase] + number if phase else "")


def metadata(version: str) -> str:
    package = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["package"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {package['name']}",
        f"Version: {version}",
        f"Summary: {package['description']}",
        f"Keywords: {','.join(package['keywords'])}",
        f"License-Expression: {package['license']}",
        "License-File: LICENSE",
        "License-File: LICENCES-OF-OTHERS",
        "Requires-Python: >=3.7",
        "Classifier: Environment :: Console",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Rust",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + f"\n\n# {package['name']}\n\n{package['description']}\n{PAGE}"


def write(wheel: Path, files: dict[str, tuple[bytes, int]], record: str) -> None:
    """Files with their modes, dated SOURCE_DATE_EPOCH. The record of them all is the last one."""
    # Before 1980 there is no time in a zip.
    date = time.gmtime(max(int(os.environ["SOURCE_DATE_EPOCH"]), 315_532_800))[:6]
    lines = []
    for name, (content, _) in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    everything = {**files, record: ("".join([*lines, f"{record},,\n"]).encode(), 0o644)}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, (content, mode) in everything.items():
            entry = zipfile.ZipInfo(name, date)
            entry.create_system = 3  # Unix: the modes count
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)


def main() -> None:
    tree, version, sbom, directory = Path(sys.argv[1]), python_version(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    about = f"flowlake-{version}.dist-info"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in PLATFORM.split("."))
    kind = f"Wheel-Version: 1.0\nGenerator: flowlake dist\nRoot-Is-Purelib: false\n{tags}"
    files = {
        f"flowlake-{version}.data/scripts/flowlake": ((tree / "flowlake").read_bytes(), 0o755),
        f"{about}/METADATA": (metadata(version).encode(), 0o644),
        f"{about}/WHEEL": (kind.encode(), 0o644),
        f"{about}/licenses/LICENSE": ((tree / "LICENSE").read_bytes(), 0o644),
        f"{about}/licenses/LICENCES-OF-OTHERS": ((tree / "LICENCES-OF-OTHERS").read_bytes(), 0o644),
        f"{about}/sboms/flowlake.cdx.json": (sbom.read_bytes(), 0o644),
    }
    write(directory / f"flowlake-{version}-py3-none-{PLATFORM}.whl", files, f"{about}/RECORD")


if __name__ == "__main__":
    main()
