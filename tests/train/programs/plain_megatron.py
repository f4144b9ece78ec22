"""Full fine-tuning by plain megatron-core, tensor parallel, beside Hugging Face; run by torchrun.

Usage: torchrun --nproc_per_node N plain_megatron.py MODEL RESULT.json STEPS [sequence-parallel]

Each rank trains its share of the model; rank 0 trains the whole one with transformers and AdamW as
well, on the same rows, and writes losses, gradient norms and differences of the weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import megatron_cpu
import torch
import torch.distributed as dist
import torch.nn.functional as functional
from megatron_layout import to_hugging_face, to_megatron
from transformers import AutoModelForCausalLM

megatron_cpu.install()

from megatron.core import parallel_state, tensor_parallel  # noqa: E402
from megatron.core.distributed import (  # noqa: E402
    DistributedDataParallel,
    DistributedDataParallelConfig,
    finalize_model_grads,
)
from megatron.core.models.gpt import GPTModel  # noqa: E402
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec  # noqa: E402
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer  # noqa: E402
from megatron.core.pipeline_parallel import get_forward_backward_func  # noqa: E402
from megatron.core.transformer.transformer_config import TransformerConfig  # noqa: E402

LENGTH, ROWS, RATE, TOKENS = 96, 2, 1e-3, 64


def build(config: Any, ranks: int, sequence_parallel: bool) -> tuple[Any, Any]:
    """Megatron's GPT model in the shape of a Qwen3 config."""
    shape = TransformerConfig(
        num_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        ffn_hidden_size=config.intermediate_size,
        num_attention_heads=config.num_attention_heads,
        num_query_groups=config.num_key_value_heads,
        kv_channels=config.head_dim,
        normalization="RMSNorm",
        layernorm_epsilon=config.rms_norm_eps,
        qk_layernorm=True,
        gated_linear_unit=True,
        activation_func=functional.silu,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        tensor_model_parallel_size=ranks,
        sequence_parallel=sequence_parallel,
        use_cpu_initialization=True,
        params_dtype=torch.float32,
        pipeline_dtype=torch.float32,
        bias_activation_fusion=False,
        masked_softmax_fusion=False,
        apply_rope_fusion=False,
        gradient_accumulation_fusion=False,
        persist_layer_norm=False,
    )
    model = GPTModel(
        shape,
        get_gpt_layer_local_spec(qk_layernorm=True, normalization="RMSNorm"),
        vocab_size=config.vocab_size,
        max_sequence_length=config.max_position_embeddings,
        position_embedding_type="rope",
        rotary_base=config.rope_parameters["rope_theta"],
        share_embeddings_and_output_weights=config.tie_word_embeddings,
    )
    return shape, model


def load(model: Any, weights: dict[str, torch.Tensor], tied: bool) -> None:
    """Fill a rank's model; nothing may be left over, nothing missing but kernels' extra state."""
    result = model.load_state_dict(weights, strict=False)
    allowed = {"output_layer.weight"} if tied else set()
    missing = {key for key in result.missing_keys if "_extra_state" not in key} - allowed
    if result.unexpected_keys or missing:
        raise RuntimeError(f"unexpected {result.unexpected_keys}, missing {missing}")


def gathered(model: Any, config: Any) -> dict[str, torch.Tensor]:
    """The whole model's weights under Hugging Face's names, on every rank."""
    own = {k: v.detach().clone() for k, v in model.state_dict().items() if torch.is_tensor(v)}
    shares: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(shares, own)
    return to_hugging_face(shares, config)


def difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    if ours.keys() != theirs.keys():
        raise RuntimeError(f"other weights: {ours.keys() ^ theirs.keys()}")
    return max((ours[name] - theirs[name]).abs().max().item() for name in theirs)


def main() -> None:
    source, result, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    parallel_state.initialize_model_parallel(tensor_model_parallel_size=ranks)
    tensor_parallel.model_parallel_cuda_manual_seed(42)
    reference = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).train()
    config = reference.config
    shape, model = build(config, ranks, "sequence-parallel" in sys.argv)
    weights = reference.state_dict()
    load(model, to_megatron(weights, config, rank, ranks), config.tie_word_embeddings)
    found: dict[str, Any] = {"round_trip": difference(gathered(model, config), weights)}

    wrapped = DistributedDataParallel(
        shape, DistributedDataParallelConfig(use_distributed_optimizer=True), model
    )
    shape.finalize_model_grads_func = finalize_model_grads
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=RATE,
            weight_decay=0.0,
            adam_beta2=0.999,
            clip_grad=1.0,
            params_dtype=torch.float32,
            use_distributed_optimizer=True,
        ),
        [wrapped],
    )
    adam = torch.optim.AdamW(reference.parameters(), lr=RATE, weight_decay=0.0)
    step = get_forward_backward_func()
    mask = torch.ones(1, 1, LENGTH, LENGTH, dtype=torch.bool).triu(1)
    positions = torch.arange(LENGTH).expand(ROWS, LENGTH)
    draw = torch.Generator().manual_seed(0)
    found |= {"megatron": [], "hugging_face": [], "norms": []}
    for _ in range(steps):
        # Few tokens, so that there is something to learn, and not the padding token: transformers
        # gives its embedding no gradient, Megatron does.
        ids = torch.randint(0, TOKENS, (ROWS, LENGTH + 1), generator=draw)
        inputs, labels = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

        def forward(_: Any, part: Any, inputs: Any = inputs, labels: Any = labels) -> Any:
            losses = part(inputs, positions, mask, labels=labels)
            return losses, lambda found: (found.mean(), {"loss": found.mean().detach()})

        wrapped.zero_grad_buffer()
        optimizer.zero_grad()
        reported = step(
            forward_step_func=forward,
            data_iterator=None,
            model=[wrapped],
            num_microbatches=1,
            seq_length=LENGTH,
            micro_batch_size=ROWS,
            forward_only=False,
        )
        _, norm, _ = optimizer.step()
        adam.zero_grad()
        loss = functional.cross_entropy(reference(inputs).logits.flatten(0, 1), labels.flatten())
        loss.backward()
        expected = torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        adam.step()
        found["megatron"].append(reported[0]["loss"].item())
        found["hugging_face"].append(loss.item())
        found["norms"].append([float(norm), float(expected)])
    found["trained"] = difference(gathered(model, config), reference.state_dict())
    if rank == 0:
        result.write_text(json.dumps(found), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
