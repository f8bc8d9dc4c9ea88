#!/usr/bin/env python3
"""Checks every relative link and anchor of Markdown pages: the file is there, and so is the heading.

links.py PAGE…              pages of this repository
links.py --as NAME PAGE     a copy, with its links read as if it stood at NAME
links.py --all              every page in git
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`+[^`]*`+")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*#*$", re.MULTILINE)
# Those that leave the repository.
ABROAD = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mdBook make them."""
    found: dict[str, int] = {}
    names = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        names.add(name if count == 0 else f"{name}-{count}")
    return names


def problems(page: Path, place: Path) -> list[str]:
    """What is wrong with the links of a page that stands at `place`."""
    text = page.read_text()
    links = LINK.findall(CODE.sub(lambda code: "`" * len(code[0]), FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)))
    wrong = []
    for link in links:
        if ABROAD.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (place.parent / path).resolve() if path else place
        if not target.is_relative_to(REPOSITORY):
            wrong.append(f"{link} leaves the repository")
        elif not target.exists():
            wrong.append(f"{link}: there is no {target.relative_to(REPOSITORY)}")
        elif anchor and target.suffix == ".md":
            content = text if target == place else target.read_text()
            if anchor not in anchors(content):
                wrong.append(f"{link}: no heading of {target.relative_to(REPOSITORY)} has that anchor")
    return wrong


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--all"]:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
        listed = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=True).stdout
        pages = [(REPOSITORY / name, REPOSITORY / name) for name in listed.splitlines() if (REPOSITORY / name).exists()]
    elif arguments[:1] == ["--as"]:
        pages = [(Path(arguments[2]), (REPOSITORY / arguments[1]).resolve())]
    else:
        pages = [(Path(name), Path(name).resolve()) for name in arguments]
    if not pages:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = [f"{place.relative_to(REPOSITORY)}: {it}" for page, place in pages for it in problems(page, place)]
    print("\n".join(wrong) if wrong else f"{len(pages)} pages: every relative link leads somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
