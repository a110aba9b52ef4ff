"""docs/architecture.md and pyproject.toml agree, and the tree keeps their rules."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "architecture.md"
WORDS_OF_A_PROVIDER = {"errors", "message", "provider", "receipt", "segments"}
VENDORS = {"Fcm", "SendGrid", "Twilio", "Vonage"}
"""Classes that exist twice on purpose: the vendor's provider, and the sandbox that plays it."""
MOST_NAMES = 41
"""
Names directly in `notify/`. One, `private`, opens files for packages of four layers: no package of
one layer could contain it. One, `segments`, counts an SMS for channels and providers. Five are the
closed loop: `categories`, `receipt`,
`receipts`, `suppression`, `web`. One, `apikeys`, is the use cases of the API. One, `arrival`,
is what the consumer passes to delivery, to the archive and to the receipts, which import no more.
"""
MOST_LINES = 260
MOST_PARAMETERS = 8
OF_OPTIONS = {"Apns", "Fcm", "SendGrid", "Ses", "Smtp", "Twilio", "Vonage"}
"""Classes whose further parameters are options with defaults, not collaborators."""
MOST_PAST_FACES = 40
OPEN = {"policies", "receipts", "service", "status", "telemetry"}
"""Packages without a face: each of their modules is one."""
PAST_FACES = {
    ("worker", "notify.settings.reloading"),
    ("web", "notify.telemetry.metrics.server"),
    ("worker", "notify.telemetry.metrics.server"),
    ("cli", "notify.sandbox.switch"),
    ("cli", "notify.settings.show"),
    ("cli", "notify.web.api.process"),
    ("cli", "notify.web.receipts.process"),
    ("cli", "notify.worker.process"),
    ("cli", "notify.worker.dead_letters"),
    ("cli", "notify.worker.deliveries"),
    ("cli", "notify.worker.receipts"),
    ("cli", "notify.worker.role"),
    ("doctor", "notify.worker.pause"),
}
"""The importing packages and the modules; an export would widen a face for one user."""
MOST_FILES = 40
"""Files that a reader opens to follow one email."""


def _contracts() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        contract["name"]: contract for contract in settings["tool"]["importlinter"]["contracts"]
    }


def _names(layer: str) -> set[str]:
    return {name.strip() for name in layer.split("|")}


