"""The machines that train together, as torchrun's environment variables name them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from text2sql.errors import UserError


@dataclass(frozen=True)
class Nodes:
    """How many machines, which of them this is, and where the first one listens."""

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


def this_node() -> Nodes:
    """Return what the environment says; raise UserError if it is wrong."""
    return Nodes.from_environment(os.environ)


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdigit():
        raise UserError(f"{name}={text}: expected a number")
    return int(text)
