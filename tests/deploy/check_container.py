"""deploy/container"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

from support import REPOSITORY, Bench, call, check, need

IMAGE = "container/Containerfile"
PIPELINES = "container/Containerfile.pipelines"
# What distroless/cc has for a binary.
LIBRARIES = {"linux-vdso.so.1", "libgcc_s.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def instructions(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", text.replace("\\\n", " "), re.MULTILINE)


@check(IMAGE, PIPELINES)
def containerfiles_are_clean(bench: Bench) -> None:
    for name in (IMAGE, PIPELINES):
        call(need("hadolint"), "--failure-threshold", "info", bench.deploy / name, cwd=bench.scratch)


@check(IMAGE)
def container_build_has_its_files(bench: Bench) -> None:
    """What the build copies is a package that cargo can read, with every file that the code includes."""
    text = bench.read(IMAGE)
    context = bench.scratch / "context"
    context.mkdir()
    for line in instructions(text, "COPY"):
        *sources, target = line.split()
        if line.startswith("--from"):
            continue
        for source in sources:
            place = context / target
            if (REPOSITORY / source).is_dir():
                shutil.copytree(REPOSITORY / source, place)
            else:
                shutil.copy(REPOSITORY / source, place)
    call(need("cargo"), "metadata", "--locked", "--no-deps", "--format-version", "1", cwd=context)
    for file in (context / "src").rglob("*.rs"):
        # Without tests, which stand last in a file.
        code = file.read_text().split("#[cfg(test)]")[0]
        for included in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', code):
            assert (file.parent / included).exists(), f"{file.relative_to(context)} includes {included}"


@check(IMAGE)
def container_fits_the_binary(bench: Bench) -> None:
    text = bench.read(IMAGE)
    manifest = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    build, base = instructions(text, "FROM")
    assert f"/rust:{manifest['package']['rust-version']}-" in build, build
    assert "bookworm" in build and "debian12" in base, "one glibc for both"
    needed = set(re.findall(r"^\s*(?:\S*/)?([\w.-]+\.so[.\d]*)", call(need("ldd"), bench.flowlake).stdout, re.MULTILINE))
    assert needed and needed <= LIBRARIES, needed - LIBRARIES


@check(IMAGE)
def container_has_no_root(bench: Bench) -> None:
    (user,) = instructions(bench.read(IMAGE), "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes' runAsNonRoot wants a number"
    for pod in ("nightly/cronjob.yaml", "organisations/job.yaml"):
        text = bench.read(f"kubernetes/{pod}")
        assert re.search(rf"runAsUser: {user.split(':')[0]}$", text, re.MULTILINE), pod
    (entry,) = instructions(bench.read(IMAGE), "ENTRYPOINT")
    assert json.loads(entry) == ["/usr/local/bin/flowlake"]
    assert instructions(bench.read(IMAGE), "COPY")[-1].endswith(" /usr/local/bin/flowlake")


@check(IMAGE, PIPELINES)
def container_commands_run(bench: Bench) -> None:
    bench.definition(bench.scratch / "etc/purchasing.toml")
    for name in (IMAGE, PIPELINES):
        (command,) = instructions(bench.read(name), "CMD")
        words = [word.replace("/etc/flowlake", str(bench.scratch / "etc")) for word in json.loads(command)]
        call(bench.flowlake, *words, env=bench.environment())
    # Where the definitions are copied to is where the command looks.
    assert instructions(bench.read(PIPELINES), "COPY") == ["*.toml /etc/flowlake/"]
    assert Path("/etc/flowlake/purchasing.toml").name in bench.read(PIPELINES)
