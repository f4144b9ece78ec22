"""Judging on a Ray cluster: two nodes on this machine's loopback, one of them killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval import InputError, Judge, Settings

PACKAGE = Path(__file__).resolve().parents[1]
GOLDS = ["SELECT name FROM singer WHERE age > 30", "SELECT count(*) FROM concert"]

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


def _triples(count: int) -> list[tuple[str, str, str]]:
    """Distinct predictions, of which some are right and some come twice."""
    preds = (f"SELECT name FROM singer WHERE age > {number // 2}" for number in range(count))
    return [("music", GOLDS[number % 2], pred) for number, pred in enumerate(preds)]


def _told(outcomes: Any) -> list[tuple[bool, str | None, str | None, float]]:
    return [(one.right, one.error, one.message, one.touched) for one in outcomes]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and one node more."""
    pytest.importorskip("ray", reason="Ray is not installed; run: make setup-ray")
    paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_UV_RUN_RUNTIME_ENV"):
        monkeypatch.setenv(name, "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.add_node(num_cpus=1, object_store_memory=80 << 20)
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made
    ray.shutdown()
    made.shutdown()


def test_two_nodes_give_the_same_verdicts_and_a_killed_one_loses_none(
    cluster: Any, db_dir: Path
) -> None:
    from test_suite_sql_eval.ray_judge import RayJudge

    settings = Settings(jobs=1)
    triples = _triples(6000)
    with Judge(db_dir, settings) as judge:
        expected = _told(judge.score(triples))
    assert {right for right, *_ in expected} == {True, False}
    with RayJudge(db_dir, settings) as judge:
        assert _told(judge.score(triples[:500])) == expected[:500]
        assert len(judge._actors) == 2
        outcomes: dict[int, Any] = {}
        for index, outcome in judge.stream(triples):
            if not outcomes:
                (other,) = cluster.worker_nodes
                cluster.remove_node(other, allow_graceful=False)
            assert index not in outcomes
            outcomes[index] = outcome
        assert _told(outcomes[index] for index in range(len(triples))) == expected
        assert len(judge._actors) == 1
        cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
        cluster.wait_for_nodes()
        assert _told(judge.score(triples[:500])) == expected[:500]
        assert len(judge._actors) == 2  # a machine that joins later judges as well
        with pytest.raises(InputError, match="unknown db_id 'films'"):
            judge.score([("films", "SELECT 1", "SELECT 1")])
        assert judge.score([("music", "SELECT 1", "SELECT 1")])[0].right


def test_without_a_cluster_it_says_how_to_start_one(
    db_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed; run: make setup-ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    from test_suite_sql_eval.ray_judge import RayJudge

    with pytest.raises(InputError, match="ray start --head"):
        RayJudge(db_dir)
