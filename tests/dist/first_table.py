#!/usr/bin/env python3
"""Times two commands from nothing to the first table: first_table.py DIST WAY…, each of wheel, deb, archive, source

Each way has a new Debian by debootstrap: what the way needs is installed there first, and not timed. The artifacts come by HTTP
from loopback, so the time of a download is that of the reader's line. `source` needs what README.md names: Rust, a C compiler,
make. It takes the Rust of this machine, copied, and loads and builds every crate.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support import REPOSITORY, call, has_tables, version

NAME = f"flowlake-{version()}-x86_64-linux"
SUITE = "bookworm"


def commands(dist: Path, url: str) -> dict[str, tuple[str, str, str, str]]:
    """What each way needs from Debian, its two commands, and where the tables are then."""
    (wheel,), (deb,) = dist.glob("*.whl"), dist.glob("*.deb")
    fetched = f"curl -fsSLO {url}/{deb.name}"
    return {
        "wheel": ("python3-venv", f"/venv/bin/pip install --quiet {url}/{wheel.name}", "/venv/bin/flowlake demo", "."),
        "deb": ("curl ca-certificates", f"{fetched} && apt-get install -qq ./{deb.name}", "flowlake demo", "."),
        "archive": ("curl ca-certificates", f"curl -fsSL {url}/{NAME}.tar.gz | tar xz", f"./{NAME}/flowlake demo", "."),
        "source": ("git gcc libc6-dev make ca-certificates", "git clone --quiet /flowlake.git", "make -C flowlake run", "flowlake"),
    }


def prepare(way: str, root: Path) -> None:
    """What is there before the first command, beside Debian's packages."""
    if way == "wheel":
        call("chroot", root, "python3", "-m", "venv", "/venv")
    if way == "source":
        call("git", "clone", "--quiet", "--bare", REPOSITORY, root / "flowlake.git")
        sysroot = call("rustc", "--print", "sysroot", cwd=REPOSITORY).strip()
        call("cp", "-a", sysroot, root / "opt/rust")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    for file in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copy(file, root / file[1:])


def timed(command: str, root: Path) -> tuple[float, float]:
    """The seconds that a command takes in a system, and those of all processors."""
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    env = {"PATH": "/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/home", "LC_ALL": "C.UTF-8", **proxies}
    before, started = os.times(), time.monotonic()
    ended = subprocess.run(
        ["chroot", str(root), "sh", "-ec", f"cd /home; {command}"],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    if ended.returncode != 0:
        sys.exit(f"{command}\nexit code {ended.returncode}\n{ended.stdout[-3000:]}")
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, busy


def measure(way: str, wanted: tuple[str, str, str, str], scratch: Path) -> None:
    packages, first, second, place = wanted
    root = scratch / way
    options = ["--variant=minbase", f"--include={packages.replace(' ', ',')}"]
    call("debootstrap", *options, SUITE, root, "http://deb.debian.org/debian")
    prepare(way, root)
    # For rustc. The devices that commands need, debootstrap has made.
    call("mount", "-t", "proc", "proc", root / "proc")
    try:
        install, of_install = timed(first, root)
        run, of_run = timed(second, root)
    finally:
        call("umount", root / "proc")
    assert has_tables(root / "home" / place), f"{way} loaded no table"
    print(f"{way:8} {install + run:7.1f} s ({of_install + of_run:.1f} s of processors)")
    print(f"         {install:7.1f} s  {first}\n         {run:7.1f} s  {second}", flush=True)


def serve(directory: Path, then: Callable[[str], None]) -> None:
    """Serves a directory on loopback meanwhile."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=directory)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        then(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def main() -> None:
    dist, ways = Path(sys.argv[1]), sys.argv[2:]
    if os.geteuid() != 0:
        sys.exit("first_table: a chroot needs root")

    def each(url: str) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            for way in ways:
                measure(way, commands(dist, url)[way], Path(scratch))

    serve(dist, each)


if __name__ == "__main__":
    main()
