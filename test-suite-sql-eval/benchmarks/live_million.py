"""Judge a million predictions in calls of 64, kill workers in the middle, and watch the memory.

    python live_million.py --spider SPIDER --predictions PREDICTIONS [--verdicts 1000000] [--write]

The predictions are those of live_speed.py, each time spelled otherwise, so that the judge has never
seen them, and as long as before.  Every verdict is compared with the one that a judge gave before,
whose workers nobody killed.  From 45 % to 55 % a worker that is at work is killed in every so many
calls (SIGKILL, as a system short of memory does).  The record holds the memory of the caller and of
its workers after each tenth; with --write it goes to live_million.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sqlite3
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from live_speed import HERE, SIZE, read_triples
from test_suite_sql_eval import Judge, Settings

JOBS = 2
#: Letters of SELECT, and blanks around a query, which tell a prediction's spellings apart.
CASED, BLANKS = 6, 9
#: Calls between two kills.
KILL_EVERY = 31
#: Where they begin and end, as shares of all calls.
KILL_FROM, KILL_UNTIL = 0.45, 0.55


def respelled(sql: str, turn: int) -> str:
    """Return a query in a spelling of its own: upper and lower case of its first word, blanks."""
    blanks, case = divmod(turn, 2**CASED)
    letters = (
        letter.upper() if case >> place & 1 else letter.lower()
        for place, letter in enumerate(sql[:CASED])
    )
    return " " * blanks + "".join(letters) + sql[CASED:] + " " * (BLANKS - blanks)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6, 1)


def worker_pids(judge: Judge, at_work: bool = False) -> list[int]:
    """Return the process ids of the judge's workers, of all or of those that are at work."""
    return [one.pid for one in judge._pool._workers if one.pending or not at_work]


def judge_call(
    judge: Judge, call: list[tuple[str, str, str]], kill: bool
) -> tuple[list[tuple[bool, str | None] | None], int]:
    """Judge one call, kill a worker at its first verdict if asked to.

    Returns:
        Verdict and error of each prediction, None where none came; how many workers were killed.
    """
    verdicts: list[tuple[bool, str | None] | None] = [None] * len(call)
    killed = 0
    for index, outcome in judge.stream(call):
        if kill and not killed:
            for pid in worker_pids(judge, at_work=True)[-1:]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        verdicts[index] = (outcome.right, outcome.error)
    return verdicts, killed


def run(spider: Path, triples: list[tuple[str, str, str]], verdicts: int) -> dict[str, Any]:
    """Judge so many predictions; return the record."""
    with Judge(spider / "database", Settings(jobs=JOBS), remembered=0) as judge:
        expected = [(outcome.right, outcome.error) for outcome in judge.score(triples)]
    calls = -(-verdicts // SIZE)
    marks = {calls * tenth // 10: tenth * 10 for tenth in range(1, 11)}
    memory, killed, lost, other = {}, 0, 0, 0
    start = time.perf_counter()
    with Judge(spider / "database", Settings(jobs=JOBS)) as judge:
        for number in range(calls):
            places = [divmod(number * SIZE + n, len(triples)) for n in range(SIZE)]
            call = [(*triples[at][:2], respelled(triples[at][2], turn)) for turn, at in places]
            share = number / calls
            kill = KILL_FROM <= share < KILL_UNTIL and number % KILL_EVERY == 0
            given, kills = judge_call(judge, call, kill)
            killed += kills
            lost += given.count(None)
            other += sum(
                verdict is not None and verdict != expected[at]
                for verdict, (_, at) in zip(given, places, strict=True)
            )
            if number + 1 in marks:
                percent = f"{marks[number + 1]} %"
                workers = [memory_mb(pid) for pid in worker_pids(judge)]
                memory[percent] = {"caller_mb": memory_mb(os.getpid()), "workers_mb": workers}
                print(percent, memory[percent], flush=True)
    return {
        "verdicts": calls * SIZE,
        "calls_of": SIZE,
        "workers": JOBS,
        "killed": killed,
        "lost": lost,
        "other_verdicts": other,
        "seconds": round(time.perf_counter() - start),
        "memory": memory,
    }


def main() -> None:
    """Judge, print the record, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spider", required=True, type=Path)
    parser.add_argument("--predictions", required=True, type=Path)
    parser.add_argument("--verdicts", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    import_module("numpy")  # as in a trainer: workers cannot be forked
    record = run(args.spider, read_triples(args.predictions), args.verdicts)
    record |= {"python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version}
    record["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(record))
    if args.write:
        (HERE / "live_million.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
