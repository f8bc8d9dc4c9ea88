"""What the checks of deploy/ share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
# What the sample API of flowlake asks for: public, since all that is behind it is invented.
ORGANISATION, KEY = "demo", "sample-key"

# How each program that is not in the virtual environment is installed.
PACKAGES = {
    "buildah": "apt-get install buildah",
    "crontab": "apt-get install cron",
    "kubectl": "the Kubernetes documentation has it; any version with `kubectl kustomize`",
    "ldd": "apt-get install libc-bin",
    "logrotate": "apt-get install logrotate",
    "node": "apt-get install nodejs",
    "systemd-analyze": "apt-get install systemd",
    "systemd-sysusers": "apt-get install systemd",
}


@dataclass(frozen=True)
class Bench:
    """What a check works with: a copy of deploy/, an empty directory, and flowlake beside its sample API."""

    deploy: Path
    scratch: Path
    flowlake: Path
    source: str

    def read(self, name: str) -> str:
        return (self.deploy / name).read_text()

    def environment(self, **variables: str) -> dict[str, str]:
        """Where programs are, and the sample API as the source. Nothing else of this process."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.scratch),
            "PROCUREMENTFLOW_BASE_URL": self.source,
            "PROCUREMENTFLOW_ORGANISATION_ID": ORGANISATION,
            "PROCUREMENTFLOW_API_KEY": KEY,
            **variables,
        }

    def definition(self, path: Path, *, key: str = "") -> Path:
        """Writes a definition of purchase orders that keeps its table in `lake` of the scratch directory."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"""
version = 1
name = "{path.stem}"

[source]
endpoint = "purchasing"
organisation_id = "${{PROCUREMENTFLOW_ORGANISATION_ID}}"
base_url = "${{PROCUREMENTFLOW_BASE_URL}}"
{key}

[destination]
url = "{self.scratch / "lake" / path.stem}"

[[tables]]
name = "purchase_orders"
records = "/purchaseOrders"
primary_key = ["id"]
"""
        )
        return path

    def has_orders(self, lake: str | Path) -> bool:
        return any((self.scratch / "lake" / lake / "purchase_orders").rglob("*.parquet"))

    def stub(self, code: int | str, name: str = "flowlake") -> Path:
        """A program that exits with a code, and counts its calls in the file `calls`. Only for the codes themselves."""
        directory = self.scratch / f"stub-{code}"
        directory.mkdir(exist_ok=True)
        program = directory / name
        calls = self.scratch / "calls"
        program.write_text(f'#!/bin/sh\necho "$*" >> {calls}\necho "from the stub"\nexit {code}\n')
        program.chmod(0o755)
        return program

    def calls(self) -> int:
        """How often stubs were called since this was asked last."""
        calls = self.scratch / "calls"
        count = len(calls.read_text().splitlines()) if calls.exists() else 0
        calls.unlink(missing_ok=True)
        return count


Check = Callable[[Bench], None]
CHECKS: dict[str, tuple[Check, tuple[str, ...]]] = {}


def check(*files: str) -> Callable[[Check], Check]:
    """Registers a check, with the files of deploy/ that it covers."""

    def register(function: Check) -> Check:
        CHECKS[function.__name__] = (function, files)
        return function

    return register


def need(program: str) -> str:
    """The path of a program: of the virtual environment, or of the system. A check without its program fails."""
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        how = PACKAGES.get(program, "it is part of tests/deploy/requirements.txt: remove the virtual environment")
        raise AssertionError(f"`{program}` is missing: {how}")
    return found


def call(*command: str | Path, expect: int | None = 0, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end. What it printed is part of the failure."""
    options = {"timeout": 900, "stdin": subprocess.DEVNULL, **options}
    ended = subprocess.run(
        [str(word) for word in command], text=True, capture_output=True, check=False, **options
    )
    if expect is not None:
        shown = " ".join(str(word) for word in command)
        assert ended.returncode == expect, f"{shown}\nexit code {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended


def exit_codes() -> set[int]:
    """The codes of the table in docs/running.md."""
    page = (REPOSITORY / "docs/running.md").read_text()
    table = page.split("## Exit codes")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE)
    codes = {int(code) for cell in cells for code in cell.split(",")}
    assert {0, 2, 4, 11, 143} <= codes, codes
    return codes


@contextmanager
def sample_api(flowlake: Path) -> Iterator[str]:
    """The sample API on a free port."""
    command = [str(flowlake), "sample-api", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"export PROCUREMENTFLOW_BASE_URL=(\S+)", line):
                    yield found[1]
                    return
            raise AssertionError("`flowlake sample-api` did not print its address")
        finally:
            process.terminate()
