"""deploy/systemd"""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path

from support import KEY, Bench, call, check, exit_codes, need

UNIT = "systemd/flowlake@.service"
TIMER = "systemd/flowlake@.timer"
USERS = "systemd/flowlake.sysusers"
RETRIED = {4, 130, 143}


def settings(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def instance(bench: Bench, name: str) -> Path:
    """A unit as `flowlake@purchasing`, with a binary that exists."""
    units = bench.scratch / "units"
    units.mkdir(exist_ok=True)
    for template in (UNIT, TIMER):
        unit = units / Path(template).name.replace("@.", "@purchasing.")
        unit.write_text(bench.read(template).replace("/usr/local/bin/flowlake", str(bench.flowlake)))
    return units / name


@check(UNIT, TIMER)
def systemd_units_are_valid(bench: Bench) -> None:
    for name in ("flowlake@purchasing.service", "flowlake@purchasing.timer"):
        ended = call(need("systemd-analyze"), "verify", "--man=no", instance(bench, name))
        # It exits 0 with unknown keys.
        about = [line for line in (ended.stdout + ended.stderr).splitlines() if "flowlake" in line]
        assert not about, "\n".join(about)


@check(UNIT)
def systemd_unit_is_hardened(bench: Bench) -> None:
    unit = instance(bench, "flowlake@purchasing.service")
    # From 0.0 to 10.0, and everything up to 4.9 is "OK".
    ended = call(need("systemd-analyze"), "security", "--offline=true", "--threshold=13", unit)
    assert re.search(r"exposure level .*: 1\.[0-3] OK", ended.stdout), ended.stdout[-200:]


@check(TIMER)
def systemd_timer_is_nightly(bench: Bench) -> None:
    found = settings(bench.read(TIMER))
    (calendar,) = found["OnCalendar"]
    ended = call(need("systemd-analyze"), "calendar", "--iterations=2", calendar)
    found_times = re.findall(r"(?:Next elapse|Iter\. #2): \w+ (\S+ \S+)", ended.stdout)
    first, second = (datetime.fromisoformat(time) for time in found_times)
    assert second - first == timedelta(days=1) and (first.hour, first.minute) == (2, 15), ended.stdout
    assert found["Persistent"] == ["yes"], "a night that was missed is made up for"


@check(USERS)
def systemd_user_is_made(bench: Bench) -> None:
    root = bench.scratch / "root"
    (root / "etc").mkdir(parents=True)
    call(need("systemd-sysusers"), f"--root={root}", bench.deploy / USERS)
    (user,) = settings(bench.read(UNIT))["User"]
    passwd = (root / "etc/passwd").read_text()
    assert f"{user}:x:" in passwd, passwd
    assert "/var/lib/flowlake" in passwd, "the home is where the state is"


@check(UNIT)
def systemd_maps_exit_codes(bench: Bench) -> None:
    found = settings(bench.read(UNIT))
    success = {0, *map(int, " ".join(found["SuccessExitStatus"]).split())}
    words = " ".join(found["RestartPreventExitStatus"]).split()
    final = {int(word) for word in words if word.isdigit()}
    assert found["Restart"] == ["on-failure"], "what is neither a success nor final is tried again"
    assert success == {0, 11}
    assert exit_codes() - success - final == RETRIED


@check(UNIT)
def systemd_command_runs(bench: Bench) -> None:
    """The command of the unit, with a credential as systemd hands it over, loads a table."""
    credentials = bench.scratch / "credentials"
    credentials.mkdir()
    (loaded,) = settings(bench.read(UNIT))["LoadCredential"]
    credential = credentials / loaded.split(":")[0]
    credential.write_text(KEY)
    # As systemd 254 and newer shows it.
    credential.chmod(0o440)
    bench.definition(bench.scratch / "etc/purchasing.toml")
    (command,) = settings(bench.read(UNIT))["ExecStart"]
    replaced = {
        "/usr/local/bin/flowlake": bench.flowlake,
        "/etc/flowlake": bench.scratch / "etc",
        "%d": credentials,
        "%i": "purchasing",
    }
    for old, new in replaced.items():
        assert old in command, f"{old} is not in {command}"
        command = command.replace(old, str(new))
    environment = bench.environment()
    del environment["PROCUREMENTFLOW_API_KEY"]
    call(*shlex.split(command), env=environment)
    assert bench.has_orders("purchasing")
    # While keys are rotated: the old one is refused, the new one beside it is taken.
    (credentials / "procurementflow-next").write_text(KEY)
    (credentials / "procurementflow-next").chmod(0o440)
    credential.chmod(0o640)
    credential.write_text("pf_retired")
    ended = call(*shlex.split(command), env=environment)
    assert "retire" in ended.stdout + ended.stderr, ended
