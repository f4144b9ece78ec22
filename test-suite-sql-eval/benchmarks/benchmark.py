"""Measure this evaluator against the official one and against bare SQLite, in one go.

    python benchmark.py --official CHECKOUT --official_python PYTHON --spider SPIDER \\
        --predictions PREDICTIONS [--jobs 2] [--file full] [--copies 40] [--runs 7] [--write]

Four sets are measured, without and with --plug_value: ``small`` (the questions of all databases
but wta_1), ``all``, ``copies`` (``small`` with COPIES copies of each database in its folder) and
``suite`` (the same, but every copy has another content, so that nothing is skipped as a
duplicate).  For each:

* official: the official evaluation.py;
* ours: evaluation.py of this repository, process start included, with nothing kept between runs
  ("cold") and with gold results kept from an earlier run ("kept");
* bare: the physical limit: sqlite3 executes every distinct query once and fetches all rows; its
  time divided by JOBS, times 1.2, plus 0.3 s.  With --plug_value the plugged queries that have to
  be executed until one passes are part of it.

The programs run in turn, RUNS times each (the last two sets LONG_RUNS times); the record holds the
least and the median wall time and the least processor time (user and system, all processes).
Peak memory is the largest sum over our processes of memory not shared with others (PSS).  With
--write the record goes to results.json and the table into the README.
Needs a copy of the databases, made in a temporary folder: the official program opens them for
writing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from test_suite_sql_eval.compare import equivalent  # noqa: E402
from test_suite_sql_eval.judge import fix_year, prepare  # noqa: E402
from test_suite_sql_eval.plug_value import Plugged  # noqa: E402

BIG = "wta_1"


def make_sets(
    work: Path, spider: Path, predictions: Path, name: str, copies: int
) -> dict[str, Path]:
    """Write gold and prediction files and copy databases; return a folder for each set."""
    gold = (predictions / "gold.txt").read_text().splitlines()
    pred = (predictions / f"{name}.txt").read_text().splitlines()
    ids = sorted({line.split("\t")[1] for line in gold})
    sets = {key: work / key for key in ("small", "all", "copies", "suite")}
    for key, folder in sets.items():
        keep = [i for i, line in enumerate(gold) if key == "all" or not line.endswith(f"\t{BIG}")]
        folder.mkdir(parents=True)
        (folder / "gold.txt").write_text("".join(gold[i] + "\n" for i in keep))
        (folder / "pred.txt").write_text("".join(pred[i] + "\n" for i in keep))
        for db_id in ids:
            if key == "all" or db_id != BIG:
                source = spider / "database" / db_id / f"{db_id}.sqlite"
                number = copies if key in ("copies", "suite") else 1
                _copy(source, folder / "database" / db_id, number, key == "suite")
    return sets


def _copy(source: Path, folder: Path, copies: int, distinct: bool) -> None:
    folder.mkdir(parents=True)
    for number in range(copies):
        target = folder / (source.name if number == 0 else f"{source.stem}_{number}.sqlite")
        shutil.copyfile(source, target)
        os.chmod(target, 0o644)
        if not distinct:
            continue
        with sqlite3.connect(target) as connection:  # a different file with the same answers
            connection.execute(f"PRAGMA user_version = {number}")
        connection.close()


def bare_seconds(folder: Path, plug_value: bool) -> float:
    """Return the time sqlite3 needs for every distinct query, one after the other."""
    total = 0.0
    connections: dict[str, sqlite3.Connection] = {}
    results: dict[tuple[str, str], list[tuple[object, ...]] | None] = {}

    def run(path: str, sql: str) -> list[tuple[object, ...]] | None:
        nonlocal total
        if (path, sql) in results:
            return results[path, sql]
        if path not in connections:
            connections[path] = sqlite3.connect(path)
            connections[path].text_factory = lambda raw: raw.decode(errors="ignore")
        start = time.perf_counter()
        rows: list[tuple[object, ...]] | None
        try:
            rows = connections[path].execute(sql).fetchall()
        except (sqlite3.Error, sqlite3.Warning, ValueError):
            rows = None
        total += time.perf_counter() - start
        results[path, sql] = rows
        return rows

    gold_lines = (folder / "gold.txt").read_text().splitlines()
    pred_lines = (folder / "pred.txt").read_text().splitlines()
    pairs = list(zip(gold_lines, pred_lines, strict=True))
    pairs.sort(key=lambda pair: pair[0].split("\t")[::-1])
    last = ""
    for gold_line, pred_line in pairs:
        gold, db_id = gold_line.strip().split("\t")
        if gold_line != last:
            results.clear()
            last = gold_line
        gold = fix_year(prepare(gold, False))
        own = fix_year(prepare(pred_line.strip().split("\t")[0].replace("value", "1"), False))
        ordered = "order by" in gold.lower()
        paths = sorted(str(path) for path in (folder / "database" / db_id).glob("*.sqlite"))
        candidates = [own] if not plug_value else [own, *Plugged(gold, own).candidates()]
        for candidate in candidates:
            for path in paths:
                rows, wanted = run(path, candidate), run(path, gold)
                if rows is None or wanted is None or not equivalent(wanted, rows, ordered):
                    break
            else:
                break
    return total


def peak_pss(pid: int) -> int:
    """Return the memory (bytes) of a process and its children that is theirs alone."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
            if int(folder.name) != pid and int(status.rsplit(")", 1)[1].split()[1]) != pid:
                continue
            for line in (folder / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (OSError, IndexError):
            continue
    return total


def timed(command: list[str], watch: bool = False) -> tuple[float, float, int, str]:
    """Run a command; return wall and processor seconds, peak memory if watched, its output."""
    peak = 0
    # Compiled modules are kept, as in any installation.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        while watch and process.poll() is None:
            peak = max(peak, peak_pss(process.pid))
            time.sleep(0.01)
        code = process.wait()
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        out.seek(0)
        text = out.read()
    if code:
        raise SystemExit(f"{' '.join(command)} failed:\n{text[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, peak, text


def execution_line(text: str) -> str:
    """Return the figures of the line with the execution accuracy."""
    lines = (line for line in text.splitlines() if line.startswith("execution"))
    return " ".join(next(lines, "none").split())


def in_turn(
    programs: dict[str, list[str]], runs: int
) -> tuple[dict[str, dict[str, float]], set[str]]:
    """Run the programs one after the other, RUNS times; return their times and figures."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    figures = set()
    for _ in range(runs):
        for name, command in programs.items():
            wall, cpu, _, text = timed(command)
            times[name].append((wall, cpu))
            figures.add(execution_line(text))
    summary = {
        name: {
            "wall": round(min(wall for wall, _ in found), 3),
            "wall_median": round(statistics.median(wall for wall, _ in found), 3),
            "cpu": round(min(cpu for _, cpu in found), 3),
        }
        for name, found in times.items()
    }
    return summary, figures


def measure(name: str, folder: Path, plug_value: bool, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one set in one mode."""
    options = [
        f"--gold={folder / 'gold.txt'}",
        f"--pred={folder / 'pred.txt'}",
        f"--db={folder / 'database'}",
        f"--table={args.spider / 'tables.json'}",
        "--etype=exec",
        *(["--plug_value"] if plug_value else []),
    ]
    ours = [sys.executable, str(HERE.parent / "evaluation.py"), *options, f"--jobs={args.jobs}"]
    cold = [*ours, "--gold_cache=none"]
    kept = [*ours, f"--gold_cache={folder / 'gold_cache'}"]
    upstream = [args.official_python, str(HERE / "run_official.py"), args.official, *options]
    load = os.getloadavg()[0]
    timed(kept)
    peak = timed(cold, watch=True)[2]
    runs = args.runs if name in ("small", "all") else args.long_runs
    times, figures = in_turn({"official": upstream, "cold": cold, "kept": kept}, runs)
    bare = bare_seconds(folder, plug_value)
    return {
        "set": name,
        "plug_value": plug_value,
        "runs": runs,
        "load": round(load, 1),
        **times,
        "limit": round(1.2 * bare / args.jobs + 0.3, 3),
        "peak_mb": round(peak / 1e6),
        "same_figures": len(figures) == 1,
    }


def start_up(runs: int) -> dict[str, dict[str, float]]:
    """Measure Python alone and our program asked for its help, which loads everything."""
    script = str(HERE.parent / "evaluation.py")
    programs = {"python": [sys.executable, "-c", ""], "ours": [sys.executable, script, "--help"]}
    return in_turn(programs, runs)[0]


TITLES = {
    "small": "972 questions, 19 small databases",
    "all": "all 1,034 questions",
    "suite": "small, {copies} variants each, of different content",
    "copies": "small, {copies} identical copies each",
}
_HEAD = (
    "| set | `--plug_value` | official | cold | ratio | kept | ratio | limit | peak memory "
    "| processor time: official, cold, kept | runs | load |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def table(record: dict[str, Any]) -> str:
    """Return the record as the README shows it."""
    lines = []
    for row in record["rows"]:
        official, cold, kept = row["official"], row["cold"], row["kept"]
        cells = [
            TITLES[row["set"]].format(copies=record["copies"]),
            "yes" if row["plug_value"] else "no",
            f"{official['wall']:.2f} s",
            f"{cold['wall']:.3f} s",
            f"{official['wall'] / cold['wall']:.1f} x",
            f"{kept['wall']:.3f} s",
            f"{official['wall'] / kept['wall']:.1f} x",
            f"{row['limit']:.2f} s",
            f"{row['peak_mb']} MB",
            f"{official['cpu']:.2f} s, {cold['cpu']:.3f} s, {kept['cpu']:.3f} s",
            str(row["runs"]),
            str(row["load"]),
        ]
        lines.append("| " + " | ".join(cells) + " |\n")
    start = record["start_up"]
    return (
        f"{record['cores']} cores, Python {record['python']}, SQLite {record['sqlite']}, "
        f"predictions `{record['file']}.txt`; the least time of all runs; load is that of the "
        "machine before the row was measured.\n\n"
        + _HEAD
        + "".join(lines)
        + f"\nStart-up (`--help`): {start['ours']['wall']:.3f} s, of which Python itself "
        f"{start['python']['wall']:.3f} s.\n"
    )


START, END = "<!-- measured: start -->\n", "<!-- measured: end -->\n"


def write(record: dict[str, Any]) -> None:
    """Write results.json, rows of sets not measured this time kept, and the README's table."""
    path = HERE / "results.json"
    old = json.loads(path.read_text())["rows"] if path.exists() else []
    measured = {row["set"] for row in record["rows"]}
    rows = record["rows"] + [row for row in old if row["set"] not in measured]
    record["rows"] = sorted(
        rows, key=lambda row: (list(TITLES).index(row["set"]), row["plug_value"])
    )
    path.write_text(json.dumps(record, indent=1) + "\n")
    readme = HERE.parent / "README.md"
    text = readme.read_text()
    before, rest = text.split(START)
    after = rest.split(END)[1]
    readme.write_text(before + START + table(record) + END + after)


def main() -> None:
    """Measure, print the record and the table, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--official", required=True)
    parser.add_argument("--official_python", default=sys.executable)
    parser.add_argument("--spider", required=True, type=Path)
    parser.add_argument("--predictions", required=True, type=Path)
    parser.add_argument("--file", default="full")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--long_runs", type=int, default=1)
    parser.add_argument("--sets", nargs="+", default=["small", "all", "suite", "copies"])
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    record: dict[str, Any] = {
        "file": args.file,
        "cores": args.jobs,
        "copies": args.copies,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "start_up": start_up(args.runs),
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        sets = make_sets(Path(temporary), args.spider, args.predictions, args.file, args.copies)
        for name in args.sets:
            for plug_value in (False, True):
                record["rows"].append(measure(name, sets[name], plug_value, args))
                print(json.dumps(record["rows"][-1]), flush=True)
    print(table(record))
    if args.write:
        write(record)


if __name__ == "__main__":
    main()
