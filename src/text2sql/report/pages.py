"""The blocks of pages that are written from records, and kept in step with them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.paths import repository_root
from text2sql.report import data_blocks, findings
from text2sql.report.board import board_block
from text2sql.report.doc_blocks import inference_block, retrieval_block, training_block
from text2sql.report.published_text import seeds_block
from text2sql.report.result_blocks import (
    all_results_block,
    default_block,
    learning_block,
    published_block,
    reference_block,
    spider_block,
)
from text2sql.report.reward_blocks import rewards_block

# Of each page the blocks between markers, by name, and what writes them.
README: dict[str, Callable[[], str]] = {
    "default": default_block,
    "published": published_block,
    "spider": spider_block,
}
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": README,
    "README.zh.md": README,
    "docs/RESULTS.md": {"results": all_results_block},
    "docs/FINDINGS.md": {
        "lora": findings.lora_block,
        "styles": data_blocks.schema_styles_block,
        "examples": findings.examples_block,
        "quantization": findings.quantization_block,
        "training": findings.training_block,
        "decoding": findings.decoding_block,
    },
    "docs/REPRODUCING.md": {
        "results": reference_block,
        "board": board_block,
        "busy": data_blocks.busy_block,
    },
    "docs/inference.md": {"results": inference_block},
    "docs/retrieval.md": {"results": retrieval_block},
    "docs/data.md": {
        "pruning": data_blocks.pruning_block,
        "linking": data_blocks.linking_block,
        "linking-accuracy": data_blocks.linking_accuracy_block,
        "rate": data_blocks.preparing_block,
        "golds": data_blocks.golds_block,
        "leaks": data_blocks.leaks_block,
        "translated": data_blocks.translated_block,
        "values": data_blocks.values_block,
        "index": data_blocks.index_block,
    },
    "docs/own-data.md": {
        "pairs": data_blocks.pairs_block,
        "asked": data_blocks.asked_block,
        "reuse": data_blocks.reuse_block,
    },
    "docs/serving.md": {
        "inference": data_blocks.inference_block,
        "inference-larger": data_blocks.larger_inference_block,
        "load": data_blocks.load_block,
    },
    "docs/learning.md": {"table": learning_block, "rewards": rewards_block},
    "docs/test-suites.md": {
        "published": seeds_block,
        "forgiven": data_blocks.forgiven_block,
        "curve": data_blocks.curve_block,
    },
    "docs/training.md": {"results": training_block},
}


def markers(name: str) -> tuple[str, str]:
    """Return the lines between which a block of a page stands."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def update_pages() -> None:
    """Write the blocks of every page between their markers."""
    for name in PAGES:
        write_text(repository_root() / name, _in_step(name))


def check_pages() -> None:
    """Raise UserError when a page's blocks are not those that the records give."""
    for name in PAGES:
        if _in_step(name) != _read(name):
            raise UserError(f"{name}: results are not those in results/; run: make results")
    check_translation("README.md", "README.zh.md")


def check_translation(original: str, translation: str) -> None:
    """Raise UserError when a translated page has not the parts of the original, in their order.

    Parts are headings by level, blocks between markers, commands in code blocks, pictures, and the
    rows of tables.
    """
    parts = [_parts(_read(name)) for name in (original, translation)]
    for (line, part), (other_line, other) in zip_longest(*parts, fillvalue=("", "the end")):
        if part != other:
            raise UserError(
                f"{translation}: not in step with {original}: '{other}' {other_line!r} where the"
                f" original has '{part}' {line!r}"
            )


def _parts(text: str) -> list[tuple[str, str]]:
    """The lines of a page that a translation keeps, each with what has to be the same."""
    parts, in_code = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            in_code = not in_code
            parts.append((line, line))
        elif in_code:
            parts.append((line, line.partition("  #")[0].rstrip()))
        elif line.startswith("#"):
            parts.append((line, f"heading of level {len(line.split()[0])}"))
        elif line.startswith(("<!--", "!")):
            parts.append((line, line.rpartition("(")[2] if line.startswith("!") else line))
        elif line.startswith("|"):
            parts.append((line, "row of a table"))
    return parts


def _read(name: str) -> str:
    return (repository_root() / name).read_text(encoding="utf-8")


def _in_step(name: str) -> str:
    """Return the text of a page with its blocks as they have to be."""
    text = _read(name)
    for block, written in PAGES[name].items():
        text = _with_block(name, text, markers(block), written())
    return text


def _with_block(page: str, text: str, marks: tuple[str, str], block: str) -> str:
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise UserError(f"{page}: the markers '{marks[0]}' and '{marks[1]}' are missing")
    inside = f"\n\n{block.strip()}\n\n" if block else "\n"
    return f"{before}{begin}{inside}{end}{after}"
