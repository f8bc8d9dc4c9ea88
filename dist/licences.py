#!/usr/bin/env python3
"""Prints the licences of what is in the binary, as they ask to be passed on: licences.py BUILT, the directory of dist/binary

Each text stands once, below the crates that have it. A crate whose archive has no text is named with its expression.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

from crates import Crate, crates

TEXTS = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
CODE = {".c", ".cc", ".go", ".h", ".pl", ".py", ".rs", ".sh"}
# Of the libraries in C that crates bring: what is not compiled, and the licence that nobody has to choose.
NOT_COMPILED = {"contrib", "examples", "programs", "tests"}
OTHER_CHOICE = "zstd/COPYING"


def texts_of(crate: Crate) -> set[str]:
    """Those at its root, and those of what its authors took from others."""
    found = set()
    for path in crate.directory.rglob("*"):
        place = path.relative_to(crate.directory)
        compiled = not NOT_COMPILED.intersection(place.parts) and str(place) != OTHER_CHOICE
        if compiled and TEXTS.match(path.name) and path.suffix not in CODE and path.is_file():
            found.add(path.read_text(errors="replace").strip())
    return found


def plain(text: str) -> str:
    """The page that Rust has about its library, as text."""
    if not text.startswith("<!DOCTYPE html>"):
        return text.strip()
    text = re.sub(r"<style.*?</style>|<[^>]*>", "", text, flags=re.DOTALL)
    return re.sub(r"\n\s*\n+", "\n\n", html.unescape(text)).strip()


def main() -> None:
    by_text: dict[str, list[str]] = {}
    without = []
    built = Path(sys.argv[1])
    for crate in crates(built / "compiled.json"):
        if not crate.in_binary:
            continue
        name = f"{crate.name} {crate.version} ({crate.licence or 'see below'})"
        texts = texts_of(crate)
        for text in sorted(texts):
            by_text.setdefault(text, []).append(name)
        if not texts:
            without.append(name)
    for path in sorted((built / "licences").iterdir()):
        by_text.setdefault(plain(path.read_text()), []).append(path.name)
    print("The binary of flowlake has these libraries. Each is under the licence that its authors chose.\n")
    if without:
        print("Without a text of their own in what their authors published:\n\n" + "\n".join(without) + "\n")
    for text, names in sorted(by_text.items(), key=lambda pair: pair[1]):
        print("-" * 78 + "\n" + "\n".join(names) + "\n\n" + text + "\n")


if __name__ == "__main__":
    main()
