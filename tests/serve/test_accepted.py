"""Answers that people accept or correct become training data."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import PATIENCE

from tests.serve.conftest import Server
from tests.serve.test_access import READER
from tests.serve.tiny import ANSWERS
from text2sql.create.stage import CreateOptions, create_data
from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_jsonl
from text2sql.serve.accepted import AcceptedPairs

Start = Callable[..., Server]
QUESTION = "How many bikes are there?"
RIGHT = {"question": QUESTION, "sql": ANSWERS[QUESTION]}


def accept(server: Server, token: str = "", **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = f"{server.url}/accepted"
    return httpx.post(address, json=RIGHT | body, headers=headers, timeout=PATIENCE)


def test_what_passes_the_checks_is_kept(start: Start, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    server = start(database, accepted=str(path))
    assert server.get("/info").json()["accepts"] is True
    assert accept(server).json() == {"kept": True}
    turn = {"question": "Which?", "sql": "SELECT 1"}
    accept(server, sql="SELECT count(*) FROM shop", corrected=True, history=[turn])
    for wrong in ("SELECT colour FROM bike", "DROP TABLE shop", "", "SELECT 1; SELECT 2"):
        assert accept(server, sql=wrong).status_code == 422
    assert accept(server, question=" ").status_code == 422
    assert accept(server, question="x" * 3000).status_code == 413
    first, second = read_jsonl(path)
    assert (first["sql"], first["corrected"], first["history"]) == (RIGHT["sql"], False, [])
    assert (first["db_id"], first["caller"]) == ("shops", "anyone")
    assert (second["corrected"], second["history"]) == (True, [turn])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_needs_the_right_to_accept(start: Start, database: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "accepted.jsonl")
    tokens = {"reader": {"sha256": READER[1]}}
    assert accept(start(database), READER[0]).status_code == 404
    server = start(database, accepted=path, tokens=tokens)
    assert accept(server).status_code == 401
    assert accept(server, READER[0]).status_code == 403
    server = start(database, accepted=path, tokens={"reader": tokens["reader"] | {"accept": True}})
    assert accept(server, READER[0]).status_code == 200
    with pytest.raises(UserError, match="accepted: "):
        AcceptedPairs(str(tmp_path / "nowhere" / "file"))


def test_accepted_pairs_come_into_training_data(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    pair = {"db_id": "shops", "history": [], "question": "Bikes?", "sql": "SELECT 1"}
    rows = [
        pair,
        pair | {"sql": "SELECT count(*) FROM bike"},
        pair | {"db_id": "other"},
        pair | {"question": "Only those?", "history": [{"question": "x", "sql": "SELECT 1"}]},
        pair | {"question": "Colours?", "sql": "SELECT colour FROM bike"},
        pair | {"question": "有多少商店？", "sql": "SELECT count(*) FROM shop"},
    ]
    write_jsonl(path, rows)
    options = CreateOptions(str(database), output=tmp_path / "own", total=30, accepted=path)
    folder, summary = create_data(options)
    assert summary["accepted"] == {
        "replaced by a later one": 1,
        "of another database": 1,
        "goes on from another question": 1,
        "rejected (schema)": 1,
        "kept": 2,
    }
    kept = [row for row in read_jsonl(folder / "pairs.jsonl") if row["source"] == "accepted"]
    assert {row["question"] for row in kept} <= {"Bikes?", "有多少商店？"}
    leaks = sum(summary["removed_as_leaks"].values())
    assert len(kept) + leaks >= 2
    path.write_text(json.dumps({"question": "x"}) + "\n")
    with pytest.raises(UserError, match=r"accepted\.jsonl:1: no question, sql"):
        create_data(options)
