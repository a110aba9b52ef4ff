"""The prose follows CONTRIBUTING's rule of language: pages, docstrings and comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tables import each_of

ROOT = Path(__file__).parents[3]
PAGES = ["*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md", "systemd/*.md"]
CODE = ["notify", "providers", "tests/unit", "tests/integration", "tests/support", "tests/faults"]
CODE += ["tests/boot", "tests/debian", "benchmarks", "scripts", "examples"]
BANNED = re.compile(
    r"\bin hand\b|\bputs? off\b|\bputting off\b|\banew\b|\bby now\b|\blately\b|\bmeanwhile\b"
    r"|\b(?:no|some)body\b|\bwhoever\b|\bwhom\b|\bhandfuls?\b|\bwhat (?:became|becomes) of\b"
    r"|(?<!there )\b(?:is|are) no (?!longer|more)\b",
    re.IGNORECASE,
)
HEADLESS = re.compile(r"(?:^|[.!?]\s+)(?:What|Who|Whoever) [a-z]")
VERBS = re.compile(r"(?:Tell|Give|Take|Let|Hear|Look|Heed)s? ")
"""Verbs that no docstring begins with: Return, Raise, Log, Count, Record and Read are precise."""
SUSPECT = re.compile(
    rf"(?i:{BANNED.pattern}|\b(?:is|are) no `)|\b(?:What|Who|Whoever) [a-z]"
    rf"|[#\"'][#\"'\\ ]*{VERBS.pattern}"
)
"""Found in each module, as one line, whose prose breaks the rule, and in few others."""


def faults(text: str) -> list[str]:
    """Return the phrases of a text that break the rule."""
    found = [match.group() for match in BANNED.finditer(text)]
    return found + [match.group() for match in HEADLESS.finditer(text) if "?" not in text]


def prose_of_page(text: str) -> Iterator[str]:
    """Yield a page's paragraphs and cells, without headings, code, quoted words and targets."""
    text = re.sub(r"^```.*?^```$|^#[^\n]*$", "", text, flags=re.M | re.S)
    text = re.sub(r"`[^`\n]*`|\*[^*\n]+\*|\]\([^)\n]*\)", "_", text)
    for paragraph in re.split(r"\n\s*\n|\|", text):
        yield " ".join(paragraph.lstrip("- \n").split())


def prose_of_module(text: str) -> Iterator[str]:
    """Yield a module's docstrings and comments, without code."""
    # To parse and to read tokens is most of the cost.
    if not SUSPECT.search(" ".join(text.split())):
        return
    for docstring in docstrings(ast.parse(text)):
        yield " ".join(re.sub(r"`[^`]*`", "_", docstring).split())
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")


def docstrings(parent: ast.AST) -> Iterator[str]:
    """Yield each statement that is a text."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for node in getattr(parent, name, ()):
            match node:
                case ast.Expr(value=ast.Constant(value=str(docstring))):
                    yield docstring
                case _:
                    yield from docstrings(node)


def pages() -> list[Path]:
    """Return every page of documentation."""
    return sorted(page for pattern in PAGES for page in ROOT.glob(pattern))


@each_of("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_follow_the_rule(page: Path) -> None:
    """A reader who learned English as a second language understands each sentence at once."""
    paragraphs = prose_of_page(page.read_text())
    assert [(found, text) for text in paragraphs if (found := faults(text))] == []


@pytest.mark.parametrize("package", CODE)
def test_docstrings_and_comments_follow_the_rule(package: str) -> None:
    """So does a reader of the code; a docstring begins with a precise verb."""
    broken = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for text in prose_of_module(path.read_text()):
            found = faults(text) + ([text.split()[0]] if VERBS.match(text) else [])
            broken += [(str(path.relative_to(ROOT)), each, text[:80]) for each in found]
    assert broken == []


@pytest.mark.parametrize(
    "text",
    [
        "What is held waits for a release.",
        "It waits. Who stops early loses it.",
        "The messages it has in hand.",
        "This is no error.",
        "Somebody must decide, and meanwhile it waits.",
    ],
)
def test_a_broken_rule_is_found(text: str) -> None:
    """The checks above are not vacuous, and read all prose that breaks the rule."""
    assert faults(text)
    assert [*prose_of_module(f'def function():\n    """{text.replace(" ", chr(10))}"""\n')] == [
        text
    ]
    assert text in prose_of_module(f"number = 1  # {text}\n")


def test_prose_that_begins_with_another_verb_is_read() -> None:
    """Whatever else is in its module."""
    assert [*prose_of_module("number = '#'  # Tell the number\n")] == ["Tell the number"]
    assert [*prose_of_module('"""\nTell the number.\n"""\n')] == ["Tell the number."]
    assert [*prose_of_module('"""This is no `number`."""\n')] == ["This is no _."]


@pytest.mark.parametrize(
    "text", ["There is no retry.", "It is no longer open.", "What happened to it?", "By hand."]
)
def test_plain_sentences_pass(text: str) -> None:
    """The checks above have few false alarms."""
    assert faults(text) == []
