"""Load the web service: requests per second, p50 and p95, batching, memory over many requests.

    python benchmarks/serve_load.py --output serve_load.json
    python benchmarks/serve_load.py --model FOLDER --requests 60 --steady 0 --output other.json

Starts ``text2sql serve`` as a process with a small database and asks it over HTTP. Every request is
counted: answered, refused with 429, or lost. docs/serving.md shows the result (make results).
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from common import load as machine_load
from common import surroundings

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT / part) for part in ("tests/serve", "tests/helpers", "src", "test-suite-sql-eval")
]

from tiny import make_database, make_tiny_model  # noqa: E402

from text2sql.files import write_json  # noqa: E402

QUESTIONS = ["How many bikes are there?", "Number of shops by city?", "Prices of all bikes?"]
BODIES = [{"question": question, "execute": True} for question in QUESTIONS]
CLIENTS = (1, 8, 64)
BATCH_SIZES = (16, 1)
STEPS = 10  # how often memory is read over the steady load


@contextmanager
def serving(
    folder: Path, model: Path, infer: dict[str, Any], database: Path, **limits: Any
) -> Iterator[tuple[str, int]]:
    """Run the service; give its address and process id."""
    decoding, settings = folder / "infer.yaml", folder / "serve.yaml"
    decoding.write_text(yaml.safe_dump(infer))
    limits = {"max_waiting": 256, "max_waiting_per_client": 256} | limits
    settings.write_text(yaml.safe_dump(limits))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join(sys.path[1:3])
    environment = os.environ | {
        "PYTHONPATH": path,
        "DB_URL": str(database),
    }
    command = [sys.executable, "-c", "from text2sql.cli import main; main()", "serve"]
    command += ["--model", str(model), "--port", str(port), "--infer", str(decoding)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--config", str(settings)], env=environment, stderr=log
        )
        url = f"http://127.0.0.1:{port}"
        try:
            while process.poll() is None:
                try:
                    httpx.get(f"{url}/healthz")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            else:
                sys.exit((folder / "log").read_text())
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


def load(
    url: str, clients: int, requests: int, bodies: Sequence[dict[str, Any]] = BODIES
) -> tuple[float, list[float], Counter[str]]:
    """Ask from so many clients at once; return the time, each answer's time and the outcomes."""
    outcomes: Counter[str] = Counter()
    times: list[float] = []

    def work(number: int) -> None:
        with httpx.Client(timeout=900) as client:
            for turn in range(number, requests, clients):
                body = bodies[turn % len(bodies)]
                began = time.perf_counter()
                try:
                    status = client.post(f"{url}/text2sql", json=body).status_code
                except httpx.TransportError:
                    outcomes["lost"] += 1
                    continue
                outcomes[str(status)] += 1
                if status == 200:
                    times.append(time.perf_counter() - began)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return time.perf_counter() - began, times, outcomes


def summary(seconds: float, times: list[float], outcomes: Counter[str]) -> dict[str, Any]:
    """Return what `load` measured, as it stands in records."""
    return {
        "requests_per_second": round(len(times) / seconds, 2),
        "p50_seconds": round(statistics.median(times), 3),
        "p95_seconds": round(statistics.quantiles(times, n=20)[18], 3),
        "outcomes": dict(outcomes),
    }


def memory_mb(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="default: a two-layer model, made on the spot")
    parser.add_argument("--requests", type=int, default=400, help="for each number of clients")
    parser.add_argument("--steady", type=int, default=5000, help="requests while memory is watched")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = make_database(folder / "shops.sqlite")
        infer = yaml.safe_load((ROOT / "configs/infer/smollm2-135m_greedy_cpu.yaml").read_text())
        model = options.model or folder / "tiny"
        if options.model is None:
            model.mkdir()
            make_tiny_model(model)
        record: dict[str, Any] = {"model": model.name, "requests": options.requests, "rows": []}
        record["load_before"] = machine_load()
        for batch_size in BATCH_SIZES:
            decoding = infer | {"batch_size": batch_size, "max_model_len": 512}
            with serving(folder, model, decoding, database) as (url, pid):
                load(url, 8, 24)  # warm up
                for clients in CLIENTS:
                    seconds, times, outcomes = load(url, clients, options.requests)
                    row = {"batch": batch_size, "clients": clients}
                    row |= summary(seconds, times, outcomes)
                    print(row, file=sys.stderr, flush=True)
                    record["rows"].append(row)
                if options.steady and batch_size == BATCH_SIZES[0]:
                    record["steady"] = steady(url, pid, options.steady)
        write_json(options.output, record | {"load_after": machine_load()} | surroundings())


def steady(url: str, pid: int, requests: int) -> dict[str, Any]:
    """Ask from 16 clients for a long time; return outcomes, and memory before and on the way."""
    total: Counter[str] = Counter()
    seen = [round(memory_mb(pid))]
    for _ in range(STEPS):
        total += load(url, 16, requests // STEPS)[2]
        seen.append(round(memory_mb(pid)))
    return {"requests": requests, "outcomes": dict(total), "memory_mb": seen}


if __name__ == "__main__":
    main()
