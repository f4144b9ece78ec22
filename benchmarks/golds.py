"""How many gold queries of a data set are wrong, or have more than one right answer: a record.

Usage: python benchmarks/golds.py --suites build/test-suites/spider-dev_seed0 [--dataset spider]

The questions themselves are in what `make check-golds` writes; the record counts them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import surroundings

from text2sql.config import load_config
from text2sql.data.check_golds import KINDS, check_golds
from text2sql.data.config import DataConfig
from text2sql.files import write_json
from text2sql.paths import config_path


def main() -> None:
    """Check the gold queries; write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="spider")
    parser.add_argument("--suites", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/golds_spider.json"))
    options = parser.parse_args()
    config = load_config(config_path("data", options.dataset), DataConfig)
    checks = check_golds(config, options.suites)
    record = {
        "dataset": options.dataset,
        "questions": checks.questions,
        "kinds": KINDS,
        "counts": checks.counts(),
        "differing": sorted({f.number for f in checks.findings if f.kind == "differs"}),
        "unchecked_limits": checks.unchecked_limits,
        "variants": checks.variants,
    }
    write_json(options.output, record | surroundings())


if __name__ == "__main__":
    main()
