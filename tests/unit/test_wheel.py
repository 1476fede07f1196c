"""The contents of the wheel that users install."""

import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The paths of all files in a wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def _files_of(package: str) -> set[str]:
    """Return the paths of a package's files under version control."""
    listed = subprocess.run(
        ["git", "ls-files", package], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_holds_all_of_the_product(names: set[str]) -> None:
    """Every file of the packages is in the wheel, with its data files, except `nlp/training`."""
    tracked = {name for package in ("models", "nlp", "streams") for name in _files_of(package)}
    product = {name for name in tracked if not name.startswith("nlp/training/")}

    assert product - names == set()
    assert {
        name for name in product if Path(name).suffix in {".npz", ".gz", ".xml", ".toml", ".mako", ".html"}
    }


def test_training_is_not_in_the_wheel(names: set[str]) -> None:
    """Users get neither `nlp.training` nor tests."""
    assert not {name for name in names if name.startswith(("nlp/training", "tests", "deploy"))}


def test_the_wheel_registers_its_entry_points(names: set[str]) -> None:
    """The command and the factories of spaCy are entry points, and each one names a module of the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    modules = {
        target.partition(":")[0].replace(".", "/") + ".py" for group in groups for target in group.values()
    }

    assert "streams/cli.py" in modules
    assert modules <= names
