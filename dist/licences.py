#!/usr/bin/env python3
"""Prints the licences of the crates in the binary, as they ask to be passed on: licences.py COMPILED.JSON

Each text stands once, below the crates that have it. A crate whose archive has no text is named with its expression.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from crates import crates

TEXTS = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def main() -> None:
    by_text: dict[str, list[str]] = {}
    without = []
    for crate in crates(Path(sys.argv[1])):
        if not crate.in_binary:
            continue
        name = f"{crate.name} {crate.version} ({crate.licence or 'see below'})"
        files = sorted(path for path in crate.directory.iterdir() if path.is_file() and TEXTS.match(path.name))
        texts = {path.read_text(errors="replace").strip() for path in files}
        for text in sorted(texts):
            by_text.setdefault(text, []).append(name)
        if not texts:
            without.append(name)
    print("The binary of flowlake has these libraries. Each is under the licence that its authors chose.\n")
    if without:
        print("Without a text of their own in what their authors published:\n\n" + "\n".join(without) + "\n")
    for text, names in sorted(by_text.items(), key=lambda pair: pair[1]):
        print("-" * 78 + "\n" + "\n".join(names) + "\n\n" + text + "\n")


if __name__ == "__main__":
    main()
