"""The stages of a profile's quantization: one file, one inference and one evaluation a type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from text2sql.gguf.config import QuantizationConfig
from text2sql.gguf.probes import PERPLEXITY_QUESTIONS
from text2sql.infer.config import load_infer_config
from text2sql.models.gguf_types import F16, f16_name
from text2sql.run import Run
from text2sql.stage import Stage

TABLE = "quantization.md"


def quantization_stages(
    config: QuantizationConfig,
    profile: tuple[str, str, str, str, str],
    folder: Path,
    model: Stage,
    evaluated: Stage,
) -> list[Stage]:
    """Return the stages from a model to its quantization table.

    Args:
        config: row, types and engine.
        profile: name, title, dataset, name of the model, prompt template.
        folder: the run's folder.
        model: the stage whose output is the Hugging Face folder to convert.
        evaluated: the evaluation of the same row unquantized; questions, databases and evaluation
            settings are taken over from it, so that nothing but the model's form differs.
    """
    profile_name, title, dataset, name, template = profile
    stem = f"{name}-{config.row}"
    data = evaluated.inputs["data"]
    before = evaluated.inputs["predictions"]
    # Always those of this environment: llama.cpp is no part of the others.
    settings = {k: v for k, v in before.settings.items() if k != "environment"}
    base = folder / "gguf" / config.row
    infer = load_infer_config(config.infer)
    f16 = Stage(
        f"gguf:{config.row}",
        "gguf",
        {
            "file": f16_name(stem),
            "template": template,
            "types": list(config.types),
            "pretokenizer": config.pretokenizer,
            "perplexity_questions": PERPLEXITY_QUESTIONS,
        },
        base / F16,
        inputs={"model": model, "data": data},
        settings=settings,
    )
    stages: list[Stage] = [f16]
    behind: dict[str, Stage] = {}
    for kind in (F16, *config.types):
        file = f16
        if kind != F16:
            file = Stage(
                f"quantize:{kind}",
                "quantize",
                {
                    "file": f"{stem}-{kind}.gguf",
                    "type": kind,
                    "template": template,
                    "perplexity_questions": PERPLEXITY_QUESTIONS,
                },
                base / kind,
                inputs={"gguf": f16, "data": data},
                settings=settings,
            )
            stages.append(file)
        inferred = Stage(
            f"quantized-infer:{kind}",
            "quantized-infer",
            infer.model_dump(mode="json") | {"template": template},
            base / "infer" / kind,
            inputs={"model": file, "data": data},
            settings=settings,
            seed=infer.seed,
            alone=True,
        )
        judged = replace(
            evaluated,
            name=f"quantized-eval:{kind}",
            kind="quantized-eval",
            output=base / "eval" / kind,
            inputs={"predictions": inferred, "data": data},
        )
        stages += [inferred, judged]
        behind |= {f"file:{kind}": file, f"infer:{kind}": inferred, f"eval:{kind}": judged}
    table = Stage(
        "quantization-table",
        "quantization-table",
        {
            "title": title,
            "profile": profile_name,
            "row": config.row,
            "dataset": dataset,
            "types": [F16, *config.types],
        },
        base / "table",
        inputs=behind,
        code=tuple(
            Path(__file__).parents[1] / "report" / name
            for name in ("quantization.py", "storage.py")
        ),
        settings=settings,
    )
    return [*stages, table]


def table_file(selection: Run) -> Path:
    """Return the file with a run's quantization table."""
    config = selection.profile.quantization
    assert config is not None  # the run that made the table had one
    return selection.folder / "gguf" / config.row / "table" / TABLE
