"""Stages run once, again when something changed, stop cleanly and never leave half an output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from patience import PATIENCE

from text2sql.errors import UserError
from text2sql.pipeline.keys import is_current, stage_key
from text2sql.pipeline.outputs import partial_folder, prepare_partial, publish
from text2sql.pipeline.scheduler import Scheduler
from text2sql.profile import load_profile
from text2sql.records import content_hash, read_manifest, write_manifest
from text2sql.run import Run
from text2sql.stage import Stage


class ScriptScheduler(Scheduler):
    """Runs each stage as a small script in place of the worker."""

    scripts: dict[str, str]

    def command(self, stage: Stage) -> list[str]:
        return [sys.executable, "-c", self.scripts[stage.name]]


def make_stage(folder: Path, name: str, inputs: dict[str, Stage] | None = None, **config) -> Stage:
    return Stage(name, "toy", config, folder / name, inputs or {})


def finish(stage: Stage, text: str = "done") -> None:
    """Do what the worker does, here in the test's process."""
    folder = prepare_partial(stage)
    (folder / "out.txt").write_text(text)
    write_manifest(
        folder,
        stage=stage.name,
        key=str(stage_key(stage)),
        config=stage.config,
        inputs={},
        seed=None,
        started=datetime.now(UTC),
        details={},
    )
    publish(stage)


@pytest.fixture
def runner(build_folder: Path) -> ScriptScheduler:
    made = ScriptScheduler(Run(load_profile("smollm2-135m"), "sample"), workers=2)
    made.scripts = {}
    return made


def test_current_until_config_source_or_input_changes(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("a")
    first = Stage("first", "toy", {"x": 1}, tmp_path / "first", sources=(source,))
    second = make_stage(tmp_path, "second", {"first": first})
    assert not is_current(first)
    assert stage_key(second) is None
    finish(first)
    finish(second)
    assert is_current(first) and is_current(second)

    assert not is_current(Stage("first", "toy", {"x": 2}, first.output, sources=(source,)))
    source.write_text("b")
    assert not is_current(first)
    finish(first, "another output")
    assert is_current(first)
    assert not is_current(second)


def test_same_output_again_leaves_later_stages_current(tmp_path: Path) -> None:
    first = make_stage(tmp_path, "first")
    second = make_stage(tmp_path, "second", {"first": first})
    finish(first)
    finish(second)
    finish(first)
    assert is_current(second)


def test_reports_beside_the_output_are_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("[]")
    (tmp_path / "rejects.jsonl").write_text('{"line": 1}')
    before = content_hash(tmp_path)
    (tmp_path / "rejects.jsonl").write_text('{"place": "a.json: row 1", "line": 1}')
    assert content_hash(tmp_path) == before
    (tmp_path / "train.json").write_text("[{}]")
    assert content_hash(tmp_path) != before


def test_interrupted_work_is_kept_only_while_nothing_changed(tmp_path: Path) -> None:
    stage = make_stage(tmp_path, "a", x=1)
    folder = prepare_partial(stage)
    (folder / "half").write_text("half")
    assert (prepare_partial(stage) / "half").exists()
    assert not stage.output.exists()
    changed = make_stage(tmp_path, "a", x=2)
    assert not (prepare_partial(changed) / "half").exists()


def test_missing_source_is_one_line(tmp_path: Path) -> None:
    stage = Stage("a", "toy", {}, tmp_path / "a", sources=(tmp_path / "none",))
    with pytest.raises(UserError, match="none: not found; stage 'a' reads it"):
        stage_key(stage)


def test_failed_stage_names_its_log_and_leaves_no_output(runner: ScriptScheduler) -> None:
    stage = make_stage(runner.run_meant.folder, "bad")
    runner.scripts["bad"] = "import sys; print('no more room'); sys.exit(3)"
    with pytest.raises(UserError, match=r"'bad' failed \(status 3\): no more room; full log: "):
        runner.run([stage])
    assert not stage.output.exists()
    assert (partial_folder(stage) / "stage.log").read_text() == "no more room\n"


def test_two_runs_at_once_are_refused(runner: ScriptScheduler) -> None:
    stage = make_stage(runner.run_meant.folder, "slow")
    runner.scripts["slow"] = "import time; time.sleep(3600)"
    other = ScriptScheduler(runner.run_meant, workers=1)
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(_failure_of(runner, stage)))
    thread.start()
    _wait_for(lambda: bool(runner.running))
    with pytest.raises(UserError, match="another run is at work"):
        other.run([stage])
    os.killpg(runner.running["slow"].process.pid, signal.SIGKILL)
    thread.join(PATIENCE)
    assert "it was killed, as the system does when memory runs out" in said[0]


