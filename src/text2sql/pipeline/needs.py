"""What the stages of a run need of the environment that they run in."""

from __future__ import annotations

from dataclasses import dataclass, field

from text2sql.stage import Stage
from text2sql.train.checks import recipe_trackers
from text2sql.train.recipe import Recipe, recipe_of
from text2sql.train.stage import is_training

ENGINE_MODULES = {"transformers": ("torch", "transformers"), "vllm": ("torch", "vllm"),
                  "llama.cpp": ("llama_cpp",), "openai": ("openai",)}  # fmt: skip
KNOWLEDGE = ("torch", "pymilvus", "sentence_transformers")
OF_KIND = {
    "data": ("sqlglot",),
    "train-grpo": ("torch", "transformers", "trl", "peft", "datasets"),
    "merge": ("torch", "llamafactory", "peft"),
    "knowledge-base": KNOWLEDGE,
    "retrieve": KNOWLEDGE,
    "train-examples": KNOWLEDGE,
}


@dataclass
class Needs:
    """What one environment must offer, and which stages want it."""

    modules: set[str] = field(default_factory=set)
    cuda: bool = False
    compiler: bool = False
    megatron: bool = False
    transformer_engine: bool = False
    stages: list[str] = field(default_factory=list)

    def add(self, stage: Stage) -> None:
        """Take up what a stage needs."""
        self.stages.append(stage.name)
        on_gpu = runs_on_gpu(stage)
        self.cuda |= on_gpu
        self.modules.update(OF_KIND.get(stage.kind, ()))
        if is_training(stage):
            recipe = recipe_of(stage.config)
            self.modules.update(training_modules(recipe))
            megatron = recipe.launch.backend == "megatron"
            self.megatron |= megatron
            self.transformer_engine |= (
                megatron and on_gpu and recipe.llamafactory.get("transformer_impl") != "local"
            )
            # Megatron's and liger's fused kernels are Triton's.
            self.compiler |= on_gpu and (megatron or "liger_kernel" in self.modules)
        if stage.kind in ("mg2hf", "hf2mg"):
            self.megatron = True
            self.transformer_engine |= stage.kind == "hf2mg" and on_gpu
        if stage.kind in ("infer", "quantized-infer", "sample-answers"):
            self.modules.update(ENGINE_MODULES.get(stage.config["engine"], ()))
            self.compiler |= stage.config["engine"] == "vllm"


def training_modules(recipe: Recipe) -> set[str]:
    """Return the modules that a recipe's training imports."""
    keys = recipe.llamafactory
    modules = {"torch", "transformers", "peft", "llamafactory", *recipe_trackers(recipe)}
    if recipe.launch.backend == "deepspeed":
        modules.add("deepspeed")
    if recipe.method == "qlora" or str(keys.get("optim", "")).endswith("8bit"):
        modules.add("bitsandbytes")
    if keys.get("enable_liger_kernel"):
        modules.add("liger_kernel")
    if keys.get("flash_attn") == "fa2":
        modules.add("flash_attn")
    return modules


def runs_on_gpu(stage: Stage) -> bool:
    """Whether a stage computes on CUDA GPUs."""
    on_cpu = ("merge", "mg2hf")  # which write weights that they read
    return stage.settings.get("device") == "cuda" and not (
        stage.kind in on_cpu or stage.config.get("engine") in ("llama.cpp", "openai")
    )
