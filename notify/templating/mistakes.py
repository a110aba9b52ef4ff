"""The mistakes of template files that can be found without data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import jinja2
from jinja2 import nodes

from notify.templating.catalog import Catalog
from notify.templating.dialect import TemplateSandbox
from notify.templating.writing import explain, missing_block, no_parent

Trees = Mapping[str, nodes.Template]
_Reference = TypeVar("_Reference", nodes.Extends, nodes.Include)


def mistakes(sandbox: TemplateSandbox, catalog: Catalog) -> list[str]:
    """Return one line for each mistake of any file, whether or not the file is in use."""
    found = catalog.problems()
    trees: dict[str, nodes.Template] = {}
    for path in catalog.files:
        try:
            trees[path] = sandbox.tree(path)
            sandbox.get_template(path)
        except jinja2.TemplateError as error:
            trees.pop(path, None)
            found.append(explain(error, path))
    found += _absent(trees, catalog)
    found += dict.fromkeys(_unfilled(trees, catalog))
    found += _without_parent(trees)
    return found


def _absent(trees: Trees, catalog: Catalog) -> Iterator[str]:
    for path, tree in trees.items():
        for name in sorted({*_names(tree, nodes.Extends), *_names(tree, nodes.Include)}):
            if name not in catalog.files:
                yield f"{path}: refers to {name}, which does not exist"


def _unfilled(trees: Trees, catalog: Catalog) -> Iterator[str]:
    """Yield the required blocks that are not filled, in parts of messages and in included files."""
    for path, file in catalog.files.items():
        if file is not None:
            for block, layout in _required(path, trees):
                yield missing_block(path, block, layout)
    for path, tree in trees.items():
        for included in _names(tree, nodes.Include):
            for block, layout in _required(included, trees):
                # No file can fill an included layout: that is a mistake of the including file.
                yield missing_block(path if layout == included else included, block, layout)


def _required(
    path: str, trees: Trees, filled: frozenset[str] = frozenset(), below: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the blocks that a file, or one that it extends, requires and no file below fills."""
    if path not in trees or path in below:
        return
    blocks = list(trees[path].find_all(nodes.Block))
    for block in blocks:
        if block.required and block.name not in filled:
            yield block.name, path
    filled |= {block.name for block in blocks}
    for parent in _names(trees[path], nodes.Extends):
        yield from _required(parent, trees, filled, (*below, path))


def _without_parent(trees: Trees) -> Iterator[str]:
    """Yield files that extend themselves, and blocks that call a `super()` that does not exist."""
    for path, tree in trees.items():
        above = _above(path, trees)
        if path in above:
            yield f"{path}: extends itself"
        known = {block.name for step in above for block in trees[step].find_all(nodes.Block)}
        for block in tree.find_all(nodes.Block):
            if block.name not in known and _calls_super(block):
                yield f"{path}, line {block.lineno}: {no_parent(block.name)}"


def _above(path: str, trees: Trees) -> set[str]:
    found: set[str] = set()
    waiting = [path]
    while waiting:
        parents = [name for name in _names(trees[waiting.pop()], nodes.Extends) if name in trees]
        waiting += [name for name in parents if name not in found]
        found.update(parents)
    return found


def _calls_super(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        return node.node.name == "super"
    inner = (each for each in node.iter_child_nodes() if not isinstance(each, nodes.Block))
    return any(_calls_super(each) for each in inner)


def _names(tree: nodes.Template, kind: type[_Reference]) -> list[str]:
    """Return the files that a file extends or includes; only constants compile."""
    templates = (node.template for node in tree.find_all(kind))
    return [str(name.value) for name in templates if isinstance(name, nodes.Const)]
