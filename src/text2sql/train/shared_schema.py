"""Shared-schema training: a schema once, and each question about it a branch of the same sequence.

Text-to-SQL rows about one database begin with the same schema, which is most of their tokens. Here
they become one sequence: what all of them begin with, then what each goes on with. A branch attends
to the shared beginning and to itself, and its positions go on from there, so that loss and
gradients are those of the plain rows in one batch, at a fraction of the tokens.

LLaMA-Factory has the place for it: `install` puts our rows, batches and attention where its packed
rows and their mask would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from text2sql.prompt import shared_text

if TYPE_CHECKING:
    import torch

IGNORED = -100  # label of tokens that are no targets, as in torch and LLaMA-Factory
ATTENTION = "shared_schema"  # our attention's name among those of transformers
SHARED = 1  # branch number of what is shared; the branches count from 2


@dataclass(frozen=True)
class TokenRow:
    """A tokenized row: `ids` and, for each, the label it is trained to be or `IGNORED`."""

    ids: list[int]
    labels: list[int]

    @property
    def shareable(self) -> int:
        """Tokens at the beginning that may be shared: all of the prompt but its last one.

        A branch has to begin with a token that is no target, since what predicts the first target
        of a branch must be in the branch.
        """
        targets = sum(1 for _ in takewhile(lambda label: label == IGNORED, self.labels))
        return max(0, targets - 1)


@dataclass
class Group:
    """Rows that become one sequence, and how many tokens all of them begin with."""

    rows: list[TokenRow]
    shared: int

    @classmethod
    def of(cls, row: TokenRow) -> Group:
        """Return the group of one row."""
        return cls([row], row.shareable)

    def with_row(self, row: TokenRow) -> Group:
        """Return the group with one more row."""
        most = min(self.shared, row.shareable)
        first = self.rows[0].ids
        shared = next((i for i in range(most) if first[i] != row.ids[i]), most)
        return Group([*self.rows, row], shared)

    @property
    def tokens(self) -> int:
        """Length of the sequence."""
        return self.shared + sum(len(row.ids) - self.shared for row in self.rows)

    def sequence(self) -> dict[str, list[int]]:
        """Return the sequence in LLaMA-Factory's keys; `attention_mask` holds branch numbers."""
        first, shared = self.rows[0], self.shared
        ids, labels = first.ids[:shared], [IGNORED] * shared
        branches, positions = [SHARED] * shared, list(range(shared))
        for number, row in enumerate(self.rows, start=SHARED + 1):
            ids += row.ids[shared:]
            labels += row.labels[shared:]
            branches += [number] * (len(row.ids) - shared)
            positions += range(shared, len(row.ids))
        return {
            "input_ids": ids,
            "labels": labels,
            "attention_mask": branches,
            "position_ids": positions,
        }


def group_rows(rows: Iterable[tuple[Any, TokenRow]], cutoff: int) -> list[Group]:
    """Put rows together that share a schema, as many as a sequence holds.

    Args:
        rows: each with a key that is equal for rows about the same schema.
        cutoff: most tokens of a sequence; a row that is longer makes one of its own.

    Returns:
        The groups, in the order of their first rows.
    """
    groups: list[Group] = []
    open_groups: dict[Any, int] = {}
    for key, row in rows:
        if key in open_groups:
            larger = groups[open_groups[key]].with_row(row)
            if larger.tokens <= cutoff:
                groups[open_groups[key]] = larger
                continue
        open_groups[key] = len(groups)
        groups.append(Group.of(row))
    return groups


