#!/usr/bin/env python3
"""Draws a command and what it prints as a terminal: picture.py 'flowlake demo' < OUTPUT > docs/demo.svg

`make picture` runs the demo and draws what it says.
"""

from __future__ import annotations

import re
import sys
from html import escape

SIZE, LINE, MARGIN = 13, 18, 18
WIDTH_OF_A_CHARACTER = 7.85
# Spaces that no reader of SVG puts together.
NO_BREAK = "\N{NO-BREAK SPACE}"
# What differs on each machine and says nothing.
PLACE = re.compile(r"(began the lake ).*/(lake/)")


def picture(command: str, output: str) -> str:
    lines = [f"$ {command}", *PLACE.sub(r"\1\2", output).rstrip("\n").split("\n")]
    columns = max(map(len, lines))
    width, height = columns * WIDTH_OF_A_CHARACTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    rows = []
    for number, line in enumerate(lines):
        colour = "#8fd18f" if number == 0 else "#7f8a99" if line.startswith(("run ", "this run")) else "#e6e6e6"
        rows.append(f'<text x="{MARGIN}" y="{MARGIN + (number + 0.75) * LINE:.0f}" fill="{colour}">{escape(line).replace(" ", NO_BREAK)}</text>')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(command)}">',
        '<rect width="100%" height="100%" rx="8" fill="#1e2430"/>',
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="{SIZE}">',
        *rows, "</g>", "</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(picture(sys.argv[1], sys.stdin.read()))
