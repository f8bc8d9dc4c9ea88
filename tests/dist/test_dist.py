"""The artifacts of `make dist`: what is in them, and that each runs where it is meant to."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from auditwheel.main import main as auditwheel
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from elftools.elf.elffile import ELFFile

from support import REPOSITORY, bare, call, copy_of_system, has_tables, need, version

DIST = Path(os.environ["DIST"])
BUILT = Path(os.environ["DIST_BUILT"])
OLD = Path(os.environ["DIST_OLD"])
NAME = f"flowlake-{version()}-x86_64-linux"
# The promise, and what every glibc of its time has.
GLIBC = (2, 17)
LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "ld-linux-x86-64.so.2"}


def one(pattern: str) -> Path:
    found = list(DIST.glob(pattern))
    assert len(found) == 1, f"{pattern} in {DIST}: {found}: run `make dist`"
    return found[0]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked as a user does."""
    place = tmp_path_factory.mktemp("archive")
    call(need("tar"), "xzf", one("*.tar.gz"), "-C", place)
    return place / NAME


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the Debian package."""
    place = tmp_path_factory.mktemp("package")
    call(need("dpkg-deb"), "--extract", one("*.deb"), place)
    return place


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image, unpacked as a container engine does: a root, and how to run what is in it."""
    place = tmp_path_factory.mktemp("image")
    (place / "layout").mkdir()
    call(need("tar"), "xf", one("*.oci.tar"), "-C", place / "layout")
    call(need("umoci"), "unpack", "--image", f"{place}/layout:flowlake:{version()}", place / "bundle")
    return place / "bundle"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An older Debian with the package, installed by its dpkg."""
    system = copy_of_system(OLD, tmp_path_factory.mktemp("system") / "root")
    shutil.copy(one("*.deb"), system / "flowlake.deb")
    call(need("chroot"), system, "dpkg", "--install", "/flowlake.deb", env=bare(Path("/root")))
    yield system
    shutil.rmtree(system)


def test_checksums_name_every_file() -> None:
    call("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=DIST)
    named = {line.split()[1] for line in (DIST / "SHA256SUMS").read_text().splitlines()}
    assert named == {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    suffixes = {".gz", ".deb", ".whl", ".tar", ".json", ".txt", ".build-info"}
    assert {Path(name).suffix for name in named} == suffixes, named


def test_every_artifact_has_the_same_binary(archive: Path, package: Path, image: Path) -> None:
    expected = hashlib.sha256((BUILT / "flowlake").read_bytes()).hexdigest()
    with zipfile.ZipFile(one("*.whl")) as wheel:
        of_wheel = wheel.read(f"flowlake-{one('*.whl').name.split('-')[1]}.data/scripts/flowlake")
    paths = (archive / "flowlake", package / "usr/bin/flowlake", image / "rootfs/usr/local/bin/flowlake")
    assert {hashlib.sha256(copy).hexdigest() for copy in (of_wheel, *(path.read_bytes() for path in paths))} == {expected}
    (itself,) = json.loads(one("*.cdx.json").read_text())["metadata"]["component"]["hashes"]
    assert itself["content"] == expected


def test_binary_asks_for_no_newer_glibc() -> None:
    with (BUILT / "flowlake").open("rb") as file:
        binary = ELFFile(file)
        asked = [
            (needed.name, part.name)
            for needed, parts in binary.get_section_by_name(".gnu.version_r").iter_versions()
            for part in parts
        ]
        libraries = {tag.needed for tag in binary.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    assert libraries <= LIBRARIES, libraries
    versions = {tuple(map(int, name.removeprefix("GLIBC_").split("."))) for _, name in asked}
    assert versions, "it is linked to glibc"
    assert max(versions) <= GLIBC, sorted(asked)


def test_binary_has_no_paths_of_the_machine() -> None:
    content = (BUILT / "flowlake").read_bytes()
    cargo = os.environ.get("CARGO_HOME", f"{Path.home()}/.cargo")
    for path in (str(REPOSITORY), cargo, str(Path.home() / ".rustup"), str(Path.home() / ".cache")):
        place = content.find(path.encode())
        assert place < 0, content[max(0, place - 80) : place + 160]
    assert b"/cargo/" in content, "paths of crates are there, mapped"


def test_archive_runs(archive: Path, tmp_path: Path) -> None:
    env = bare(tmp_path)
    assert call(archive / "flowlake", "--version", env=env).split() == ["flowlake", version()]
    call(archive / "flowlake", "demo", cwd=tmp_path, env=env)
    assert has_tables(tmp_path)
    with tarfile.open(one("*.tar.gz")) as files:
        assert {(file.uid, file.gid) for file in files} == {(0, 0)}


def test_archive_runs_on_an_older_system(archive: Path, tmp_path: Path) -> None:
    system = copy_of_system(OLD, tmp_path / "root")
    shutil.copytree(archive, system / "opt/flowlake")
    glibc = re.search(r"(\d+)\.(\d+)$", call(need("chroot"), system, "ldd", "--version").splitlines()[0])
    here = re.search(r"(\d+)\.(\d+)$", call("ldd", "--version").splitlines()[0])
    assert (int(glibc[1]), int(glibc[2])) < (int(here[1]), int(here[2])), "the system is older than this one"
    call(need("chroot"), system, "sh", "-c", "cd /tmp && /opt/flowlake/flowlake demo", env=bare(Path("/root")))
    assert has_tables(system / "tmp")
    shutil.rmtree(system)


def test_wheel_installs_the_command(tmp_path: Path) -> None:
    call(sys.executable, "-m", "venv", tmp_path / "venv")
    pip = tmp_path / "venv/bin/pip"
    call(pip, "install", "--no-index", one("*.whl"))
    env = bare(tmp_path)
    call(tmp_path / "venv/bin/flowlake", "demo", cwd=tmp_path, env=env)
    assert has_tables(tmp_path)
    shown = call(pip, "show", "--verbose", "--files", "flowlake")
    assert "bin/flowlake\n" in shown and "sboms/flowlake.cdx.json" in shown, shown
    call(pip, "uninstall", "--yes", "flowlake")
    assert not (tmp_path / "venv/bin/flowlake").exists()


def test_wheel_is_the_manylinux_that_it_says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["auditwheel", "show", str(one("*.whl"))])
    auditwheel()
    shown = " ".join(capsys.readouterr().out.split())
    assert 'consistent with the following platform tag: "manylinux_2_17_x86_64"' in shown, shown


def test_package_installs_on_an_older_system(installed: Path) -> None:
    def inside(*command: str, expect: int = 0) -> str:
        return call(need("chroot"), installed, *command, env=bare(Path("/root")), expect=expect)

    assert inside("dpkg", "--status", "flowlake").count("install ok installed") == 1
    passwd = inside("getent", "passwd", "flowlake")
    assert passwd.split(":")[5:] in (["/var/lib/flowlake", "/usr/sbin/nologin\n"], ["/var/lib/flowlake", "/sbin/nologin\n"])
    assert not call(need("chroot"), installed, "dpkg", "--verify", "flowlake"), "files are as the package has them"
    # As the user of the units, in a directory of its own.
    inside("install", "-d", "-o", "flowlake", "-g", "flowlake", "/var/lib/flowlake")
    inside("su", "-s", "/bin/sh", "flowlake", "-c", "cd /var/lib/flowlake && flowlake demo")
    assert has_tables(installed / "var/lib/flowlake")
    # Installed again it is an upgrade, which keeps the user.
    inside("dpkg", "--install", "/flowlake.deb")
    assert inside("getent", "passwd", "flowlake") == passwd
    inside("dpkg", "--purge", "flowlake")
    inside("dpkg", "--status", "flowlake", expect=1)
    assert not (installed / "usr/bin/flowlake").exists()
    assert has_tables(installed / "var/lib/flowlake"), "the tables stay"


def test_package_has_manual_pages(archive: Path, package: Path, tmp_path: Path) -> None:
    pages = package / "usr/share/man/man1"
    names = {path.name for path in pages.iterdir()}
    # The completions know the commands from another place than the pages do.
    fish = (archive / "completions/flowlake.fish").read_text()
    commands = set(re.findall(r'__fish_flowlake_needs_command" -f -a "([a-z-]+)"', fish)) - {"help"}
    assert {"run", "quarantine", "sample-api"} <= commands
    assert names >= {"flowlake.1.gz", "flowlake-quarantine-retry.1.gz", *(f"flowlake-{command}.1.gz" for command in commands)}
    assert {path.name for path in (archive / "man").iterdir()} == {name.removesuffix(".gz") for name in names}
    env = {**bare(tmp_path), "MANPATH": str(package / "usr/share/man"), "MANROFFOPT": "-ww", "MANWIDTH": "200"}
    for page in sorted(names):
        with (tmp_path / "warnings").open("w+") as warnings:
            shown = call(need("man"), "--pager=cat", page.removesuffix(".1.gz"), env=env, stderr=warnings)
            warnings.seek(0)
            assert not (said := warnings.read()), f"{page}: {said}"
        assert "NAME" in shown and "SYNOPSIS" in shown, f"{page}: {shown}"
        referred = {f"{name}.1.gz" for name in re.findall(r"(flowlake[a-z-]*)\(1\)", shown)}
        assert referred <= names, f"{page} refers to {referred - names}"


def test_package_completes_in_each_shell(package: Path, tmp_path: Path) -> None:
    share = package / "usr/share"
    env = {**bare(tmp_path), "PATH": f"{package}/usr/bin:/usr/bin:/bin"}
    bash = (
        f"source {share}/bash-completion/completions/flowlake; COMP_WORDS=(flowlake ver); COMP_CWORD=1; "
        "_flowlake flowlake ver flowlake; echo \"${COMPREPLY[@]}\""
    )
    assert "verify" in call(need("bash"), "--norc", "-c", bash, env=env)
    fish = f"source {share}/fish/vendor_completions.d/flowlake.fish; complete --do-complete 'flowlake ver'"
    assert "verify" in call(need("fish"), "--no-config", "-c", fish, env=env)
    zsh = f"fpath=({share}/zsh/vendor-completions $fpath); autoload -Uz compinit; compinit -u -D; echo ${{_comps[flowlake]}}"
    assert call(need("zsh"), "--no-rcs", "-c", zsh, env=env).strip() == "_flowlake"
    call(need("zsh"), "--no-exec", share / "zsh/vendor-completions/_flowlake", env=env)


def test_package_has_the_units(package: Path, tmp_path: Path) -> None:
    units = package / "usr/lib/systemd/system"
    assert {path.name for path in units.iterdir()} == {"flowlake@.service", "flowlake@.timer"}
    service = (units / "flowlake@.service").read_text()
    assert "ExecStart=/usr/bin/flowlake run " in service and "/usr/local" not in service
    # Verified as they stand, with the command where it is in the test.
    for unit in units.iterdir():
        instance = tmp_path / unit.name.replace("@.", "@purchasing.")
        instance.write_text(unit.read_text().replace("/usr/bin/flowlake", str(package / "usr/bin/flowlake")))
        shown = call(need("systemd-analyze"), "verify", "--man=no", instance)
        assert not [line for line in shown.splitlines() if "flowlake" in line], shown
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    call(need("systemd-sysusers"), f"--root={root}", package / "usr/lib/sysusers.d/flowlake.conf")
    assert "flowlake:x:" in (root / "etc/passwd").read_text()


def test_image_runs_as_its_user(image: Path, tmp_path: Path) -> None:
    settings = image / "config.json"
    bundle = json.loads(settings.read_text())
    assert bundle["process"]["user"] == {"uid": 65532, "gid": 65532}
    assert bundle["process"]["args"] == ["/usr/local/bin/flowlake", "--help"]
    bundle["process"]["terminal"] = False

    def run(*arguments: str) -> str:
        bundle["process"]["args"][1:] = arguments
        settings.write_text(json.dumps(bundle))
        state = f"--root={tmp_path}"
        return call(need("runc"), state, "run", f"--bundle={image}", f"flowlake-{os.getpid()}", env=bare(tmp_path))

    assert run("--version").split() == ["flowlake", version()]
    run("demo")
    home = image / "rootfs/home/nonroot"
    assert has_tables(home)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in home.rglob("*")} == {(65532, 65532)}
    seen = run("doctor")
    assert "system: Debian GNU/Linux 12 (bookworm)" in seen, seen
    assert re.search(r"^ok +certificates: those of /etc/ssl/certs/ca-certificates.crt", seen, re.MULTILINE), seen


def test_image_says_what_it_is(image: Path) -> None:
    info = dict(line.split(": ", 1) for line in one("*.build-info").read_text().splitlines())
    layout = image.parent / "layout"

    def blob(described: dict) -> bytes:
        content = (layout / "blobs" / described["digest"].replace(":", "/")).read_bytes()
        assert (f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)) == (described["digest"], described["size"])
        return content

    (described,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(described))
    config = json.loads(blob(manifest["config"]))
    layers = [f"sha256:{hashlib.sha256(gzip.decompress(blob(layer))).hexdigest()}" for layer in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == layers
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["config"]["Labels"].items()}
    assert labels.pop("created") == datetime.fromtimestamp(int(info["SOURCE_DATE_EPOCH"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    revision = info["commit"].split()[0]
    assert labels == {"title": "flowlake", "version": version(), "revision": revision, "licenses": "Apache-2.0"}


def test_image_has_the_packages_of_debian_and_no_shell(image: Path) -> None:
    root = image / "rootfs"
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (BUILT / "debian").iterdir()}
    pinned = (REPOSITORY / "dist/base.packages").read_text().splitlines()
    assert hashes == {line.split()[0] for line in pinned if not line.startswith("#")}
    info = dict(line.split(": ", 1) for line in one("*.build-info").read_text().splitlines())
    status = [path.read_text() for path in sorted((root / "var/lib/dpkg/status.d").iterdir())]
    fields = [dict(re.findall(r"^(Package|Version): (.*)$", text, re.MULTILINE)) for text in status]
    assert info["image"] == ", ".join(f"{found['Package']} {found['Version']}" for found in fields)
    assert {found["Package"] for found in fields} == {"base-files", "ca-certificates", "libc6"}
    for found in fields:
        assert (root / "usr/share/doc" / found["Package"] / "copyright").is_file(), "the licence goes with it"
    # Each certificate once.
    trusted = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert trusted.count("BEGIN CERTIFICATE") == len(list((root / "usr/share/ca-certificates/mozilla").iterdir())) > 100
    assert not [path for path in root.rglob("*") if path.name in ("sh", "bash", "dash", "busybox")]


def test_sbom_names_the_crates_of_the_binary() -> None:
    text = one("*.cdx.json").read_text()
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert wrong is None, str(wrong)[-300:]
    sbom = json.loads(text)
    # What cargo resolves, as a second opinion of what it compiled.
    tree = ["cargo", "tree", "--locked", "--target", "x86_64-unknown-linux-gnu", "--prefix", "none", "--format", "{p}"]

    def resolved(edges: str, *options: str) -> set[tuple[str, str]]:
        lines = call(*tree, "--edges", edges, *options, cwd=REPOSITORY, stderr=None).splitlines()
        found = {(line.split()[0], line.split()[1].removeprefix("v")) for line in lines if line.strip()}
        return found - {("flowlake", version())}

    named = {(component["name"], component["version"]) for component in sbom["components"]}
    required = {(c["name"], c["version"]) for c in sbom["components"] if c["scope"] == "required"}
    assert named == resolved("normal,build")
    # A macro is compiled for the machine that builds, and what only macros need is in no binary.
    in_binary = resolved("normal,no-proc-macro")
    assert len(in_binary) > 200
    assert required == in_binary
    refs = {sbom["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in sbom["components"])}
    assert {dependency["ref"] for dependency in sbom["dependencies"]} == refs
    without = [c["name"] for c in sbom["components"] if "licenses" not in c or "hashes" not in c]
    assert not without, f"without licence or hash: {without}"


def test_licences_are_those_of_all_that_is_in_the_binary() -> None:
    licences = one("*.licences.txt").read_text()
    for component in json.loads(one("*.cdx.json").read_text())["components"]:
        if component["scope"] == "required":
            assert f"\n{component['name']} {component['version']} (" in licences, component["name"]
    for added in ("Rust's standard library", "zig's compiler_rt", "LLVM's libunwind"):
        assert f"\n{added}\n\n" in licences, added
    # Libraries in C, whose texts lie below the crates, without the programs beside them.
    assert "\nLZ4 Library\nCopyright" in licences and "For Zstandard software" in licences
    assert "GNU GENERAL PUBLIC LICENSE" not in licences


def test_packaging_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """In another directory, time zone and mask, with the clock where it is now."""
    info = dict(line.split(": ", 1) for line in one("*.build-info").read_text().splitlines())
    environment = {**os.environ, "TZ": "Pacific/Auckland", "SOURCE_DATE_EPOCH": info["SOURCE_DATE_EPOCH"]}
    shutil.copytree(BUILT, tmp_path / "built")
    call("sh", "-c", f"umask 077; exec {REPOSITORY}/dist/artifacts built again", cwd=tmp_path, env=environment)
    assert (tmp_path / "again/SHA256SUMS").read_text() == (DIST / "SHA256SUMS").read_text()
