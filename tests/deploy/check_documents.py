"""The pages of deploy/"""

from __future__ import annotations

import re
import sys

from support import DEPLOY, REPOSITORY, Bench, call, check

PAGES = ("README.md", *sorted(str(path.relative_to(DEPLOY)) for path in DEPLOY.glob("*/README.md")))
LINKS = REPOSITORY / "tests/docs/links.py"


@check(*PAGES)
def pages_have_links_that_lead_somewhere(bench: Bench) -> None:
    for page in PAGES:
        # The copy, in the place of the original.
        call(sys.executable, LINKS, "--as", f"deploy/{page}", bench.deploy / page)


@check(*PAGES)
def pages_have_commands_that_parse(bench: Bench) -> None:
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", bench.read(page), re.MULTILINE | re.DOTALL):
            call("bash", "-n", "-c", block)


@check(*PAGES)
def pages_link_to_the_exit_codes(bench: Bench) -> None:
    """The table of exit codes stands in one place; each page says what its scheduler makes of them."""
    for page in PAGES:
        text = bench.read(page)
        if page != "container/README.md":
            assert "running.md#exit-codes)" in text, page
        assert "| page someone |" not in text, f"{page} repeats the table"