def layers_of_page(text: str) -> list[set[str]]:
    """Return the layers of the page's block under "Layers", from the top down."""
    found = re.search(r"^## Layers\n.*?^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, "docs/architecture.md has no block of layers"
    return [_names(re.split(r"\s{2,}", line)[0]) for line in found[1].splitlines()]


def names_in_notify() -> set[str]:
    """Return the packages and modules directly in `notify/`."""
    parts = {path.stem for path in (ROOT / "notify").glob("*.py")}
    parts |= {path.parent.name for path in (ROOT / "notify").glob("*/__init__.py")}
    return parts - {"__init__", "__main__"}


def modules() -> Iterator[Path]:
    """Yield each module of the service and of its providers."""
    for package in ("notify", "providers"):
        yield from sorted((ROOT / package).rglob("*.py"))


def test_the_page_shows_the_layers_that_are_enforced() -> None:
    """A reader of the page learns the rule that `make check` applies."""
    enforced = [_names(layer) for layer in _contracts()["Layers"]["layers"]]
    assert layers_of_page(PAGE.read_text()) == enforced


def test_a_layer_that_differs_is_found() -> None:
    """The comparison above is not vacuous."""
    page = PAGE.read_text()
    assert layers_of_page(page.replace("\nservice ", "\nservices ")) != layers_of_page(page)


def test_a_provider_may_import_the_contracts_alone() -> None:
    """Every other name is forbidden by the contract, also one that is new."""
    forbidden = set(_contracts()["A provider knows the service's words only"]["forbidden_modules"])
    assert forbidden == {f"notify.{name}" for name in names_in_notify() - WORDS_OF_A_PROVIDER}


def test_few_names_are_directly_in_notify() -> None:
    """A newcomer can read the list of them."""
    assert len(names_in_notify()) <= MOST_NAMES, sorted(names_in_notify())


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    The parts of a module that the tests below read.

    Attributes:
        classes: The name of each class, and the number of its constructor's parameters.
        imported: The modules of its `from` imports.
    """

    path: Path
    classes: list[tuple[str, int]]
    imported: list[str]


@cache
def parsed() -> list[Parsed]:
    """Return each module, parsed once for all tests."""
    found = []
    for path in modules():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        classes = [
            (node.name, parameters(node)) for node in nodes if isinstance(node, ast.ClassDef)
        ]
        imports = [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
        found.append(Parsed(path.relative_to(ROOT), classes, imports))
    return found


def parameters(node: ast.ClassDef) -> int:
    """Return the number of a constructor's parameters, without `self`; 0 if it has none."""
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            return len(each.args.args) + len(each.args.kwonlyargs) - 1
    return 0


def test_no_two_classes_have_one_name() -> None:
    """A search for a class finds one."""
    places = defaultdict(list)
    for module in parsed():
        for name, _ in module.classes:
            places[name].append(str(module.path))
    assert len(places) > 300
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert {name: twice[name] for name in twice.keys() - VENDORS} == {}


def walks_of_page(text: str) -> dict[str, list[str]]:
    """Return the files of each walk on the page, in order."""
    section = re.search(r"^## Walks\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert section, "docs/architecture.md has no walks"
    _, *rest = re.split(r"^### (.+)\n", section[1], flags=re.MULTILINE)
    return {
        name: re.findall(r"`((?:\w+/)*\w+\.py)`", "".join(re.findall(r"^\|.*$", body, re.M)))
        for name, body in zip(rest[::2], rest[1::2], strict=True)
    }


def test_every_file_in_the_walks_exists() -> None:
    """A reader who follows a walk finds each file."""
    walks = walks_of_page(PAGE.read_text())
    assert set(walks) == {"One email", "One publish", "One replay", "One status row"}
    assert all(len(files) > 5 for files in walks.values())
    missing = {
        file
        for files in walks.values()
        for file in files
        if not (ROOT / "notify" / file).exists() and not (ROOT / file).exists()
    }
    assert missing == set()


def test_an_email_passes_few_files_and_none_three_times() -> None:
    """One file for each step: a reader can follow an email in one sitting."""
    files = walks_of_page(PAGE.read_text())["One email"]
    assert len(set(files)) <= MOST_FILES
    assert max(map(files.count, files)) <= 2


def past_faces() -> Iterator[tuple[str, str]]:
    """Yield each import of a module past the face of another package: importer and module."""
    for module in parsed():
        if module.path.parts[0] != "notify":
            continue
        importer = module.path.parts[1]
        for imported in module.imported:
            if not imported.startswith("notify."):
                continue
            names = imported.split(".")[1:]
            face = (ROOT / "notify").joinpath(*names, "__init__.py").exists()
            if face or len(names) < 2 or names[0] == importer:
                continue
            if names[0] in OPEN and len(names) == 2:
                continue
            yield importer, imported


def test_imports_past_a_face_are_few_and_listed() -> None:
    """A package may change behind its face without a look at the others."""
    found = list(past_faces())
    assert len(found) <= MOST_PAST_FACES
    assert set(found) == PAST_FACES


def test_no_module_is_long() -> None:
    """A module fits in a reader's head."""
    lines = {str(path): len(path.read_text().splitlines()) for path in modules()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_constructors_have_few_parameters() -> None:
    """A class with more collaborators does more than one thing."""
    counts = [each for module in parsed() for each in module.classes]
    assert {name for name, count in counts if count > MOST_PARAMETERS} == OF_OPTIONS
