"""Measure this evaluator against the official one and against bare SQLite, in one go.

    python benchmark.py --official CHECKOUT --official_python PYTHON --spider SPIDER \\
        --predictions PREDICTIONS [--jobs 2] [--file full] [--copies 40] [--runs 3]

Four sets are measured, without and with --plug_value: ``small`` (the questions of all databases
but wta_1), ``all``, ``copies`` (``small`` with COPIES copies of each database in its folder) and
``suite`` (the same, but every copy has another content, so that nothing is skipped as a
duplicate).  For each:

* official: the official evaluation.py, once (its time varies little and is long);
* ours: evaluation.py of this repository, the best of RUNS, process start included, once with
  nothing kept between runs and once ("warm") with kept gold results;
* bare: the physical limit: sqlite3 executes every distinct query once and fetches all rows; its
  time divided by JOBS, times 1.2, plus 0.3 s.  With --plug_value the plugged queries that have to
  be executed until one passes are part of it.

Peak memory is the largest sum over our processes of memory not shared with others (PSS).
Needs a copy of the databases, made in a temporary folder: the official program opens them for
writing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def timed(command: list[str], watch: bool = False) -> tuple[float, int, str]:
    """Run a command; return wall seconds, peak memory if watched, and its output."""
    peak = 0
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        while watch and process.poll() is None:
            peak = max(peak, peak_pss(process.pid))
            time.sleep(0.05)
        code = process.wait()
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    if code:
        raise SystemExit(f"{' '.join(command)} failed:\n{text[-2000:]}")
    return seconds, peak, text


def execution_line(text: str) -> str:
    """Return the figures of the line with the execution accuracy."""
    return next((line for line in text.splitlines() if line.startswith("execution")), "none")


def main() -> None:
    """Measure and print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--official", required=True)
    parser.add_argument("--official_python", default=sys.executable)
    parser.add_argument("--spider", required=True, type=Path)
    parser.add_argument("--predictions", required=True, type=Path)
    parser.add_argument("--file", default="full")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["small", "all", "copies", "suite"])
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        sets = make_sets(Path(temporary), args.spider, args.predictions, args.file, args.copies)
        for name in args.sets:
            for plug_value in (False, True):
                results.append(measure(name, sets[name], plug_value, args))
                print(json.dumps(results[-1]), flush=True)
    for row in results:
        print(
            f"{row['set']:6} plug={int(row['plug_value'])} official {row['official']:8.2f} s  "
            f"ours {row['ours']:6.2f} s  ratio {row['ratio']:6.1f} x  "
            f"with kept golds {row['ours_warm']:6.2f} s {row['ratio_warm']:6.1f} x  "
            f"limit {row['limit']:6.2f} s  "
            f"within limit: {row['ours'] <= row['limit']}  peak {row['peak_mb']} MB  "
            f"same figures: {row['same']}"
        )


def measure(
    name: str, folder: Path, plug_value: bool, args: argparse.Namespace
) -> dict[str, object]:
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
    fresh = [*ours, "--gold_cache=none"]
    seconds = min(timed(fresh)[0] for _ in range(args.runs))
    kept = [*ours, f"--gold_cache={folder / 'gold_cache'}"]
    warm = min(timed(kept)[0] for _ in range(args.runs + 1))
    _, peak, our_text = timed(fresh, watch=True)
    official, _, text = timed(
        [args.official_python, str(HERE / "run_official.py"), args.official, *options]
    )
    bare = bare_seconds(folder, plug_value)
    return {
        "set": name,
        "plug_value": plug_value,
        "official": round(official, 3),
        "ours": round(seconds, 3),
        "ours_warm": round(warm, 3),
        "ratio": round(official / seconds, 1),
        "ratio_warm": round(official / warm, 1),
        "bare_one_core": round(bare, 3),
        "limit": round(1.2 * bare / args.jobs + 0.3, 3),
        "peak_mb": round(peak / 1e6),
        "same": execution_line(text).split() == execution_line(our_text).split(),
    }


if __name__ == "__main__":
    main()
