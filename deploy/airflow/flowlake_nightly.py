"""Every night, each definition of a directory by a task of its own. README.md says how to set it up."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from airflow.sdk import BaseOperator, Context, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

FLOWLAKE = os.environ.get("FLOWLAKE", "/usr/local/bin/flowlake")
DEFINITIONS = os.environ.get("FLOWLAKE_DEFINITIONS", "/etc/flowlake")

DONE, SOURCE, DESTINATION, BUSY = 0, 4, 7, 11
INTERRUPTED = (130, 143)
RETRIED = (SOURCE, DESTINATION, *INTERRUPTED)


class FlowlakeRun(BaseOperator):
    """Runs one definition, and turns flowlake's exit code into the state of the task.

    | exit code | task |
    |---|---|
    | 0 | succeeds |
    | 4, 7, 130, 143, killed | is retried |
    | 11 | is skipped |
    | everything else | fails, without a retry |

    3 is a failure as well: of one definition it means that too many records did not fit, and no table changed.
    """

    template_fields = ("definition",)

    def __init__(self, *, definition: str, flowlake: str = FLOWLAKE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.definition = definition
        self.flowlake = flowlake
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Gives back what changed in each table."""
        # The same in every try of this task: a try after a commit finds that it is done.
        run_id = self._run_id(context["run_id"])
        command = [self.flowlake, "run", "--json", "--run-id", run_id, self.definition]
        with (
            TemporaryFile("w+") as report,
            subprocess.Popen(
                command, stdout=report, stderr=subprocess.PIPE, text=True, errors="replace"
            ) as self._process,
        ):
            for line in self._process.stderr or ():
                self.log.info("%s", line.rstrip())
            code = self._process.wait()
            report.seek(0)
            return self._outcome(code, report.read())

    def on_kill(self) -> None:
        """flowlake completes a commit that it has begun, and then ends."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()

    def _run_id(self, dag_run: str) -> str:
        # The id of a run belongs to one pipeline.
        pipeline = hashlib.sha256(f"{dag_run}\n{self.definition}".encode()).hexdigest()[:32]
        return f"airflow-{pipeline}"

    def _outcome(self, code: int, output: str) -> dict[str, Any]:
        if code == DONE:
            return _changes(output)
        message = f"flowlake ended with exit code {code} for {self.definition}"
        if code == BUSY:
            raise AirflowSkipException(f"{message}: another run holds the destination")
        if code in RETRIED or code < 0:
            raise AirflowException(message)
        raise AirflowFailException(message)


def _changes(output: str) -> dict[str, Any]:
    """Of the report, a line of JSON: how the run ended, and the ledger of each table."""
    if not output.strip():
        return {}
    report = json.loads(output)
    return {key: report.get(key) for key in ("pipeline", "run_id", "outcome", "tables")}


def definitions() -> list[str]:
    """The definitions to run. None is a mistake: a night that runs nothing should not be green."""
    found = sorted(str(path) for path in Path(DEFINITIONS).glob("*.toml"))
    if not found:
        raise AirflowFailException(f"there is no definition (*.toml) in {DEFINITIONS}")
    return found


@dag(
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=15),
        "execution_timeout": timedelta(hours=6),
    },
    tags=["flowlake"],
)
def flowlake_nightly() -> None:
    FlowlakeRun.partial(task_id="run").expand(definition=task(definitions)())


flowlake_nightly()
