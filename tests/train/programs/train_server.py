"""Train again and again in forks of one process that has paid for the imports once.

Reads one JSON request a line, ``{"arguments": YAML file, "processes": N, "log": file}``, and
answers each with the exit statuses of its processes. A fork does what a process of its own would do
from there, by `text2sql.train.entry`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print, some of them while imported, must not mix with the answers

if os.environ.get("USE_MCA") == "1":
    import megatron_cpu

    megatron_cpu.install()
else:
    import deepspeed  # noqa: F401

import llamafactory.train.sft.workflow  # noqa: E402
import llamafactory.train.tuner  # noqa: E402, F401

from text2sql.train import entry  # noqa: E402


def train(arguments: str, processes: int, rank: int, port: int, log: str) -> None:
    """In a fork: become one of the processes and train."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = 1
    try:
        sys.argv = ["train", arguments]
        if processes > 1 or os.environ.get("USE_MCA") == "1":
            os.environ |= {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(processes),
                "LOCAL_WORLD_SIZE": str(processes),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            }
        entry.main()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        port, children = free_port(), []
        for rank in range(request["processes"]):
            child = os.fork()
            if child == 0:
                train(request["arguments"], request["processes"], rank, port, request["log"])
            children.append(child)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(statuses), file=answers, flush=True)


if __name__ == "__main__":
    main()
