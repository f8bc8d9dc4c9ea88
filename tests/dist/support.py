"""What the tests of artifacts share."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Where Debian has each program that Python's virtual environment does not bring.
PACKAGES = {
    "bash": "bash",
    "chroot": "coreutils",
    "dpkg-deb": "dpkg",
    "fish": "fish",
    "man": "man-db",
    "runc": "runc",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
    "umoci": "umoci",
    "zsh": "zsh",
}
# What the first run of `flowlake demo` leaves.
TABLES = ("lake/purchasing/purchase_orders", "lake/e-sourcing/events")


def need(program: str) -> str:
    """The path of a program of the system. A test without its program fails."""
    found = shutil.which(program)
    assert found, f"`{program}` is missing: apt-get install {PACKAGES.get(program, program)}"
    return found


def call(*command: str | Path, expect: int = 0, **options: object) -> str:
    """Runs a program to its end, and returns what it printed. That is part of the failure, too."""
    options = {"timeout": 900, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **options}
    ended = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, check=False, **options)
    shown = " ".join(str(word) for word in command)
    assert ended.returncode == expect, f"{shown}\nexit code {ended.returncode}\n{ended.stdout}"
    return ended.stdout


def version() -> str:
    manifest = (REPOSITORY / "Cargo.toml").read_text()
    return manifest.split('\nversion = "')[1].split('"')[0]


def bare(home: Path) -> dict[str, str]:
    """The environment of somebody who has nothing: no toolchain, no settings."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}


def has_tables(directory: Path) -> bool:
    """Whether `flowlake demo` loaded its tables below a directory."""
    return all(any((directory / table).rglob("*.parquet")) for table in TABLES)


def copy_of_system(origin: Path, place: Path) -> Path:
    """A system to change, as `cp -a` makes it."""
    assert os.geteuid() == 0, "a chroot needs root: run `make test-dist` as root"
    call(need("cp"), "-a", origin, place)
    return place
