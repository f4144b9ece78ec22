"""Whether a stage is up to date: a hash over all that decides its result, its source included.

The source that counts is what the code of a stage really uses: from where it begins (see
`StageKind.code`), the definitions it names, those that they name, and so on through this
repository's packages. Comments, docstrings, annotations and layout do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from text2sql.data.config import source_hint
from text2sql.errors import UserError
from text2sql.files import sha256_text, sha256_tree
from text2sql.records import canonical_hash, read_manifest
from text2sql.stage import Stage

PACKAGES = ("text2sql", "test_suite_sql_eval")
# What these hold cannot change a result: how files are written, work is told and errors are worded,
# and what configs may say, for what they do say is in the key itself.
UNWATCHED = frozenset(
    f"text2sql.{name}"
    for name in (
        "artifacts", "config", "errors", "files", "hardware", "paths", "profile", "progress",
        "records", "run", "stage", "data.config", "infer.config", "rag.config", "train.recipe",
    )
)  # fmt: skip


def stage_key(stage: Stage) -> str | None:
    """Hash over a stage's kind, code, config, sources and inputs; None while an input is missing.

    Raises:
        UserError: a source is not there.
    """
    inputs: dict[str, str] = {}
    for name, needed in stage.inputs.items():
        manifest = read_manifest(needed.output)
        if manifest is None:
            return None
        inputs[name] = manifest["output_hash"]
    for source in stage.sources:
        if not source.exists():
            raise UserError(
                f"{source}: not found; stage '{stage.name}' reads it{source_hint(source)}"
            )
    sources = {source.name: sha256_tree(source) for source in stage.sources}
    databases = [_stamps(folder, "*/*.sqlite*") for folder in stage.databases]
    weights = [_stamps(folder, "*") for folder in stage.weights]
    parts = [stage.kind, source_hash(stage.code), stage.config, sources, databases, weights, inputs]
    return canonical_hash(parts)


def is_current(stage: Stage) -> bool:
    """Whether the stage's output is there and was made from today's code, config and inputs."""
    manifest = read_manifest(stage.output)
    return manifest is not None and manifest["key"] == stage_key(stage)


def _stamps(folder: Path, pattern: str) -> list[str]:
    """Name, size and time of each file of a pattern below a folder."""
    return [
        f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in sorted(folder.glob(pattern))
    ]


def source_hash(roots: Iterable[str]) -> str:
    """Return a hash over the source that is used from some places on.

    Args:
        roots: ``module:definition``, or a module or package for all that it defines.
    """
    lines = [f"{module}:{name} {_text(module, name)}" for module, name in sorted(used_from(roots))]
    return sha256_text("\n".join(lines))


def used_from(roots: Iterable[str]) -> set[tuple[str, str]]:
    """Return the definitions, as (module, name), that are used from some places on."""
    waiting = [found for root in roots for found in _begin(root)]
    used: set[tuple[str, str]] = set()
    while waiting:
        place = waiting.pop()
        if place in used or place[0] in UNWATCHED:
            continue
        used.add(place)
        waiting += _names(*place)
    return used


def _begin(root: str) -> Iterator[tuple[str, str]]:
    module, _, name = root.partition(":")
    if name:
        yield from _resolve(module, name)
        return
    path = _path(module)
    assert path is not None, f"{root}: no such module"
    if path.name == "__init__.py":
        for inner in sorted(path.parent.glob("*.py")):
            yield from _all_of(module if inner == path else f"{module}.{inner.stem}")
    else:
        yield from _all_of(module)


@dataclass
class _Source:
    """A module: its definitions by name, what it imports from our packages, what it runs."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


TOP = "<module>"  # stands for what a module runs when it is imported


@cache
def _path(module: str) -> Path | None:
    package, *names = module.split(".")
    spec = find_spec(package) if package in PACKAGES else None
    if spec is None or spec.origin is None:
        return None
    # Found by name: to ask for the spec of what a module holds would import that module.
    place = Path(spec.origin).parent.joinpath(*names)
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@cache
def _source(module: str) -> _Source:
    found, path = _Source(), _path(module)
    assert path is not None
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # the module's docstring
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found.imports |= _imported(module, statement)
            continue
        if isinstance(statement, ast.If | ast.Try):
            for node in ast.walk(statement):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    found.imports |= _imported(module, node)
        bare = _Bare().visit(statement)
        for name in _bound(statement) or [TOP]:
            found.definitions.setdefault(name, []).append(bare)
    return found


def _bound(statement: ast.stmt) -> list[str]:
    """Return the names that a statement at a module's top gives something to."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    nodes = ast.walk(statement)
    return [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _imported(module: str, statement: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str]]:
    """Return, for the names that an import binds, the module and its definition ("" for all)."""
    if isinstance(statement, ast.Import):
        pairs = ((a.asname or a.name.split(".")[0], a.name) for a in statement.names)
        return {bound: (name, "") for bound, name in pairs if _path(name)}
    origin = statement.module or ""
    if statement.level:
        path = _path(module)
        up = statement.level - (path is not None and path.name == "__init__.py")
        parts = module.split(".")
        origin = ".".join([*parts[: len(parts) - up], *filter(None, [origin])])
    if _path(origin) is None:
        return {}
    return {
        alias.asname or alias.name: (f"{origin}.{alias.name}", "")
        if _path(f"{origin}.{alias.name}")
        else (origin, alias.name)
        for alias in statement.names
    }


def _resolve(module: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield where a name of a module is defined, through the modules that hand it on."""
    source = _source(module)
    if TOP in source.definitions:
        yield module, TOP
    if name in source.definitions:
        yield module, name
    elif name in source.imports:
        origin, inner = source.imports[name]
        yield from _resolve(origin, inner) if inner else _all_of(origin)


def _all_of(module: str) -> Iterator[tuple[str, str]]:
    for name in _source(module).definitions:
        yield module, name


def _names(module: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the definitions that one uses by name."""
    source = _source(module)
    nodes = [node for body in source.definitions[name] for node in ast.walk(body)]
    imports = dict(source.imports)
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= _imported(module, node)
    within = set()  # names that only lead to an attribute: of a module, that one alone is used
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            origin, inner = imports.get(node.value.id, ("", ""))
            if origin and not inner:
                within.add(id(node.value))
                yield from _resolve(origin, node.attr)
    for node in nodes:
        if not isinstance(node, ast.Name) or id(node) in within:
            continue
        if node.id in source.definitions:
            yield module, node.id
        elif node.id in imports:
            origin, inner = imports[node.id]
            yield from _resolve(origin, inner) if inner else _all_of(origin)


class _Bare(ast.NodeTransformer):
    """Takes off what a definition does not run: docstrings, and annotations in functions."""

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        return self._documented(node)

    def _documented(self, node: ast.AST) -> ast.AST:
        if ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]
            node.body = node.body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        return self.generic_visit(node)

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function
    visit_ClassDef = _documented


@cache
def _text(module: str, name: str) -> str:
    return "\n".join(ast.dump(body) for body in _source(module).definitions[name])
