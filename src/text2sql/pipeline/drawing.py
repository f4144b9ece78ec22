"""The drawing of the chain on the README's first screen, made from the stages of a run."""

from __future__ import annotations

from html import escape

from text2sql.pipeline.command import select_run
from text2sql.pipeline.registry import stage_kinds
from text2sql.stage import Graph, upstream

CHAIN = "figs/chain.svg"
LAST = "figures"
COLUMN, ROW = 120, 48  # pixels from one stage to the next
BOX, HEIGHT = 100, 30
MARGIN = 10


def draw_chain(profile: str, rows: str) -> str:
    """Return the stages of a profile's run, from data to charts, as a SVG picture.

    A box is a kind of stage, with what it does as its tooltip; an arrow is what one needs of
    another. Stages that only the optional rows need are dashed.

    Args:
        profile: name of the profile.
        rows: names of the optional rows to draw, with commas.

    Raises:
        UserError: a config is wrong.
    """
    always = _needs(select_run(profile))
    needs = _needs(select_run(profile, rows=rows))
    places = _places(needs)
    boxes = [_box(kind, *places[kind], dashed=kind not in always) for kind in places]
    arrows = [
        _arrow(places[source], places[kind], dashed=kind not in always or source not in always)
        for kind, sources in needs.items()
        for source in sources
    ]
    width = max(x for x, _ in places.values()) + BOX + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            ' font-family="sans-serif" font-size="12">',
            "<title>The stages of make reproduce</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7"'
            ' markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *arrows,
            *boxes,
            "</svg>\n",
        ]
    )


def _needs(graph: Graph) -> dict[str, list[str]]:
    """Kinds of stages behind the charts, each with the kinds it takes its inputs from.

    What reaches a stage by another of its inputs as well is left out, so that arrows do not cross
    the whole picture.
    """
    direct: dict[str, set[str]] = {}
    for stage in (*upstream(graph.stage(LAST)), graph.stage(LAST)):
        sources = direct.setdefault(stage.kind, set())
        sources.update(other.kind for other in stage.inputs.values())

    def behind(kind: str) -> set[str]:
        return direct[kind].union(*map(behind, direct[kind]))

    order = [kind for kind in stage_kinds() if kind in direct]
    return {
        kind: [
            source
            for source in order
            if source in direct[kind] and not any(source in behind(other) for other in direct[kind])
        ]
        for kind in order
    }


def _places(needs: dict[str, list[str]]) -> dict[str, tuple[int, int]]:
    """Where the box of each kind begins: right of all it needs, in the order of a run."""

    def depth(kind: str) -> int:
        return max((1 + depth(source) for source in needs[kind]), default=0)

    columns: dict[int, list[str]] = {}
    for kind in needs:
        columns.setdefault(depth(kind), []).append(kind)
    highest = max(map(len, columns.values()))
    return {
        kind: (
            MARGIN + number * COLUMN,
            MARGIN + (highest - len(kinds)) * ROW // 2 + place * ROW,
        )
        for number, kinds in sorted(columns.items())
        for place, kind in enumerate(kinds)
    }


def _box(kind: str, x: int, y: int, dashed: bool) -> str:
    return (
        f"<g><title>{escape(stage_kinds()[kind].help)}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="5" fill="#e8f1f8"'
        f' stroke="#0072B2"{_dashes(dashed)}/>'
        f'<text x="{x + BOX // 2}" y="{y + HEIGHT // 2 + 4}" text-anchor="middle"'
        f' fill="#111">{escape(kind)}</text></g>'
    )


def _arrow(source: tuple[int, int], target: tuple[int, int], dashed: bool) -> str:
    x, y = source[0] + BOX, source[1] + HEIGHT // 2
    to_x, to_y = target[0], target[1] + HEIGHT // 2
    bend = (COLUMN - BOX) // 2 + 8
    return (
        f'<path d="M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}" fill="none"'
        f' stroke="#555" marker-end="url(#tip)"{_dashes(dashed)}/>'
    )


def _dashes(dashed: bool) -> str:
    return ' stroke-dasharray="4 3"' if dashed else ""
