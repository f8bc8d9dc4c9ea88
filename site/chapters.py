#!/usr/bin/env python3
"""A preprocessor of mdBook: brings in the pages that stand elsewhere in the repository, and turns links to them.

A link to a page of the site goes there. A link to anything else in the repository becomes its text: the site does not have it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"

# The chapters without a file in docs/SUMMARY.md: their page in the repository, and where it goes on the site.
PAGES = {
    "flowlake": ("README.md", "introduction.md"),
    "Which one": ("deploy/README.md", "deploy/index.md"),
    "systemd": ("deploy/systemd/README.md", "deploy/systemd.md"),
    "cron": ("deploy/cron/README.md", "deploy/cron.md"),
    "Airflow": ("deploy/airflow/README.md", "deploy/airflow.md"),
    "Kubernetes": ("deploy/kubernetes/README.md", "deploy/kubernetes.md"),
    "AWS": ("deploy/aws/README.md", "deploy/aws.md"),
    "GitHub Actions": ("deploy/github-actions/README.md", "deploy/github-actions.md"),
    "Container": ("deploy/container/README.md", "deploy/container.md"),
    "Security": ("SECURITY.md", "security.md"),
    "Changes": ("CHANGELOG.md", "changes.md"),
    "Architecture": ("ARCHITECTURE.md", "architecture.md"),
    "Contributing": ("CONTRIBUTING.md", "contributing.md"),
    "The sample exports": ("data/README.md", "sample-exports.md"),
}
# Blocks and spans of code, in which nothing is a link; and links.
PARTS = re.compile(
    r"(?P<code>^(?:```|~~~).*?^(?:```|~~~)|(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|\[(?P<text>(?:`[^`]*`|[^\[\]`])*)\]\((?P<link>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
ABROAD = re.compile(r"^([a-z][a-z0-9+.-]*:|#)", re.IGNORECASE)


def turned(text: str, origin: Path, place: str) -> str:
    """The text of a page of the repository at `origin`, for `place` on the site."""
    on_site = {REPOSITORY / page: target for page, target in PAGES.values()}

    def replace(found: re.Match[str]) -> str:
        link = found["link"]
        if link is None or ABROAD.match(link):
            return found[0]
        path, hash_, anchor = link.partition("#")
        target = (origin.parent / path).resolve()
        if target in on_site:
            goal = on_site[target]
        elif target.is_relative_to(DOCS) and target.is_file():
            goal = str(target.relative_to(DOCS))
        else:
            return found["text"]
        return f"[{found['text']}]({os.path.relpath(goal, Path(place).parent)}{hash_}{anchor})"

    return PARTS.sub(replace, text)


def chapters(items: list[Any]) -> Iterator[dict[str, Any]]:
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            yield item["Chapter"]
            yield from chapters(item["Chapter"]["sub_items"])


def main() -> None:
    if sys.argv[1:2] == ["supports"]:
        return
    _, book = json.load(sys.stdin)
    drafts = set()
    for chapter in chapters(book["items"]):
        if chapter["path"] is None:
            page, place = PAGES[chapter["name"]]
            drafts.add(chapter["name"])
            chapter.update(path=place, source_path=place, content=(REPOSITORY / page).read_text())
            origin = REPOSITORY / page
        else:
            place = chapter["path"]
            origin = DOCS / place
        chapter["content"] = turned(chapter["content"], origin, place)
    if drafts != PAGES.keys():
        sys.exit(f"docs/SUMMARY.md has no chapter for {sorted(PAGES.keys() - drafts)}")
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
