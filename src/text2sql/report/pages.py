"""The blocks of pages that are written from records, and kept in step with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.paths import repository_root
from text2sql.report.doc_blocks import inference_block, retrieval_block, training_block
from text2sql.report.published_text import seeds_block
from text2sql.report.result_blocks import (
    published_block,
    reference_block,
    results_block,
)

# Of each page the blocks between markers, by name, and what writes them.
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"results": results_block, "published": published_block},
    "README.zh.md": {"results": results_block, "published": published_block},
    "docs/REPRODUCING.md": {"results": reference_block},
    "docs/inference.md": {"results": inference_block},
    "docs/retrieval.md": {"results": retrieval_block},
    "docs/test-suites.md": {"published": seeds_block},
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
        if _in_step(name) != (repository_root() / name).read_text(encoding="utf-8"):
            raise UserError(f"{name}: results are not those in results/; run: make results")


def _in_step(name: str) -> str:
    """Return the text of a page with its blocks as they have to be."""
    path = repository_root() / name
    text = path.read_text(encoding="utf-8")
    for block, written in PAGES[name].items():
        text = _with_block(path, text, markers(block), written())
    return text


def _with_block(path: Path, text: str, marks: tuple[str, str], block: str) -> str:
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise UserError(f"{path}: the markers '{marks[0]}' and '{marks[1]}' are missing")
    return f"{before}{begin}\n\n{block}\n{end}{after}"
