"""deploy/container"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

from support import REPOSITORY, Bench, call, check, need

IMAGE = "container/Containerfile"
PIPELINES = "container/Containerfile.pipelines"
BUILD = "container/build-image"
# What distroless/cc has for a binary.
LIBRARIES = {"linux-vdso.so.1", "libgcc_s.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# A binary for systems with an older glibc names these, which have been empty and beside it since 2.34.
LIBRARIES |= {"libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"}


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


@check(BUILD)
def container_script_is_clean(bench: Bench) -> None:
    call(need("shellcheck"), "--shell=sh", bench.deploy / BUILD)
    assert (bench.deploy / BUILD).stat().st_mode & 0o111, "it is not executable"


@check(BUILD)
def container_image_loads_a_table(bench: Bench) -> None:
    """The image that the script builds, run as its own user in its own root, and built again with the same digest."""
    need("buildah")
    work = bench.scratch / "work"
    work.mkdir()
    # For the user of the image, who is nobody here.
    work.chmod(0o777)
    bench.definition(work / "purchasing.toml")
    text = (work / "purchasing.toml").read_text().replace(str(bench.scratch / "lake"), "/work/lake")
    (work / "purchasing.toml").write_text(text)
    storage = {
        "PATH": os.environ["PATH"],
        "HOME": str(bench.scratch),
        "STORAGE_DRIVER": "vfs",
        "BUILDAH_ISOLATION": "chroot",
        # Not beside images that are there already.
        "CONTAINERS_STORAGE_CONF": str(bench.scratch / "storage.conf"),
    }
    storage_conf = f'[storage]\ndriver = "vfs"\ngraphroot = "{bench.scratch}/images"\nrunroot = "{bench.scratch}/run"\n'
    (bench.scratch / "storage.conf").write_text(storage_conf)
    digests = []
    for name in ("first", "second"):
        archive = bench.scratch / f"{name}.tar"
        call(bench.deploy / BUILD, bench.flowlake, archive, env=storage)
        index = call("tar", "--extract", "--to-stdout", "--file", archive, "index.json").stdout
        digests.append(json.loads(index)["manifests"][0]["digest"])
    assert digests[0] == digests[1], "the same binary makes the same image"
    (bench.scratch / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    signatures = f"--signature-policy={bench.scratch}/policy.json"
    archive = f"oci-archive:{bench.scratch}/first.tar"
    container = call("buildah", signatures, "from", archive, env=storage).stdout.split()[-1]
    settings = bench.environment()
    passed = [f"--env={name}={value}" for name, value in settings.items() if name.startswith("PROCUREMENTFLOW_")]
    inspected = json.loads(call("buildah", "inspect", container, env=storage).stdout)["OCIv1"]["config"]
    assert inspected["User"] == instructions(bench.read(IMAGE), "USER")[0], "as the Containerfile has it"
    command = [*inspected["Entrypoint"], "run", "/work/purchasing.toml"]
    call("buildah", "run", f"--volume={work}:/work", *passed, container, "--", *command, env=storage)
    files = list((work / "lake/purchasing/purchase_orders").rglob("*.parquet"))
    assert files and {file.stat().st_uid for file in files} == {int(inspected["User"].split(":")[0])}, files
