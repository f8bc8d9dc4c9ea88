"""deploy/cron"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from support import KEY, Bench, call, check, exit_codes, need

CRONTAB = "cron/crontab"
SCRIPT = "cron/flowlake-nightly"
ROTATION = "cron/flowlake.logrotate"
QUIET = {0, 11}


def nightly(bench: Bench, flowlake: Path, definition: Path | str, **options: object) -> subprocess.CompletedProcess[str]:
    return call(
        "/bin/sh",
        bench.deploy / SCRIPT,
        definition,
        expect=None,
        env=variables(bench, flowlake),
        **options,
    )


def variables(bench: Bench, flowlake: Path) -> dict[str, str]:
    """As cron has it: almost nothing. The source is in the file that the script reads."""
    environment = bench.scratch / "environment"
    environment.write_text(f"PROCUREMENTFLOW_ORGANISATION_ID=demo\nPROCUREMENTFLOW_BASE_URL={bench.source}\n")
    logs = bench.scratch / "log"
    logs.mkdir(exist_ok=True)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(bench.scratch),
        "FLOWLAKE": str(flowlake),
        "FLOWLAKE_ENVIRONMENT": str(environment),
        "FLOWLAKE_LOGS": str(logs),
        "FLOWLAKE_PAUSE": "0",
    }


@check(CRONTAB)
def crontab_is_valid(bench: Bench) -> None:
    call(need("crontab"), "-n", bench.deploy / CRONTAB)
    jobs = [line for line in bench.read(CRONTAB).splitlines() if line[:1].isdigit()]
    assert [job.split()[5] for job in jobs] == ["/usr/local/bin/flowlake-nightly"], jobs
    assert "API_KEY=" not in bench.read(CRONTAB), "a key in a crontab is shown by other tools"


@check(SCRIPT)
def cron_script_is_clean(bench: Bench) -> None:
    call(need("shellcheck"), "--shell=sh", bench.deploy / SCRIPT)
    assert (bench.deploy / SCRIPT).stat().st_mode & 0o111, "it is not executable"


@check(ROTATION)
def cron_logs_are_rotated(bench: Bench) -> None:
    copy = bench.scratch / "logrotate"
    logs = bench.scratch / "rotated"
    logs.mkdir()
    (logs / "purchasing.log").write_text("a line\n")
    text = bench.read(ROTATION)
    assert "/var/log/flowlake/*.log {" in text and "su flowlake flowlake" in text
    copy.write_text(text.replace("/var/log/flowlake", str(logs)).replace("su flowlake flowlake", ""))
    copy.chmod(0o644)
    ended = call(need("logrotate"), "--force", "--state", bench.scratch / "state", copy)
    assert "error" not in ended.stderr, ended.stderr
    assert (logs / "purchasing.log.1").exists(), ended.stderr


@check(SCRIPT)
def cron_maps_exit_codes(bench: Bench) -> None:
    for code in exit_codes():
        ended = nightly(bench, bench.stub(code), "/etc/flowlake/purchasing.toml")
        assert ended.returncode == (0 if code in QUIET else code), f"{code}: {ended}"
        assert bool(ended.stdout) == (code not in QUIET), f"cron mails what is printed: {code}: {ended.stdout}"
        assert bench.calls() == (4 if code == 4 else 1), f"attempts at {code}"


@check(SCRIPT)
def cron_script_loads_a_table(bench: Bench) -> None:
    key = bench.scratch / "api-key"
    key.write_text(KEY)
    key.chmod(0o600)
    definition = bench.definition(bench.scratch / "purchasing.toml", key=f'api_key = [{{ file = "{key}" }}]')
    ended = nightly(bench, bench.flowlake, definition)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert bench.has_orders("purchasing")
    assert "purchase_orders" in (bench.scratch / "log/purchasing.log").read_text()
    ended = nightly(bench, bench.flowlake, bench.scratch / "absent.toml")
    assert ended.returncode == 2 and "absent.toml" in ended.stdout, ended


@check(SCRIPT)
def cron_script_passes_signals_on(bench: Bench) -> None:
    """A signal reaches flowlake, and the script waits for it to end."""
    slow = bench.scratch / "slow"
    ready = bench.scratch / "ready"
    slow.write_text(
        f"#!/bin/sh\ntrap 'sleep 1; echo ended in order; exit 143' TERM\ntouch {ready}\n"
        "while :; do sleep 0.1; done\n"
    )
    slow.chmod(0o755)
    command = ["/bin/sh", str(bench.deploy / SCRIPT), "purchasing.toml"]
    with subprocess.Popen(command, env=variables(bench, slow), stdout=subprocess.PIPE, text=True) as script:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert time.monotonic() < deadline, "flowlake was not started"
            time.sleep(0.05)
        script.send_signal(signal.SIGTERM)
        try:
            output, _ = script.communicate(timeout=30)
        except subprocess.TimeoutExpired as error:
            script.kill()
            raise AssertionError("the script did not end") from error
    assert script.returncode == 143 and "ended in order" in output, output
