"""The drawing of the chain shows the stages of a run, and the committed one is in step."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from text2sql.cli.results import DRAWN_ROWS
from text2sql.paths import repository_root
from text2sql.pipeline.command import select_run
from text2sql.pipeline.drawing import CHAIN, draw_chain
from text2sql.profile import DEFAULT_PROFILE
from text2sql.stage import upstream

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn() -> str:
    return draw_chain(DEFAULT_PROFILE, DRAWN_ROWS)


def boxes(drawing: str) -> dict[str, ElementTree.Element]:
    """The boxes by the name in them."""
    groups = ElementTree.fromstring(drawing).iter(f"{SVG}g")
    return {str(group.findtext(f"{SVG}text")): group for group in groups}


def test_every_stage_of_the_run_has_a_box(drawn: str) -> None:
    graph = select_run(DEFAULT_PROFILE)
    kinds = {stage.kind for stage in upstream(graph.stage("figures"))} | {"figures"}
    shown = boxes(drawn)
    dashed = {kind for kind, box in shown.items() if box[1].get("stroke-dasharray")}
    assert dashed == {"knowledge-base", "retrieve"}
    assert set(shown) == kinds | dashed
    assert shown["eval"].findtext(f"{SVG}title") == "judge the answers by executing them"


def test_a_stage_stands_right_of_all_it_needs(drawn: str) -> None:
    place = {kind: int(box[1].attrib["x"]) for kind, box in boxes(drawn).items()}
    graph = select_run(DEFAULT_PROFILE, rows=DRAWN_ROWS)
    for stage in upstream(graph.stage("figures")):
        for source in stage.inputs.values():
            assert place[source.kind] < place[stage.kind]
    ends = re.findall(r'd="M(\d+) \d+C.* (\d+) \d+" fill="none"', drawn)
    assert len(ends) >= len(place) - 1 and all(int(begin) < int(end) for begin, end in ends)


def test_the_committed_drawing_is_in_step(drawn: str) -> None:
    assert (repository_root() / CHAIN).read_text(encoding="utf-8") == drawn
