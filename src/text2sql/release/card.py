"""The card of a tuned model, as Markdown with the hub's metadata, from the record of its run."""

from __future__ import annotations

from typing import Any

from huggingface_hub import ModelCardData

from text2sql.artifacts import RECORD
from text2sql.data.config import DataConfig
from text2sql.data.stage import data_config
from text2sql.files import write_text
from text2sql.infer.config import load_infer_config
from text2sql.profile import ModelConfig
from text2sql.prompt import load_template, render_messages, render_text
from text2sql.release.contents import CARD, Release
from text2sql.report import quantization
from text2sql.report.formats import Table, markdown_text
from text2sql.report.record import commits, outcomes
from text2sql.report.table import accuracy_table, caption
from text2sql.report.uncertainty import evidence_table, standard_error
from text2sql.schema import Column, Schema, render_schema
from text2sql.schema import Table as SchemaTable

SINGER = (Column("id", "INTEGER", primary_key=True), Column("name"), Column("age", "INTEGER"))
EXAMPLE = Schema("music", (SchemaTable("singer", SINGER),))
EXAMPLE_QUESTION = "How many singers are older than 30?"


PLACEHOLDER = "OWNER/NAME"  # of a model that has no place on the hub yet


def write_card(release: Release, repository: str = PLACEHOLDER) -> None:
    """Write the card into the release's folder.

    Raises:
        UserError: a config that the run names is missing or wrong.
    """
    write_text(release.folder / CARD, model_card(release, repository))


