"""What is shipped: the wheel, and the pins under which it was tested."""

import email
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import chargepoint

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("chargepoint", "hw", "profiles")
INFO = f"chargepoint-{chargepoint.__version__}.dist-info"


@dataclass(frozen=True, slots=True)
class Wheel:
    """The files of the built wheel, and those of its metadata that tests read."""

    files: frozenset[str]
    metadata: Message
    entry_points: str


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """Build the wheel from the working tree, with the build tool that is installed: no network, nothing left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return Wheel(
            files=frozenset(archive.namelist()),
            metadata=email.message_from_bytes(archive.read(f"{INFO}/METADATA")),
            entry_points=archive.read(f"{INFO}/entry_points.txt").decode(),
        )


def test_wheel_holds_exactly_the_three_packages(wheel: Wheel) -> None:
    """Path equals import: nothing is renamed on the way, and neither tests nor tools get into site-packages."""
    assert {name.split("/")[0] for name in wheel.files} == {*PACKAGES, INFO}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_says_that_it_is_typed(wheel: Wheel, package: str) -> None:
    assert {f"{package}/__init__.py", f"{package}/py.typed"} <= wheel.files


@pytest.mark.parametrize(
    "pattern",
    [
        "hw/boards/*.yaml",
        "chargepoint/runtime/*.sql",
        "chargepoint/runtime/*.yaml",
        "chargepoint/runtime/web/static/**/*.*",
    ],
)
def test_wheel_holds_the_data_files(wheel: Wheel, pattern: str) -> None:
    """A charger that was installed finds its board files, and its store the tables."""
    in_the_tree = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
    assert in_the_tree, f"no {pattern} in the working tree"
    assert in_the_tree <= wheel.files


def test_every_module_of_the_tree_is_in_the_wheel(wheel: Wheel) -> None:
    """.gitignore keeps files out of a wheel too; a module must not share a name with something ignored."""
    modules = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert modules == {name for name in wheel.files if name.endswith(".py")}


def test_wheel_installs_the_command(wheel: Wheel) -> None:
    scripts = ConfigParser()
    scripts.read_string(wheel.entry_points)
    assert dict(scripts["console_scripts"]) == {"chargepoint": "chargepoint.cli:main"}


def test_metadata_names_version_python_and_licence(wheel: Wheel) -> None:
    fields = ("Name", "Version", "Requires-Python", "License-Expression")
    assert [wheel.metadata[field] for field in fields] == [
        "chargepoint",
        chargepoint.__version__,
        ">=3.11",
        "Apache-2.0",
    ]
    assert f"{INFO}/licenses/LICENSE" in wheel.files


def declared() -> list[Requirement]:
    """Every requirement that pyproject.toml names: of the project, of its extras, of its build."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    project = pyproject["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), pyproject["build-system"]["requires"]]
    return [Requirement(text) for texts in lists for text in texts]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_declared_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    """constraints.txt pins what was tested; ranges in pyproject.toml that exclude it would be a lie."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    versions = {canonicalize_name(name): version for name, version in pins.items()}
    assert canonicalize_name(requirement.name) in versions, f"{requirement.name} is not pinned in constraints.txt"
    assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])
