#!/usr/bin/env python3
"""Checks the built site: every link within it leads to a page and an anchor that are there, and no chapter is empty."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.headings = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {value for name in ("id", "name") if (value := found.get(name))}
        self.headings += tag == "h1"
        target = found.get("href") if tag in ("a", "link") else found.get("src")
        if target:
            self.links.append(target)


def main(site: Path) -> int:
    # The print page repeats the others with its own ids.
    files = {path.resolve() for path in site.rglob("*.html")} - {(site / "print.html").resolve()}
    pages = {path: Page(path.read_text()) for path in files}
    wrong, links = [], 0
    for path, page in sorted(pages.items()):
        name = path.relative_to(site.resolve())
        if page.headings < 1 and path.name not in ("toc.html", "404.html"):
            wrong.append(f"{name} has no heading")
        for link in page.links:
            parts = urlsplit(link)
            # 404.html is served for any path, and its links are from the root of a server.
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            links += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{name}: {link} is not on the site")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                wrong.append(f"{name}: {link} has no such anchor")
    if len(pages) < 10 or not any(site.glob("searchindex*")):
        wrong.append(f"{site} is not the site, or has no search")
    print("\n".join(wrong) if wrong else f"{len(pages)} pages, {links} links: each leads somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
