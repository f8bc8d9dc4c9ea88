"""deploy/github-actions/release.yml"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

import yaml

from check_github_actions import validate
from support import REPOSITORY, Bench, call, check, need

WORKFLOW = "github-actions/release.yml"


def jobs(bench: Bench) -> dict[str, Any]:
    return yaml.safe_load(bench.read(WORKFLOW))["jobs"]


def step(bench: Bench, job: str, name: str) -> dict[str, Any]:
    (found,) = [step for step in jobs(bench)[job]["steps"] if step.get("name") == name]
    return found


@check(WORKFLOW)
def release_workflow_is_valid(bench: Bench) -> None:
    validate(bench.deploy / WORKFLOW)


@check(WORKFLOW)
def release_scripts_are_clean(bench: Bench) -> None:
    scripts = [step["run"] for job in jobs(bench).values() for step in job["steps"] if "run" in step]
    assert len(scripts) > 5
    for number, script in enumerate(scripts):
        path = bench.scratch / f"{number}.sh"
        path.write_text(script)
        call(need("shellcheck"), "--shell=bash", path)


@check(WORKFLOW)
def release_makes_what_the_makefile_makes(bench: Bench) -> None:
    """What it calls exists, in the order that lets nothing untried out, and lies where `make dist` puts it."""
    makefile = (REPOSITORY / "Makefile").read_text()
    build = jobs(bench)["build"]["steps"]
    called = [target for step in build for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))]
    assert called == ["dist", "test-dist"], called
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in called)
    (dist,) = re.findall(r"^DIST \?= (\S+)$", makefile, re.MULTILINE)
    signed = [step["with"]["subject-checksums"] for step in build if "subject-checksums" in step.get("with", {})]
    assert signed == [f"{dist}/SHA256SUMS"] * 2, signed
    (kept,) = [step["with"]["path"].split() for step in build if step.get("uses", "").startswith("actions/upload-")]
    assert kept == [dist, "target/notes.md"], kept
    for script in ("dist/release-notes", "dist/base", "dist/binary", "dist/artifacts"):
        assert os.access(REPOSITORY / script, os.X_OK), script
    assert "dist/release-notes" in step(bench, "build", "Compare the tag with Cargo.toml and CHANGELOG.md")["run"]


@check(WORKFLOW)
def release_has_the_least_rights(bench: Bench) -> None:
    """What builds may not publish, and what publishes runs nothing of the repository."""
    workflow = yaml.safe_load(bench.read(WORKFLOW))
    assert workflow["permissions"] == {}, "each job says its own"
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert rights == {
        "build": {"contents": "read", "id-token": "write", "attestations": "write"},
        "github": {"contents": "write"},
        "pypi": {"id-token": "write"},
    }
    for name in ("github", "pypi"):
        used = [step.get("uses", "") for step in workflow["jobs"][name]["steps"]]
        assert not any(action.startswith("actions/checkout") for action in used), name
    assert "secrets." not in bench.read(WORKFLOW)


@check(WORKFLOW)
def release_publishes_what_was_checked(bench: Bench) -> None:
    dist = bench.scratch / "dist"
    dist.mkdir()
    (dist / "flowlake.tar.gz").write_text("an archive")
    digest = hashlib.sha256(b"an archive").hexdigest()
    (dist / "SHA256SUMS").write_text(f"{digest}  flowlake.tar.gz\n")
    for tag, prerelease in (("v1.2.0", False), ("v1.2.0-rc.1", True)):
        assert publish(bench, tag, expect=0) == 1
        words = (bench.scratch / "called").read_text().split()
        assert words[:3] == ["release", "create", tag]
        assert ("--prerelease" in words) == prerelease, words
        assert words[words.index("--notes-file") + 1] == "notes.md"
        assert words[-2:] == ["dist/SHA256SUMS", "dist/flowlake.tar.gz"], words
    (dist / "flowlake.tar.gz").write_text("another archive")
    assert publish(bench, "v1.2.0", expect=1) == 0, "nothing is published that is not what was built"


def publish(bench: Bench, tag: str, *, expect: int) -> int:
    """How often the step called `gh`, whose words are in the file `called` then."""
    stub = bench.stub(0, "gh")
    found = step(bench, "github", "Publish the release")
    assert found["shell"] == "bash"
    environment = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "GITHUB_REF_NAME": tag}
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"])
    call(*command, expect=expect, env=environment, cwd=bench.scratch)
    calls = bench.scratch / "calls"
    (bench.scratch / "called").write_text(calls.read_text() if calls.exists() else "")
    return bench.calls()
