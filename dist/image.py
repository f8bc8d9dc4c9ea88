#!/usr/bin/env python3
"""Makes the image as an OCI archive, without a container engine: image.py TREE VERSION SBOM BUILT IMAGE

TREE is what dist/artifacts lays out for the archive. The lower layer has the packages of Debian in BUILT/debian, where dist/base
put them, and the upper one flowlake. There is no shell, and the user has no rights, as in deploy/container/Containerfile.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

USER = 65532
HOME = "/home/nonroot"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TIME = int(os.environ["SOURCE_DATE_EPOCH"])
# What scripts of Debian's packages write, which do not run here.
FILES = {
    "etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:{HOME}:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


@dataclass
class Layer:
    """Files by their path, written in its order."""

    files: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def add(self, entry: tarfile.TarInfo, content: bytes = b"") -> None:
        entry.name = entry.name.removeprefix("./").rstrip("/")
        entry.mtime, entry.uname, entry.gname, entry.size = TIME, "", "", len(content)
        if entry.name and not (entry.isdir() and entry.name in self.files):
            assert entry.name not in self.files, f"{entry.name} is in two packages"
            self.files[entry.name] = entry, content

    def directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
        self.add(entry)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        for parent in reversed(Path(path).parents[:-1]):
            self.directory(str(parent))
        entry = tarfile.TarInfo(path)
        entry.mode = mode
        self.add(entry, content)

    def tar(self) -> bytes:
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for _, (entry, content) in sorted(self.files.items()):
                archive.addfile(entry, io.BytesIO(content))
        return written.getvalue()


def base(packages: Path) -> Layer:
    """Debian's packages as they unpack, with what their scripts would do for flowlake."""
    layer = Layer()
    found = sorted(packages.glob("*.deb"))
    if not found:
        sys.exit(f"image: {packages} has no packages: dist/base fetches them")
    for package in found:
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            for entry in archive:
                content = archive.extractfile(entry).read() if entry.isreg() else b""
                layer.add(entry, content)
        about = subprocess.run(["dpkg-deb", "--field", package], check=True, stdout=subprocess.PIPE).stdout
        name = next(line for line in about.decode().splitlines() if line.startswith("Package: ")).split()[1]
        # Where scanners look for packages in an image without dpkg's own list.
        layer.file(f"var/lib/dpkg/status.d/{name}", about)
    trusted = [content for name, (_, content) in sorted(layer.files.items()) if name.startswith("usr/share/ca-certificates/")]
    layer.file(CERTIFICATES[1:], b"".join(trusted))
    for path, text in FILES.items():
        layer.file(path, text.encode())
    layer.directory(HOME[1:], 0o700, USER)
    return layer


def flowlake(tree: Path, sbom: Path) -> Layer:
    layer = Layer()
    layer.file("usr/local/bin/flowlake", (tree / "flowlake").read_bytes(), 0o755)
    for name in ("LICENSE", "LICENCES-OF-OTHERS"):
        layer.file(f"usr/local/share/doc/flowlake/{name}", (tree / name).read_bytes())
    layer.file("usr/local/share/doc/flowlake/flowlake.cdx.json", sbom.read_bytes())
    return layer


class Layout:
    """An OCI image layout: blobs by their hashes, and an index of them."""

    def __init__(self) -> None:
        self.archive = Layer()

    def blob(self, kind: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        self.archive.file(f"blobs/sha256/{digest}", content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def json(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        return self.blob(kind, json.dumps(content, sort_keys=True).encode())


def main() -> None:
    tree, version, sbom, built, image = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5])
    info = dict(line.split(": ", 1) for line in (built / "build-info").read_text().splitlines())
    created = datetime.fromtimestamp(TIME, UTC).isoformat().replace("+00:00", "Z")
    labels = {
        "org.opencontainers.image.title": "flowlake",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": info["commit"].split()[0],
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.created": created,
    }
    layers = [layer.tar() for layer in (base(built / "debian"), flowlake(tree, sbom))]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {
            "User": f"{USER}:{USER}",
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", f"SSL_CERT_FILE={CERTIFICATES}"],
            "Entrypoint": ["/usr/local/bin/flowlake"],
            "Cmd": ["--help"],
            "WorkingDir": HOME,
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
        "history": [{"created": created, "comment": comment} for comment in ("packages of Debian 12", f"flowlake {version}")],
    }
    layout = Layout()
    kind = "application/vnd.oci.image"
    manifest = layout.json("manifest.v1+json", {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": layout.json("config.v1+json", config),
        "layers": [layout.blob("layer.v1.tar+gzip", gzip.compress(layer, mtime=0)) for layer in layers],
    })
    names = {"org.opencontainers.image.ref.name": f"flowlake:{version}"}
    platform = {"architecture": "amd64", "os": "linux"}
    found = {**manifest, "platform": platform, "annotations": names}
    index = {"schemaVersion": 2, "mediaType": f"{kind}.index.v1+json", "manifests": [found]}
    layout.archive.file("index.json", json.dumps(index, sort_keys=True).encode())
    layout.archive.file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    image.write_bytes(layout.archive.tar())


if __name__ == "__main__":
    main()
