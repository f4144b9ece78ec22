"""Compare BIRD's metrics with those of BIRD's own programs on the same files, in one run.

Usage: python bird_official.py --official CHECKOUT --gold GOLD.sql --pred PREDICT.json
           --levels DEV.jsonl --db DATABASES [--python PYTHON] [--rounds N]

CHECKOUT is bird-bench/mini_dev; PYTHON has numpy and func-timeout. Its programs import the drivers
of PostgreSQL and MySQL, which SQLite needs not: where one is missing, an empty module stands in.
They let predictions write, so DATABASES had better be a copy.
Prints a table: EX and Soft-F1 of both, which must be the same, and R-VES of both in every round,
which depends on times: ours as a share of theirs says how far apart they are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PACKAGE))

from test_suite_sql_eval.bird import BirdSettings, judge  # noqa: E402
from test_suite_sql_eval.bird.cli import read_levels  # noqa: E402
from test_suite_sql_eval.bird.judge import ITERATIONS, LEVELS  # noqa: E402

PROGRAMS = {"ex": "evaluation_ex.py", "soft_f1": "evaluation_f1.py", "r_ves": "evaluation_ves.py"}
TITLES = {"ex": "EX", "soft_f1": "Soft-F1", "r_ves": "R-VES"}


def official(args: argparse.Namespace, metric: str, stand_ins: Path) -> list[float]:
    """Return a metric of BIRD's program, in per cent: of each level, then of all.

    Raises:
        SystemExit: it printed no such line.
    """
    folder = Path(args.official).resolve() / "evaluation"
    command = [args.python, str(folder / PROGRAMS[metric])]
    for flag, value in (
        ("--predicted_sql_path", args.pred),
        ("--ground_truth_path", args.gold),
        ("--db_root_path", f"{Path(args.db).resolve()}/"),
        ("--diff_json_path", args.levels),
        ("--output_log_path", stand_ins / "log.txt"),
    ):
        command += [flag, str(value if flag == "--db_root_path" else Path(value).resolve())]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(stand_ins))))
    done = subprocess.run(
        command,
        cwd=stand_ins,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        capture_output=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(TITLES[metric] + " ")]
    if not lines:
        raise SystemExit(f"{PROGRAMS[metric]} printed no {TITLES[metric]}: {done.stderr[-500:]}")
    return [float(figure) for figure in lines[0].split()[1:]]


def ours(args: argparse.Namespace, iterations: int) -> dict[str, list[float]]:
    """Return our metrics in the same form."""
    levels = read_levels(args.levels)
    report = judge(args.gold, args.pred, args.db, BirdSettings(iterations), levels)
    names = [*LEVELS, "all"]
    return {
        metric: [100 * report.scores[name][metric] for name in names]
        for metric in PROGRAMS
        if metric in report.scores["all"]
    }


def main() -> None:
    """Print the table; exit with status 1 where EX or Soft-F1 differ."""
    parser = argparse.ArgumentParser(description="BIRD's metrics against BIRD's own programs.")
    for name in ("official", "gold", "pred", "levels", "db"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=0, help="of R-VES; default: none")
    args = parser.parse_args()
    row = "{:20}" + "{:>12}" * 5
    print(row.format("", *LEVELS, "all", "ratio"))
    same = True
    with tempfile.TemporaryDirectory() as folder:
        stand_ins = Path(folder)
        for driver in ("psycopg2", "pymysql"):
            (stand_ins / f"{driver}.py").write_text("")
        for number in range(max(args.rounds, 1)):
            figures = ours(args, ITERATIONS if args.rounds else 0)
            for metric, mine in figures.items():
                if number and metric != "r_ves":
                    continue
                theirs = official(args, metric, stand_ins)
                if metric != "r_ves":
                    same &= [f"{x:.2f}" for x in mine] == [f"{x:.2f}" for x in theirs]
                ratio = f"{mine[-1] / theirs[-1]:.4f}" if theirs[-1] else ""
                for who, shown, last in (("official", theirs, ""), ("ours", mine, ratio)):
                    cells = [f"{figure:.2f}" for figure in shown]
                    print(row.format(f"{TITLES[metric]} {who}", *cells, last))
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
