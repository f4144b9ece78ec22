"""How a training program is started: alone, by torchrun, on one machine or on several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from text2sql.errors import UserError
from text2sql.graph import Stage
from text2sql.paths import shown
from text2sql.train.llamafactory import ARGUMENTS
from text2sql.train.recipe import recipe_of


@dataclass(frozen=True)
class Nodes:
    """The machines that train together, as torchrun's variables name them."""

    count: int = 1
    rank: int = 0
    master: str = "127.0.0.1"
    port: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Nodes:
        """Read NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT.

        Raises:
            UserError: a value is no number, or one that several nodes need is missing.
        """
        count = _number(environment, "NNODES", 1)
        rank = _number(environment, "NODE_RANK", 0)
        if count < 1 or not 0 <= rank < count:
            raise UserError(f"NODE_RANK {rank} with NNODES {count}: ranks go from 0 to NNODES - 1")
        if count == 1:
            return cls()
        for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
            if not environment.get(name):
                raise UserError(
                    f"NNODES={count} needs {name} as well; on node 0: make train-full"
                    f" NNODES={count} NODE_RANK=0 MASTER_ADDR=<its address> MASTER_PORT=29500"
                )
        return cls(count, rank, environment["MASTER_ADDR"], environment["MASTER_PORT"])

    def variables(self) -> dict[str, str]:
        """The variables LLaMA-Factory's launcher reads; empty for one machine."""
        if self.count == 1:
            return {}
        return {
            "NNODES": str(self.count),
            "NODE_RANK": str(self.rank),
            "MASTER_ADDR": self.master,
            "MASTER_PORT": str(self.port),
        }


def launch_line(stage: Stage, nodes: Nodes | None = None) -> str:
    """Return the program a training stage starts, as one would type it."""
    recipe = recipe_of(stage.config)
    variables = recipe.environment() | (nodes or Nodes()).variables()
    parts = [f"{name}={value}" for name, value in variables.items()]
    return " ".join([*parts, "llamafactory-cli train", shown(stage.output / ARGUMENTS)])


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdigit():
        raise UserError(f"{name}={text}: expected a number")
    return int(text)
