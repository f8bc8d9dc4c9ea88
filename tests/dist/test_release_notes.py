"""dist/release-notes and dist/wheel.py: the version of a release, wherever it stands."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from support import REPOSITORY, call


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A repository about to be released as 1.2.0-rc.1."""
    (tmp_path / "dist").mkdir()
    shutil.copy(REPOSITORY / "dist/release-notes", tmp_path / "dist")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "flowlake"\nversion = "1.2.0-rc.1"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 1.2.0-rc.1\n\n- New.\n\n## 1.1.0\n\n- Old.\n")
    return tmp_path


def test_notes_are_the_section_of_the_version(release: Path) -> None:
    assert call(release / "dist/release-notes", "v1.2.0-rc.1") == "- New.\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Cargo.toml", "1.2.0-rc.1", "1.2.0", "the tag is v1.2.0-rc.1, and Cargo.toml has 1.2.0"),
        ("Cargo.toml", "1.2.0-rc.1", "1.2", "1.2 in Cargo.toml is no semantic version"),
        ("CHANGELOG.md", "## 1.2.0-rc.1", "## 1.2.0-rc.10", "CHANGELOG.md has nothing under `## 1.2.0-rc.1`"),
        ("CHANGELOG.md", "- New.\n", "", "CHANGELOG.md has nothing under `## 1.2.0-rc.1`"),
    ],
)
def test_what_does_not_fit_together_is_no_release(release: Path, file: str, old: str, new: str, said: str) -> None:
    (release / file).write_text((release / file).read_text().replace(old, new))
    assert said in call(release / "dist/release-notes", "v1.2.0-rc.1", expect=1)


def test_the_section_of_a_candidate_is_not_that_of_the_release(release: Path) -> None:
    manifest = release / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace("-rc.1", ""))
    assert "has nothing under `## 1.2.0`" in call(release / "dist/release-notes", "v1.2.0", expect=1)
    changelog = release / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## 1.2.0-rc.1", "## 1.2.0 (2027-01-04)"))
    assert call(release / "dist/release-notes", "v1.2.0") == "- New.\n"


def test_versions_of_python() -> None:
    spec = importlib.util.spec_from_file_location("wheel", REPOSITORY / "dist/wheel.py")
    wheel = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wheel)
    assert wheel.python_version("1.2.0") == "1.2.0"
    assert wheel.python_version("1.2.0-rc.1") == "1.2.0rc1"
    assert wheel.python_version("1.2.0-beta.2") == "1.2.0b2"
    with pytest.raises(SystemExit):
        wheel.python_version("1.2.0-nightly")
