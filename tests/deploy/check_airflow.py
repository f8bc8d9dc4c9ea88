"""deploy/airflow"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from support import KEY, Bench, call, check, exit_codes, need

DAG = "airflow/flowlake_nightly.py"
STATES = {
    **dict.fromkeys([0], "succeeds"),
    **dict.fromkeys([4, 7, 130, 143], "AirflowException"),
    **dict.fromkeys([11], "AirflowSkipException"),
    **dict.fromkeys([1, 2, 3, 5, 6], "AirflowFailException"),
}
# Runs the operator once for each program, outside of a scheduler.
ASK = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("flowlake_nightly", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
found = {}
for program in sys.argv[2:]:
    task = module.FlowlakeRun(task_id="run", definition="/etc/flowlake/purchasing.toml", flowlake=program)
    try:
        task.execute({"run_id": "scheduled__2026-10-05"})
        found[program] = "succeeds"
    except Exception as error:
        found[program] = type(error).__name__
try:
    found["no definition"] = str(module.definitions())
except Exception as error:
    found["no definition"] = type(error).__name__
print("found:" + json.dumps(found))
"""


def variables(bench: Bench) -> dict[str, str]:
    home = bench.scratch / "airflow"
    home.mkdir(exist_ok=True)
    return bench.environment(
        PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin",
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__DAGS_FOLDER=str(bench.deploy / "airflow"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        FLOWLAKE=str(bench.flowlake),
        FLOWLAKE_DEFINITIONS=str(bench.scratch / "definitions"),
        PYTHONDONTWRITEBYTECODE="1",
    )


@check(DAG)
def airflow_maps_exit_codes(bench: Bench) -> None:
    assert set(STATES) == exit_codes()
    stubs = {str(report_stub(bench, code)): code for code in STATES}
    killed = bench.scratch / "killed"
    killed.write_text("#!/bin/sh\nkill -KILL $$\n")
    killed.chmod(0o755)
    ended = call(
        sys.executable, "-c", ASK, bench.deploy / DAG, *stubs, killed, env=variables(bench)
    )
    found = json.loads(ended.stdout.split("found:")[1])
    assert found.pop("no definition") == "AirflowFailException", "a night that runs nothing is not green"
    assert found.pop(str(killed)) == "AirflowException", "a run that was killed is tried again"
    assert {stubs[program]: state for program, state in found.items()} == STATES


def report_stub(bench: Bench, code: int) -> Path:
    """A program that prints a line of JSON and exits with a code."""
    program = bench.scratch / f"stub-{code}"
    program.write_text(f"#!/bin/sh\necho '{{\"pipeline\": \"purchasing\"}}'\nexit {code}\n")
    program.chmod(0o755)
    return program


@check(DAG)
def airflow_runs_the_dag(bench: Bench) -> None:
    """The definitions of the demo, against the sample API, by the DAG as Airflow runs it."""
    definitions = bench.scratch / "definitions"
    definitions.mkdir()
    for name in ("purchasing", "e-sourcing"):
        text = (Path(__file__).parents[2] / f"pipelines/{name}.toml").read_text()
        (definitions / f"{name}.toml").write_text(text)
    environment = variables(bench)
    assert environment["PROCUREMENTFLOW_API_KEY"] == KEY
    call(need("airflow"), "db", "migrate", env=environment)
    ended = call(need("airflow"), "dags", "test", "flowlake_nightly", env=environment)
    output = ended.stdout + ended.stderr
    assert len(re.findall(r"new_state=success", output)) == 3, output[-3000:]
    assert re.search(r"Marking run .* successful", output), output[-3000:]
    for table in ("purchasing/purchase_orders", "e-sourcing/events"):
        assert any((bench.scratch / "lake" / table).rglob("*.parquet")), table
    assert KEY not in output, "the key is in the log"


@check(DAG)
def airflow_fails_where_flowlake_does(bench: Bench) -> None:
    """A wrong key is exit 5 of the real binary: failed at once. Airflow says so, and retries nothing."""
    bench.definition(bench.scratch / "definitions/purchasing.toml")
    environment = variables(bench) | {"PROCUREMENTFLOW_API_KEY": "pf_wrong"}
    call(need("airflow"), "db", "migrate", env=environment)
    ended = call(need("airflow"), "dags", "test", "flowlake_nightly", env=environment, expect=None)
    output = ended.stdout + ended.stderr
    assert "exit code 5" in output and "new_state=failed" in output, output[-3000:]
    assert not any((bench.scratch / "lake").rglob("*.parquet"))
