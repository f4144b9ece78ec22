# Text-to-SQL from base model to results table. `make help` lists the targets.
# Every target brings up to date all it needs, and does nothing again that is already done.

PROFILE ?= smollm2-135m
# DATASET=sample|spider|... (default: the profile's), LIMIT=n for a quick look,
# RECIPE=name of a configs/train/*.yaml for the train targets, ROW=a row for infer and eval,
# SPIDER_DIR=folder of Spider 1.0.
# DB_URL=SQLAlchemy URL of a private database, for create-data and eval-private; it goes by the
# environment, so that a password in it is in no command line of ours.
export SPIDER_DIR DB_URL

PYTHON := .venv/bin/python
RUN := .venv/bin/text2sql
OPTIONS := --profile $(PROFILE) $(if $(DATASET),--dataset $(DATASET)) \
	$(if $(LIMIT),--limit $(LIMIT)) $(if $(RECIPE),--recipe $(RECIPE)) \
	$(if $(ROW),--row $(ROW))
STAGES := data model train-lora train-qlora train-full mg2hf merge knowledge-base retrieve infer \
	eval table figures text-metrics
LATER := hf2mg quantize serve

.DEFAULT_GOAL := help
.PHONY: help setup setup-gpu test test-slow check data-report decontaminate reproduce plan publish \
	results clean create-data eval-private $(STAGES) $(LATER)

help: ## list the targets
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  \1\t/' | expand -t 20
	@echo
	@echo "  options: PROFILE=$(PROFILE) DATASET= LIMIT= RECIPE= ROW= SPIDER_DIR= (see README.md)"

setup: ## make the Python environment (.venv); a second run does nothing
	@scripts/setup.sh cpu

setup-gpu: setup ## make the environments of the GPU profiles as well
	@scripts/setup.sh gpu-train
	@scripts/setup.sh gpu-vllm

test: setup ## run the tests
	@$(PYTHON) -m pytest

test-slow: setup ## run the tests that train and convert real models (minutes)
	@$(PYTHON) -m pytest -m slow

check: setup ## lint, types, sample data and README tables in step
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@$(PYTHON) scripts/build_sample_data.py --check
	@$(RUN) results --check

data: ## write training files and evaluation questions
data-report: setup ## statistics of the dataset, as Markdown and PNG
	@$(RUN) data-report $(OPTIONS)

decontaminate: setup ## report training rows that leak evaluation questions
	@$(RUN) dataset decontaminate $(or $(DATASET),sample)

model: ## get the base model as a Hugging Face folder
train-lora: ## LoRA fine-tuning (RECIPE= for another recipe)
train-qlora: ## 4-bit QLoRA fine-tuning
train-full: ## full fine-tuning; with Megatron tensor parallelism where the recipe says so
mg2hf: ## Megatron checkpoint to Hugging Face
hf2mg: ## Hugging Face model to Megatron
merge: ## fold LoRA adapters into the base model
quantize: ## GGUF and Q4_K_M quantization
knowledge-base: ## build the retrieval store of solved questions
retrieve: ## find few-shot examples for every question
infer: ## answer the evaluation questions with every row's model
eval: ## judge the answers by executing them
table: ## build and print the results table
figures: ## draw the results chart into figs/
text-metrics: ## BLEU-4 and ROUGE before and after fine-tuning, by LLaMA-Factory
create-data: setup ## training data from a private database (DB_URL=, TOTAL=, LANGUAGE=)
	@$(RUN) create-data $(if $(TOTAL),--total $(TOTAL)) $(if $(LANGUAGE),--language $(LANGUAGE)) \
		$(if $(LLM_URL),--llm-url $(LLM_URL) --llm-model $(LLM_MODEL)) $(if $(OUTPUT),--output $(OUTPUT))

eval-private: setup ## judge PREDICTIONS= against GOLD= on a private database (DB_URL=)
	@$(RUN) eval-private $(if $(GOLD),--gold $(GOLD)) \
		$(if $(PREDICTIONS),--predictions $(PREDICTIONS)) $(if $(OUTPUT),--output $(OUTPUT))

serve: ## start the web service

$(STAGES): setup
	@$(RUN) $@ $(OPTIONS)

$(LATER): setup
	@$(RUN) $@

reproduce: setup ## the whole chain of a profile: data to results table and chart
	@$(RUN) reproduce $(OPTIONS)

plan: setup ## print stages, inputs, outputs and launch lines of a run; run nothing
	@$(RUN) plan $(OPTIONS)

publish: setup ## copy a finished run's record into results/ and refresh the README's tables
	@$(RUN) publish $(OPTIONS)

results: setup ## refresh the README's tables from the records in results/
	@$(RUN) results

clean: ## remove what stages wrote for this profile (models and environments stay)
	rm -rf build/runs/$(PROFILE)
