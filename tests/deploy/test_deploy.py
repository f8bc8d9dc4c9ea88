"""Every file of deploy/ is validated, and run as far as one machine can. And every check is seen to fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import check_airflow  # noqa: F401
import check_aws  # noqa: F401
import check_container  # noqa: F401
import check_cron  # noqa: F401
import check_documents  # noqa: F401
import check_github_actions  # noqa: F401
import check_kubernetes  # noqa: F401
import check_release  # noqa: F401
import check_systemd  # noqa: F401
from breaks import BREAKS
from support import CHECKS, DEPLOY, Bench, sample_api


@pytest.fixture(scope="session")
def flowlake() -> Path:
    path = Path(os.environ["FLOWLAKE"]).resolve()
    assert path.is_file(), f"FLOWLAKE={path} is not there"
    return path


@pytest.fixture(scope="session")
def source(flowlake: Path) -> Iterator[str]:
    with sample_api(flowlake) as url:
        yield url


@pytest.fixture
def bench(tmp_path: Path, flowlake: Path, source: str) -> Bench:
    """With a copy of deploy/, which a test may break."""
    deploy = tmp_path / "deploy"
    shutil.copytree(DEPLOY, deploy, ignore=shutil.ignore_patterns("__pycache__"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Bench(deploy, scratch, flowlake, source)


def files() -> list[str]:
    found = [path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(str(path.relative_to(DEPLOY)) for path in found)


@pytest.mark.parametrize("name", CHECKS)
def test_check(name: str, bench: Bench) -> None:
    function, _ = CHECKS[name]
    function(bench)


def test_every_file_has_a_check() -> None:
    covered = {file for _, of_check in CHECKS.values() for file in of_check}
    assert covered == set(files())


@pytest.mark.parametrize(("name", "file", "old", "new"), BREAKS, ids=lambda value: str(value)[:40])
def test_a_broken_file_fails_its_check(name: str, file: str, old: str, new: str, bench: Bench) -> None:
    function, of_check = CHECKS[name]
    assert file in of_check
    text = bench.read(file)
    assert old in text, f"{file} does not have {old!r} any more"
    (bench.deploy / file).write_text(text.replace(old, new))
    with pytest.raises((AssertionError, KeyError, ValueError)):
        function(bench)


def test_every_check_and_file_is_seen_to_fail() -> None:
    assert {name for name, *_ in BREAKS} == set(CHECKS)
    assert {file for _, file, *_ in BREAKS} == set(files())
