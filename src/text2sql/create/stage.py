"""The work of ``database create-data``: connect, extract, plan, generate, validate, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from text2sql.chat import ChatClient
from text2sql.create.accepted import read_accepted
from text2sql.create.cards import render_cards
from text2sql.create.export import export
from text2sql.create.generator import Grammar, Pair
from text2sql.create.llm import LlmWriter
from text2sql.create.nouns import Language
from text2sql.create.topics import Topic, plan_offline
from text2sql.data.snapshot import Snapshot, read_snapshot
from text2sql.errors import UserError
from text2sql.files import PARTIAL, atomic_directory, write_jsonl, write_text
from text2sql.paths import build_root
from text2sql.progress import PROGRESS, Progress, answer_bar
from text2sql.records import canonical_hash, write_manifest
from text2sql.schema import read_schema
from text2sql.schema.connect import parse_url, sql_dialect
from text2sql.sql.database import Database
from text2sql.sql.validate import Validator

SAMPLES = 20  # example values a column: what conditions are made from
CARD_BUDGET = 6000  # tokens of table cards in one prompt


@dataclass(frozen=True)
class CreateOptions:
    """What to make, from what. `llm` None means the offline generator.

    `accepted` is a file of pairs from the web service, which come in besides.

    One of `url` and `snapshot` is needed; without `url` nothing is executed.
    """

    url: str | None
    snapshot: Path | None = None
    output: Path | None = None
    db_id: str | None = None
    total: int = 1000
    languages: tuple[Language, ...] = ("en",)
    dev_share: float = 0.1
    timeout: float = 10.0
    personal_data: bool = False
    seed: int = 42
    llm: ChatClient | None = None
    accepted: Path | None = None


def create_data(options: CreateOptions) -> tuple[Path, dict[str, Any]]:
    """Make checked training data from a private database.

    Returns:
        The folder written and its summary.

    Raises:
        UserError: the database, the snapshot or the endpoint cannot be used, or gives too little.
    """
    started = datetime.now(UTC)
    snapshot = take_snapshot(options)
    schema = snapshot.schema
    output = options.output or build_root() / "own" / schema.db_id
    opened = Database(options.url, options.timeout) if options.url else nullcontext()
    with opened as database:
        validator = Validator(schema, snapshot.dialect, database)
        if options.llm is None:
            grammar = Grammar(schema, snapshot.dialect, validator, options.languages, options.seed)
            topics = plan_offline(schema, options.total)
            with _progress_bar(options.total, output) as (take, _):
                pairs = take(grammar.generate(topics))
            details: dict[str, Any] = {"generator": "grammar", "drafts": dict(grammar.counts)}
        else:
            topics, pairs, details = _ask_model(options, options.llm, snapshot, validator, output)
        if options.accepted:
            kept, counts = read_accepted(options.accepted, schema, snapshot.dialect, validator)
            known = {pair.question for pair in kept}
            pairs = [*kept, *(pair for pair in pairs if pair.question not in known)]
            details["accepted"] = counts
    if not pairs:
        why = f"{details['rejects']} says why" if "rejects" in details else details
        raise UserError(f"{schema.db_id}: no pair could be made; {why}")
    details["wanted"] = options.total
    details["plan"] = [asdict(topic) for topic in topics]
    config = {
        "total": options.total,
        "languages": list(options.languages),
        "dev_share": options.dev_share,
        "generator": details["generator"],
    }
    with atomic_directory(output) as folder:
        summary = export(
            pairs,
            snapshot,
            folder,
            output,
            options.url,
            dev_share=options.dev_share,
            seed=options.seed,
            details=details,
        )
        _write_cards(folder, snapshot, topics)
        write_manifest(
            folder,
            stage="create-data",
            key=canonical_hash([config, snapshot.hash, options.seed]),
            config=config,
            inputs={"snapshot": snapshot.hash},
            seed=options.seed,
            started=started,
            details={k: summary[k] for k in ("pairs", "train", "dev", "removed_as_leaks")},
        )
    return output, summary


def take_snapshot(options: CreateOptions) -> Snapshot:
    """Read the schema from the snapshot file, if one is named, else from the database."""
    if options.snapshot:
        snapshot = read_snapshot(options.snapshot)
        if options.url and sql_dialect(parse_url(options.url)) != snapshot.dialect:
            raise UserError(f"{options.snapshot}: is of a {snapshot.dialect} database")
        return snapshot
    if not options.url:
        raise UserError("name a database (make create-data DB_URL=...) or a snapshot of one")
    schema = read_schema(
        options.url,
        SAMPLES,
        personal_data=options.personal_data,
        db_id=options.db_id,
        details=True,
        timeout=options.timeout,
    )
    return Snapshot(schema)


def _ask_model(
    options: CreateOptions,
    client: ChatClient,
    snapshot: Snapshot,
    validator: Validator,
    output: Path,
) -> tuple[list[Topic], list[Pair], dict[str, Any]]:
    """Return a language model's topics and pairs, and what it told; what it wrote in vain is kept.

    Raises:
        UserError: the endpoint fails, or gives no plan.
    """
    log, rejects = (output.with_name(f"{output.name}.{name}.jsonl") for name in ("llm", "rejects"))
    with _progress_bar(options.total, output) as (take, listen):
        writer = LlmWriter(client, snapshot, validator, log, options.languages, listen)
        topics = writer.plan(render_cards(snapshot.schema, CARD_BUDGET), options.total)
        pairs = take(writer.generate(topics))
    write_jsonl(rejects, writer.rejects)
    details = {"generator": f"llm:{client.model}", "llm": writer.report()}
    return topics, pairs, details | {"rejects": str(rejects)}


@contextmanager
def _progress_bar(
    total: int, output: Path
) -> Iterator[tuple[Callable[[Iterator[Pair]], list[Pair]], Callable[[str], None]]]:
    """Give a function that takes all pairs and one that listens to a model's answers.

    How many pairs there are, and how long the answer is that is being written, is told on stderr;
    the pairs also, as a stage does, in a file.
    """
    folder = output.with_name(output.name + PARTIAL)
    progress = Progress(folder)
    bar, listen = answer_bar(total, "pair")
    with bar:

        def take(pairs: Iterator[Pair]) -> list[Pair]:
            made = []
            for pair in pairs:
                made.append(pair)
                bar.update()
                progress.update(len(made), total, "pairs")
            return made

        try:
            yield take, listen
        finally:
            (folder / PROGRESS).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()


def _write_cards(folder: Path, snapshot: Snapshot, topics: list[Topic]) -> None:
    """Write the table cards, for people: what a language model is, or would be, shown."""
    lines = [f"topic {t.name} ({t.count} pairs): {', '.join(t.tables)}" for t in topics]
    cards = render_cards(snapshot.schema, CARD_BUDGET)
    write_text(folder / "cards.txt", "\n\n".join(["\n".join(lines), *cards]) + "\n")
