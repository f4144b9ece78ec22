"""Print the stages that have a command, a line each: name, tab, what it does.

The stages declare themselves in src/text2sql; this reads their declarations without importing
anything, so that `make help` works before the environment has been set up.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"


def modules() -> list[str]:
    """Return the modules that declare stages, from the registry."""
    tree = ast.parse((SOURCE / "text2sql/pipeline/registry.py").read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "MODULES":
            return list(ast.literal_eval(statement.value))
    raise SystemExit("stages: the registry has no MODULES")


def declared(module: str) -> Iterator[tuple[str, str]]:
    """Yield name and help of each kind of stage that a module declares with its own command."""
    path = SOURCE / (module.replace(".", "/") + ".py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "StageKind":
            name, text = (ast.literal_eval(argument) for argument in node.args[:2])
            if all(keyword.arg != "command" for keyword in node.keywords):
                yield name, text


if __name__ == "__main__":
    for each in modules():
        for name, text in declared(each):
            print(f"{name}\t{text}")