def model_card(release: Release, repository: str = PLACEHOLDER) -> str:
    """Return the card: use, data, recipe, results, limits and licence.

    Args:
        release: the row, its record and its files.
        repository: the model's name on the hub, for the example.
    """
    model, data = release.graph.run.profile.model, data_config(release.graph.run)
    record = _compared(release)
    databases = record["database_set"]
    parts = [
        f"---\n{_metadata(release, model)}\n---",
        f"# {model.title}, {release.row.label}, for text-to-SQL",
        f"[{model.title}]({_page(model)}) tuned to write one SQL query for a question about a"
        " database, whose schema stands in the prompt. Every number below is written by the code"
        f" from the record of the run, [{RECORD}]({RECORD}).",
        "## Use",
        _use(release, data, repository),
        "## Data",
        _data(release, data),
        "## Recipe",
        _recipe(release),
        "## Results",
        f"{record['title']}, dataset {record['dataset']}, {len(record['levels']):,} questions:"
        f" {caption(record)}",
        markdown_text(accuracy_table(record)),
        markdown_text(evidence_table(record)),
        f"{len(databases['databases'])} databases, SHA-256 {databases['sha256'][:12]}. SE: standard"
        f" error; p by the exact McNemar test. {_decoding(release)}",
        *([quantization.render(release.quantization)] if release.quantization else []),
        "## Limits",
        _limits(release, record, data),
        "## Licence",
        _licence(model, data, record["dataset"]),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _metadata(release: Release, model: ModelConfig) -> str:
    """What the hub reads of a card."""
    return ModelCardData(
        base_model=model.path_or_hub_id,
        library_name="transformers",
        license=model.license,
        pipeline_tag="text-generation",
        tags=["text-to-sql", *(["gguf"] if release.gguf else [])],
    ).to_yaml()


def _page(model: ModelConfig) -> str:
    return f"https://huggingface.co/{model.path_or_hub_id}"


def _compared(release: Release) -> dict[str, Any]:
    """The record with two rows at most: the base model asked the same way, and this one."""
    run, name = release.graph.run, release.row.name
    untrained = [
        row.name
        for row in run.rows
        if row.recipe is None and row.retrieval == release.row.retrieval
    ]
    kept = {name, *untrained[:1]}
    return release.record | {"rows": [r for r in release.record["rows"] if r["name"] in kept]}


def _use(release: Release, data: DataConfig, repository: str) -> str:
    """The prompt, byte for byte, in a program that runs."""
    template = load_template(release.graph.run.profile.model.template, release.model.output)
    infer = load_infer_config(release.row.infer or release.graph.run.profile.infer)
    schema = render_schema(EXAMPLE, data.schema_style)
    prompt = render_text(render_messages(EXAMPLE_QUESTION, schema, data.system), template)
    lines = "\n".join(f"    {line!r}" for line in prompt.splitlines(keepends=True))
    gguf = [path for path, _ in release.files() if path.endswith(".gguf")]
    notes = [
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'MODEL = "{repository}"\n'
        f"PROMPT = (\n{lines}\n)\n"
        "tokenizer = AutoTokenizer.from_pretrained(MODEL)\n"
        "model = AutoModelForCausalLM.from_pretrained(MODEL)\n"
        'read = tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False)\n'
        f"most = {infer.max_new_tokens}\n"
        "written = model.generate(**read, max_new_tokens=most, do_sample=False)\n"
        'answer = written[0, read["input_ids"].shape[1] :]\n'
        "print(tokenizer.decode(answer, skip_special_tokens=True))\n"
        "```",
        "The prompt is the one that the model was trained on: keep its words, its line ends and"
        f" the form of the schema (`{data.schema_style}`), and put in a schema and question of"
        " yours.",
    ]
    if release.adapter:
        notes.append("The adapter by itself, for PEFT and vLLM, is in `adapter/`.")
    if gguf:
        names = ", ".join(f"`{path}`" for path in gguf)
        notes.append(
            f"For llama.cpp, Ollama and LM Studio: {names}, each with what to set beside it."
        )
    return "\n\n".join(notes)


def _data(release: Release, data: DataConfig) -> str:
    stage = release.record["stages"]["data"]
    counts, config = stage["details"], stage["config"]
    levels = ", ".join(config["decontamination"]["levels"])
    return (
        f"Dataset {release.record['dataset']}: {counts['train_rows']:,} training rows of"
        f" {counts['rows_read']:,} read; {counts['rejected']:,} were malformed and"
        f" {counts['removed_as_leaks']:,} gave an evaluation question away (levels: {levels})."
        f" {counts['evaluation_questions']:,} evaluation questions. SHA-256 of the prepared data:"
        f" {stage['output_hash'][:12]}."
    )


def _recipe(release: Release) -> str:
    """The keys of the training and what it took."""
    stages = release.record["stages"]
    name, _ = release.graph.run.training(release.row)
    stage = stages[f"train:{name}"]
    config, measured, machine = stage["config"], stage["details"], stage["hardware"]
    keys = {"method": config["method"]} | config["launch"] | config["llamafactory"]
    keys |= {"shared_schema": config["shared_schema"]} if config.get("shared_schema") else {}
    table = Table(
        ["Key", "Value"],
        [[f"`{key}`", str(value)] for key, value in keys.items() if value not in (None, {})],
    )
    gpus = f", {len(machine['gpus'])} x {machine['gpus'][0]}" if machine["gpus"] else ""
    versions = ", ".join(
        f"{name} {stage['versions'][name]}"
        for name in ("python", "torch", "transformers", "peft", "llamafactory")
        if name in stage["versions"]
    )
    source = stages["model"]["details"].get("source")
    return "\n\n".join(
        [
            f"Base weights: {source}." if source else "",
            markdown_text(table),
            f"{measured['steps']} steps, {stage['seconds'] / 60:.0f} minutes on {machine['cores']}"
            f" cores of {machine['cpu']}{gpus}, {stage['peak_memory_mb'] / 1024:.1f} GB of memory;"
            f" loss {measured['first_loss']:.3f} at first, {measured['last_loss']:.3f} at last."
            f" {versions}; commit {', '.join(commits(release.record))}.",
        ]
    ).strip()


def _decoding(release: Release) -> str:
    """How the answers of the table were made."""
    config = release.record["stages"][f"infer:{release.row.name}"]["config"]
    extras = {
        "with every name from the tables of its query": config["decoding"].get("scope"),
        "under a grammar": config["decoding"]["grammar"],
        "with a second try after an error": config["decoding"]["repair"],
        f"by a vote of {config['decoding']['samples']}": config["decoding"]["samples"] > 1,
        "with retrieved examples in the prompt": release.row.retrieval,
    }
    how = [text for text, used in extras.items() if used]
    return (
        f"The row's answers: {config['engine']}, {config['dtype']}, temperature"
        f" {config['temperature']:g}{''.join(f', {text}' for text in how)}."
    )


def _limits(release: Release, record: dict[str, Any], data: DataConfig) -> str:
    row = next(row for row in record["rows"] if row["name"] == release.row.name)
    answered = outcomes(record, row)
    share = sum(answered) / len(answered)
    error = 100 * standard_error(share, len(answered))
    failing = 100 * (1 - row["further_metrics"]["execution_success"])
    model = release.graph.run.profile.model
    return "\n".join(
        f"- {text}"
        for text in (
            f"{100 * (1 - share):.1f} % ± {error:.1f} of the answers above are wrong,"
            f" {failing:.1f} % do not run. An answer that runs may still be wrong: show the SQL,"
            " and run it with a user who may only read.",
            "It was judged by the rows that queries return, on these databases alone. Others, other"
            " languages, other ways of asking and longer schemas were not measured.",
            "It writes the SQL that it was trained on, SQLite's."
            if data.parse_sql
            else "It writes the SQL dialect of its training data.",
            f"What {model.title} was trained on is not known. Where it has read the evaluation"
            f" questions of {record['dataset']} these numbers are too good.",
        )
    )


def _licence(model: ModelConfig, data: DataConfig, dataset: str) -> str:
    of_model = f"is under `{model.license}`" if model.license else "names its licence on its page"
    of_data = (
        f"The training rows ({dataset}) are under `{data.license}`."
        if data.license
        else f"The config of the training rows ({dataset}) names no licence."
    )
    return (
        f"[{model.title}]({_page(model)}) {of_model}; what is tuned from it may be used as that"
        f" allows. {of_data}"
    )
