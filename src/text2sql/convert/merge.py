"""The merge stage: fold a LoRA adapter into its base model, through LLaMA-Factory's export."""

from __future__ import annotations

from typing import Any

from text2sql.files import read_json
from text2sql.train.llamafactory import run_llamafactory
from text2sql.worker import Job


def run(job: Job) -> dict[str, Any]:
    """Write the merged model, with tokenizer and chat template, as a Hugging Face folder."""
    adapter = job.inputs["adapter"]
    arguments = {
        "model_name_or_path": str(job.inputs["model"]),
        "adapter_name_or_path": str(adapter),
        "template": job.config["template"],
        "finetuning_type": "lora",
        "export_dir": str(job.output),
        "export_size": 5,
        "export_device": "cpu",
        "export_legacy_format": False,
    }
    run_llamafactory("export", arguments, job.output)
    return {"rank": read_json(adapter / "adapter_config.json")["r"]}
