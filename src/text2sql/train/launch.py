"""The line that starts a training program, as one would type it."""

from __future__ import annotations

import sys

from text2sql.paths import shown
from text2sql.stage import Stage
from text2sql.train.llamafactory import ARGUMENTS, training_program
from text2sql.train.nodes import Nodes
from text2sql.train.recipe import recipe_of


def launch_line(stage: Stage, nodes: Nodes | None = None) -> str:
    """Return the program a training stage starts on a machine with GPUs.

    Args:
        stage: of kind ``train-...``.
        nodes: the machines that train together; by default this one.
    """
    recipe, nodes = recipe_of(stage.config), nodes or Nodes()
    if recipe.launch.backend == "single":
        nodes = Nodes()  # which node 0 trains alone
    arguments = shown(stage.output / ARGUMENTS)
    variables = stage.settings.get("variables", {}) | recipe.environment()
    program = training_program(recipe, nodes, on_cpu=False)
    if program is None:
        variables |= nodes.variables()
        return " ".join([*_assignments(variables), "llamafactory-cli train", arguments])
    own = {k: v for k, v in variables.items() if k not in ("FORCE_TORCHRUN", "NPROC_PER_NODE")}
    typed = " ".join(program).replace(f"{sys.executable} -m torch.distributed.run", "torchrun")
    return " ".join([*_assignments(own), typed.replace(sys.executable, "python"), arguments])


def _assignments(variables: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]
