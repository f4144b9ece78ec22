"""Settings of the web service: address, database, limits."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from text2sql.config import StrictModel, one_of
from text2sql.schema import STYLES
from text2sql.schema.deny import DenyList
from text2sql.schema.render import WITH_VALUES

TOKEN_VARIABLE = "TEXT2SQL_TOKEN"  # the name of a variable, not a secret
MIN_TOKEN_CHARACTERS = 16


class TokenConfig(StrictModel):
    """What a token allows. `sha256` is the token's digest: the token itself is written nowhere.

    `run`: whether queries may be run, or only written. `accept`: whether answers may be accepted,
    from which models learn later. `databases`: names of those it is for; none
    means all. `requests_per_minute` goes before the service's own limit.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    run: bool = True
    accept: bool = False
    databases: tuple[str, ...] = ()
    requests_per_minute: int | None = Field(default=None, ge=1)


class ServeConfig(StrictModel):
    """Where the service listens, what it may be asked, and how much of the machine it may take.

    `db_url` is a SQLite file or an SQLAlchemy URL. `retrieval` names a file of `configs/rag/` (or
    a YAML file); examples found that way then stand in the prompts. `samples` example values a
    column go into the prompt, those that look personal left out unless `personal_data`.
    `max_waiting` questions may wait for the model, of one client `max_waiting_per_client`; more
    are answered 429. The schema of a server is read anew after `schema_seconds`, that of a file
    when the file changes. `trusted_functions` are SQL functions that queries may call besides the
    known ones: only such as read nothing but their arguments. `denied` names what of the database
    nobody may see, each ``table``, ``table.column`` or ``*.column``. `tokens` says by name what
    each caller's token allows; `token` is one that allows all. `requests_per_minute` is of each
    caller, or of each address where no token is asked for. `audit` is a file to which a line is
    added for each question and query. Of earlier questions of a conversation the model sees the
    latest that fit into `history_tokens`; `terms` is a YAML file of business terms, `accepted` the
    file that takes in accepted and corrected answers. With
    `values_index`, the file that ``text2sql database index-values`` wrote, the prompt shows up to
    `values` values of the database that the question seems to mean, beside their types. With
    `schema_budget` the prompt shows so many estimated tokens of the database's schema at most.
    `linker`, the folder of a trained schema linker, says what it can do without, there and where a
    prompt is too long for the model; without one words are compared. `models`
    are names of further models of an OpenAI-compatible server, such as adapters of vLLM, that a
    request may ask for; `database_models` says by a database's name which one is asked about it.
    A GGUF file is answered by llama.cpp in the service, one question at a time, or with
    `llama_server` by llama.cpp's server, a process beside it, `batch_size` of them side by side.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=4060, ge=0, le=65535)
    token: SecretStr | None = None
    tokens: dict[str, TokenConfig] = {}
    requests_per_minute: int | None = Field(default=None, ge=1)
    audit: str | None = None
    db_url: SecretStr | None = None
    schema_style: Annotated[str, one_of(STYLES, "schema style")] = "m-schema"
    retrieval: str | None = None
    samples: int = Field(default=0, ge=0, le=20)
    history_tokens: int = Field(default=512, ge=0)
    terms: str | None = None
    accepted: str | None = None
    values_index: str | None = None
    values: int = Field(default=8, ge=1, le=50)
    schema_budget: int | None = Field(default=None, ge=16)
    linker: str | None = None
    personal_data: bool = False
    max_question_characters: int = Field(default=2000, ge=1)
    max_schema_characters: int = Field(default=100_000, ge=1)
    max_body_bytes: int = Field(default=512_000, ge=1000)
    max_waiting: int = Field(default=64, ge=1)
    max_waiting_per_client: int = Field(default=32, ge=1)
    request_seconds: float = Field(default=120.0, gt=0)
    query_seconds: float = Field(default=10.0, gt=0)
    query_workers: int = Field(default=2, ge=1)
    models: tuple[str, ...] = ()
    database_models: dict[str, str] = {}
    llama_server: bool = False
    trusted_functions: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    max_rows: int = Field(default=1000, ge=1, le=100_000)
    schema_seconds: float = Field(default=60.0, ge=0)
    shutdown_seconds: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _values_can_be_shown(self) -> Self:
        if self.values_index and self.schema_style not in WITH_VALUES:
            known = " or ".join(WITH_VALUES)
            raise ValueError(f"values_index: values are shown by schema_style {known} only")
        return self

    @field_validator("denied")
    @classmethod
    def _reads_as_a_list_of_names(cls, denied: tuple[str, ...]) -> tuple[str, ...]:
        DenyList.parse(denied)
        return denied

    @model_validator(mode="after")
    def _reachable_only_with_token(self) -> Self:
        # Checked here and not at its key, because an error there would show the token.
        if self.token and len(self.token.get_secret_value()) < MIN_TOKEN_CHARACTERS:
            raise ValueError(f"the token must have at least {MIN_TOKEN_CHARACTERS} characters")
        if not is_loopback(self.host) and self.token is None and not self.tokens:
            raise ValueError(
                f"listening on {self.host} lets other machines ask; set {TOKEN_VARIABLE} to a"
                " secret of 16 characters or more, or listen on 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