@dataclass(frozen=True)
class Layout:
    """Where the parts of a sequence are.

    Attributes:
        shared: how many tokens all branches begin with.
        places: place of each branch's tokens, shape (branches, longest); filled with its first.
        lengths: tokens of each branch of its own, shape (branches, 1).
    """

    shared: int
    places: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def of(cls, branches: torch.Tensor) -> Layout:
        """Read the layout off the branch numbers of a sequence, shape (tokens,)."""
        import torch

        counts = branches.unique_consecutive(return_counts=True)[1]
        shared = int(counts[0]) if int(branches[0]) == SHARED else 0
        lengths = counts[1:] if shared else counts
        starts = shared + lengths.cumsum(0) - lengths
        steps = torch.arange(int(lengths.max()), device=branches.device)
        lengths = lengths[:, None]
        return cls(shared, starts[:, None] + steps * (steps < lengths), lengths)

    def visible(self) -> torch.Tensor:
        """Which of the shared and its own tokens each token of a branch sees.

        Shape (branches, 1, longest, shared + longest).
        """
        import torch

        branches, longest = self.places.shape
        own = torch.ones(longest, longest, dtype=torch.bool, device=self.places.device).tril()
        shared = own.new_ones(branches, 1, longest, self.shared)
        return torch.cat([shared, own.expand(branches, 1, longest, longest)], dim=-1)

    def written(self) -> torch.Tensor:
        """Which of `places` are no filling, shape (branches, longest)."""
        import torch

        steps = torch.arange(self.places.shape[1], device=self.places.device)
        return steps < self.lengths


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_unused: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one sequence with branches, as transformers' attention functions are called.

    The shared beginning attends to itself; each branch, as a row of a batch, to the beginning and
    to itself. A mask over the whole sequence would give the same and cost several times as much.

    Args:
        module: the attention layer.
        query: shape (1, heads, tokens, head size).
        key: shape (1, key heads, tokens, head size).
        value: as `key`.
        attention_mask: the branch numbers, shape (1, 1, 1, tokens).
        dropout: share of attention weights that is dropped.
        scaling: of the scores; by default one over the root of the head size.

    Returns:
        What the tokens attended to, shape (1, tokens, heads, head size), and no weights.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    layout = Layout.of(attention_mask[0, 0, 0])
    shared, branches = layout.shared, len(layout.places)
    grouped = query.device.type == "cpu"  # on GPUs no fast kernel takes a mask and fewer keys
    if not grouped:
        copies = query.shape[1] // key.shape[1]
        key, value = (states.repeat_interleave(copies, 1) for states in (key, value))
    attention = partial(
        scaled_dot_product_attention,
        dropout_p=dropout if module.training else 0.0,
        scale=scaling,
        enable_gqa=grouped,
    )

    def own(states: torch.Tensor) -> torch.Tensor:
        rows = states[0].index_select(1, layout.places.flatten())
        return rows.unflatten(1, layout.places.shape).transpose(0, 1)

    def seen(states: torch.Tensor) -> torch.Tensor:
        return torch.cat([states[:, :, :shared].expand(branches, -1, -1, -1), own(states)], dim=2)

    of_branches = attention(own(query), seen(key), seen(value), attn_mask=layout.visible())
    parts = [of_branches.transpose(1, 2)[layout.written()]]
    if shared:
        first = [states[:, :, :shared] for states in (query, key, value)]
        parts.insert(0, attention(*first, is_causal=True)[0].transpose(0, 1))
    return torch.cat(parts)[None], None


def batch_of(sequence: dict[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Return the model's arguments for one sequence.

    Logits are asked for where a target is to be predicted and nowhere else: with a vocabulary of
    150,000 they would cost a quarter of the training.
    """
    import torch

    labels = torch.tensor(sequence["labels"])
    targets = torch.nn.functional.pad(labels, (0, 1), value=IGNORED)[1:]
    predicting = (targets != IGNORED).nonzero()[:, 0]
    return {
        "input_ids": torch.tensor(sequence["input_ids"])[None],
        "position_ids": torch.tensor(sequence["position_ids"])[None],
        "attention_mask": torch.tensor(sequence["attention_mask"])[None, None, None],
        "labels": labels[None],  # the trainer counts the targets of a step by them
        "shift_labels": targets[predicting][None],
        "logits_to_keep": predicting,
    }


def install() -> None:
    """Make LLaMA-Factory in this process train on shared schemas where it would pack rows."""
    from llamafactory.data import loader
    from llamafactory.data.collator import SFTDataCollatorWith4DAttentionMask
    from llamafactory.data.processor import SupervisedDatasetProcessor
    from llamafactory.train.sft import workflow
    from transformers import AttentionInterface

    class Processor(SupervisedDatasetProcessor):
        def preprocess_dataset(self, examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
            encoded = super().preprocess_dataset(examples)
            return _columns(examples, encoded, self.data_args.cutoff_len)

    class Collator(SFTDataCollatorWith4DAttentionMask):
        def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
            (sequence,) = features  # the recipe's check says so before
            return batch_of(sequence)

    def load_model(*arguments: Any, **options: Any) -> Any:
        model = load_as_usual(*arguments, **options)
        getattr(model, "get_base_model", lambda: model)().set_attn_implementation(ATTENTION)
        return model

    AttentionInterface.register(ATTENTION, attend)
    load_as_usual = workflow.load_model
    workflow.load_model = load_model
    workflow.SFTDataCollatorWith4DAttentionMask = Collator
    loader.PackedSupervisedDatasetProcessor = Processor


def _columns(
    examples: dict[str, list[Any]], encoded: dict[str, list[list[int]]], cutoff: int
) -> dict[str, list[list[int]]]:
    """Return the sequences that LLaMA-Factory's encoded rows become, as columns of a dataset."""
    prompts = zip(examples["_system"], examples["_prompt"], strict=True)
    keys = [(system, shared_text(turns[0]["content"])) for system, turns in prompts]
    rows = map(TokenRow, encoded["input_ids"], encoded["labels"])
    groups = group_rows(zip(keys, rows, strict=True), cutoff)
    before, after = sum(map(len, encoded["input_ids"])), sum(group.tokens for group in groups)
    print(
        f"shared schemas: {len(keys)} rows of {before} tokens became {len(groups)} sequences of"
        f" {after} tokens, a factor of {before / after:.2f}",
        flush=True,
    )
    sequences = [group.sequence() for group in groups]
    return {name: [sequence[name] for sequence in sequences] for name in sequences[0]}