def _failure_of(runner: Scheduler, stage: Stage) -> str:
    with pytest.raises(UserError) as failure:
        runner.run([stage])
    return str(failure.value)


def test_independent_stages_run_side_by_side(runner: ScriptScheduler) -> None:
    """Each of two stages waits for the other's mark, so one after the other would never end."""
    folder = runner.run_meant.folder
    folder.mkdir(parents=True)
    wait = "import time, pathlib\npathlib.Path({mine!r}).touch()\n"
    wait += "while not pathlib.Path({other!r}).exists(): time.sleep(0.05)\n"
    a, b = str(folder / "a.mark"), str(folder / "b.mark")
    runner.scripts["a"] = wait.format(mine=a, other=b)
    runner.scripts["b"] = wait.format(mine=b, other=a)
    runner.run([make_stage(folder, "a"), make_stage(folder, "b")])
    assert runner.done == {"a", "b"}


CTRL_C = """
import sys
from text2sql import cli
from text2sql.stage import Stage
from text2sql.run import Run
from text2sql.profile import load_profile
from text2sql.pipeline.scheduler import Scheduler
from pathlib import Path

class R(Scheduler):
    def command(self, stage):
        child = "import time; time.sleep(3600)"
        parent = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        parent += f"open({note!r}, 'w').write(str(p.pid)); p.wait()"
        return [sys.executable, "-c", parent]

@cli.cli.command("toy")
def toy():
    run = Run(load_profile("smollm2-135m"), "sample")
    R(run, 1).run([Stage("s", "toy", {}, run.folder / "s")])

note, sys.argv[1:] = sys.argv[1], ["toy"]
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_leaves_no_orphans(
    tmp_path: Path, build_folder: Path, repository: Path, number: signal.Signals
) -> None:
    note = tmp_path / "grandchild"
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    process = subprocess.Popen(
        [sys.executable, "-c", CTRL_C, str(note)],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait_for(lambda: note.is_file() and note.read_text().isdigit())
    grandchild = int(note.read_text())
    assert _alive(grandchild)
    process.send_signal(number)
    assert process.wait(PATIENCE) == 130
    _wait_for(lambda: not _alive(grandchild))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_manifest_says_how_the_output_came_to_be(tmp_path: Path) -> None:
    stage = make_stage(tmp_path, "a", x=1)
    finish(stage)
    manifest = read_manifest(stage.output)
    assert manifest is not None
    for key in ("config_hash", "inputs", "output_hash", "git", "versions", "hardware", "seed"):
        assert key in manifest
    for key in ("started", "finished", "seconds", "command", "peak_memory_mb"):
        assert manifest[key] is not None
    assert set(manifest["git"]) == {"sha", "dirty"}


def test_a_stage_that_measures_speed_has_the_machine_to_itself(runner: ScriptScheduler) -> None:
    folder = runner.run_meant.folder
    log = folder / "order"
    script = (
        "import time; from pathlib import Path; log = Path({log!r}).open('a');"
        " log.write('+{name} '); log.flush(); time.sleep(0.5); log.write('-{name} ')"
    )
    stages = [
        Stage("a", "toy", {}, folder / "a"),
        Stage("b", "toy", {}, folder / "b", alone=True),
        Stage("c", "toy", {}, folder / "c"),
    ]
    runner.scripts = {s.name: script.format(log=str(log), name=s.name) for s in stages}
    runner.run(stages)
    events = log.read_text().split()
    place = events.index("+b")
    assert events[place + 1] == "-b"
    assert {events[i] for i in range(place)} == {"+a", "-a", "+c", "-c"}
