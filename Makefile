# Text-to-SQL from base model to results table. `make help` lists the targets.
# Every target brings up to date all it needs, and does nothing again that is already done.

PROFILE ?= qwen2.5-coder-0.5b
# What may be set beside targets is below OPTION_HELP; `make help` prints it. DB_URL goes by the
# environment, so that a password in it is in no command line of ours.
export SPIDER_DIR DB_URL NNODES NODE_RANK MASTER_ADDR MASTER_PORT

PYTHON := .venv/bin/python
RUN := .venv/bin/text2sql
OPTIONS := --profile $(PROFILE) $(if $(DATASET),--dataset $(DATASET)) \
	$(if $(LIMIT),--limit $(LIMIT)) $(if $(RECIPE),--recipe $(RECIPE)) \
	$(if $(MACHINE),--machine $(MACHINE)) \
	$(if $(ROW),--row $(ROW)) $(if $(ROWS),--rows $(ROWS)) $(foreach pair,$(SET),--set $(pair))
TRAIN_OPTIONS := $(if $(DRY_RUN),--dry-run) $(if $(GPU),--gpu $(GPU)) \
	$(if $(ASSUME_ROWS),--assume-rows $(ASSUME_ROWS))
# Stages declare themselves in src/text2sql; quantize has options of its own.
STAGES := $(filter-out quantize,$(shell python3 scripts/stages.py | cut -f 1))

DATABASE ?= data/sample/database
SUITES ?= build/test-suites/$(basename $(notdir $(patsubst %/,%,$(DATABASE))))

.DEFAULT_GOAL := help
.PHONY: help rescore compare setup setup-gpu setup-megatron setup-gguf setup-grpo setup-bge setup-ray setup-docs setup-test test test-all test-elsewhere \
	test-slow test-megatron test-pages test-services check check-golds data-report decontaminate train-linker quantize serve \
	mcp serve-openai test-suite create-data index-values eval-private reproduce doctor download plan publish robustness reproduce-published board \
	results docs card push clean $(STAGES)

define OPTION_HELP
PROFILE=       file of configs/profiles/: model, rows, machine (now $(PROFILE))
DATASET=       file of configs/data/: sample, spider, ... (default: the profile's)
LIMIT=         at most so many rows and questions, for a quick look
RECIPE=        file of configs/train/, for the train targets and all that follow
SET=           "key=value ...": replaces keys of RECIPE
ROW=           one row: infer, eval, quantize, serve, card, push
ROWS=          optional rows of the profile, with commas, or all
MACHINE=       file of configs/machines/ (default: the profile's, with the GPUs that are here)
DRY_RUN=1      with the train targets: batch, steps, memory, time; nothing is started
GPU=           with DRY_RUN: the card to plan for, such as rtx-4090
ASSUME_ROWS=   with DRY_RUN: rows of the data set, where it is not here
NNODES=        machines that train together, with NODE_RANK=, MASTER_ADDR= and MASTER_PORT=
SPIDER_DIR=    folder of Spider 1.0
MODEL=         quantize: a Hugging Face folder; serve, serve-openai, mcp: that or a GGUF file
TYPES=         quantize: "Q4_K_M Q8_0 ..."
ENGINE=        serve, mcp: transformers, llama.cpp, vllm, openai
HOST=          serve, mcp: address to listen on
PORT=          serve, mcp, serve-openai: port to listen on
TRANSPORT=     mcp: stdio or http
RETRIEVAL=     serve, mcp: file of configs/rag/, for few-shot examples
DB_URL=        SQLAlchemy URL of a private database: create-data, index-values, eval-private, serve, mcp
TOTAL=         create-data: pairs to make; with LANGUAGE=en|zh|en,zh
LLM_URL=       create-data: OpenAI-compatible endpoint, with LLM_MODEL=
ACCEPTED=      create-data: pairs that users of the service accepted
OUTPUT=        create-data, index-values, train-linker, eval-private: what to write
GOLD=          eval-private, rescore, test-suite: gold queries
PREDICTIONS=   eval-private, rescore, reproduce-published, board: answers to judge
BEFORE=        compare: verdicts, or folder of an eval stage; with AFTER=
DATABASE=      test-suite: file or folder; with SUITE_OPTIONS= for its own command line
SUITES=        test-suite: output; check-golds, rescore: suites to judge on
SEED=          reproduce-published, test-elsewhere
SHARE=         test-elsewhere: 2/5 for the second fifth of the tests
JOBS=          processes: rescore, reproduce-published, board; test, test-elsewhere (n or auto)
VARIANTS=      robustness: "spider_syn spider_dk ..."
REPO=          push: owner/name; PUBLIC=1 for all to see, YES=1 without a question, HF_TOKEN
MCORE_ADAPTER= setup-megatron: URL or folder of ROLL, with VENV=
endef
export OPTION_HELP

help: ## list the targets
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  \1\t/' | expand -t 22
	@echo
	@echo "  stages, each with all it needs:"
	@python3 scripts/stages.py | sed 's/^/  /' | expand -t 22
	@echo
	@echo "  options, as in: make eval ROW=baseline LIMIT=20 (see README.md)"
	@echo "$$OPTION_HELP" | sed -E 's/^([^ ]+) +/    \1\t/' | expand -t 22

setup: ## make the Python environment (.venv); a second run does nothing
	@scripts/setup.sh cpu

setup-gpu: setup ## make the environments of the GPU profiles as well
	@scripts/setup.sh gpu-train
	@scripts/setup.sh gpu-vllm

setup-megatron: ## add Megatron training: MCORE_ADAPTER=<git URL or folder of ROLL> [VENV=.venv]
	@scripts/setup_megatron.sh "$(MCORE_ADAPTER)" $(or $(VENV),.venv-train)

setup-gguf: setup ## add llama.cpp to .venv for GGUF files (compiles, minutes)
	@scripts/setup_gguf.sh

setup-grpo: setup ## make the environment of reinforcement learning (TRL), for train-grpo
	@scripts/setup.sh grpo

setup-bge: setup ## add FlagEmbedding to .venv for BGE embedding models and rerankers
	@scripts/setup_extra.sh bge

setup-ray: setup ## add Ray to .venv, for rewards that are judged on several machines
	@scripts/setup_extra.sh ray

setup-docs: setup ## add to .venv what makes the site of the documents
	@scripts/setup_extra.sh docs

setup-test: setup ## add to .venv what the tests need besides
	@scripts/setup_extra.sh bge docs test

# A file's tests share what they set up, so that one process runs them.
SIDE_BY_SIDE = $(if $(JOBS),-n $(JOBS) --dist loadfile)

test: setup-test ## run the tests (JOBS=)
	@$(PYTHON) -m pytest $(SIDE_BY_SIDE)

# llama.cpp wants a C++ compiler, the pages Chromium, some tests servers; what a machine does not have
# is skipped and said why.
test-all: setup-test setup-gguf ## run all tests (first: apt-get install g++ chromium postgresql mariadb-server)
	@$(RUN) stage model --profile smollm2-135m
	@$(PYTHON) -m pytest -m ''

# What differs between machines, all at once: order, threads, instruction sets, time zone, locale,
# hashes, and who may read new files.
test-elsewhere: setup-test ## run the tests as on another machine, in random order (SEED=, SHARE=)
	@umask 077; OMP_NUM_THREADS=1 \
		ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 TZ=Asia/Shanghai LC_ALL=C PYTHONHASHSEED=1 \
		$(PYTHON) -m pytest $(SIDE_BY_SIDE) -p randomly --randomly-seed=$(or $(SEED),1) \
		$(addprefix --share=,$(SHARE))

test-slow: setup-test ## run the tests that train and convert real models (minutes)
	@$(PYTHON) -m pytest -m slow

test-megatron: setup-test ## run the tests of Megatron training (make setup-megatron VENV=.venv first)
	@$(PYTHON) -m pytest -m megatron

test-pages: setup-test ## run the tests of the web page in Chromium (first: apt-get install chromium)
	@$(PYTHON) -m pytest tests/serve/test_pages.py

test-services: setup-test ## run the tests that start PostgreSQL and MariaDB servers (Debian packages)
	@$(PYTHON) -m pytest -m services

check: setup ## lint, types, direction of imports, sample data, tables of the pages in step
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@$(PYTHON) scripts/build_sample_data.py --check
	@$(RUN) results check

data-report: setup ## statistics of the dataset, as Markdown and PNG
	@$(RUN) dataset report $(OPTIONS)

decontaminate: setup ## report training rows that leak evaluation questions
	@$(RUN) dataset decontaminate $(or $(DATASET),sample)

check-golds: setup ## name wrong and ambiguous gold queries of DATASET= (SUITES=folder of test suites)
	@$(RUN) dataset check-golds $(or $(DATASET),sample) $(if $(wildcard $(SUITES)),--suites "$(SUITES)")

train-linker: setup ## train a schema linker on DATASET='s training questions (OUTPUT=)
	@$(RUN) dataset train-linker $(or $(DATASET),sample) $(if $(OUTPUT),--output "$(OUTPUT)")

# What cannot be done is refused before llama.cpp is compiled for it.
QUANTIZE := quantize $(OPTIONS) $(foreach type,$(TYPES),--type $(type)) $(if $(MODEL),--model $(MODEL))
quantize: setup
	@$(RUN) $(QUANTIZE) --check
	@scripts/setup_gguf.sh
	@$(RUN) $(QUANTIZE)

quantization-table: setup-gguf

SERVE_OPENAI := serve-openai $(OPTIONS) $(if $(MODEL),--model $(MODEL)) $(if $(PORT),--port $(PORT))
serve-openai: setup ## OpenAI-compatible endpoint on 127.0.0.1:8000 (MODEL=, PORT=)
	@$(RUN) $(SERVE_OPENAI) --check
	@scripts/setup_gguf.sh
	@$(RUN) $(SERVE_OPENAI)

create-data: setup ## training data from a private database (DB_URL=, TOTAL=, LANGUAGE=, ACCEPTED=)
	@$(RUN) database create-data $(if $(TOTAL),--total $(TOTAL)) $(if $(LANGUAGE),--language $(LANGUAGE)) \
		$(if $(ACCEPTED),--accepted $(ACCEPTED)) \
		$(if $(LLM_URL),--llm-url $(LLM_URL) --llm-model $(LLM_MODEL)) $(if $(OUTPUT),--output $(OUTPUT))

index-values: setup ## index the text values of a database for prompts (DB_URL=, OUTPUT=)
	@$(RUN) database index-values $(if $(OUTPUT),--output $(OUTPUT))

eval-private: setup ## judge PREDICTIONS= against GOLD= on a private database (DB_URL=)
	@$(RUN) database eval-private $(if $(GOLD),--gold $(GOLD)) \
		$(if $(PREDICTIONS),--predictions $(PREDICTIONS)) $(if $(OUTPUT),--output $(OUTPUT))

serve: setup ## web service on 127.0.0.1:4060 (MODEL=, ENGINE=, DB_URL=, HOST=, PORT=)
	@$(RUN) serve $(OPTIONS) $(if $(MODEL),--model $(MODEL)) $(if $(ENGINE),--engine $(ENGINE)) \
		$(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) \
		$(if $(RETRIEVAL),--retrieval $(RETRIEVAL))

# Over stdio nothing but the protocol may stand on stdout.
mcp: ## the same for agents, over MCP (MODEL=, ENGINE=, DB_URL=, TRANSPORT=stdio|http, HOST=, PORT=)
	@scripts/setup.sh cpu >&2
	@$(RUN) mcp $(OPTIONS) $(if $(MODEL),--model $(MODEL)) $(if $(ENGINE),--engine $(ENGINE)) \
		$(if $(TRANSPORT),--transport $(TRANSPORT)) \
		$(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) \
		$(if $(RETRIEVAL),--retrieval $(RETRIEVAL))

$(STAGES): setup
	@$(RUN) stage $@ $(OPTIONS) $(if $(filter train-%,$@),$(TRAIN_OPTIONS))

reproduce: setup ## the whole chain of a profile: data to results table and chart
	@$(RUN) reproduce $(OPTIONS)

test-suite: setup ## distilled variants: DATABASE=file or folder, GOLD=file (or none), SUITES=output
	@$(PYTHON) -m test_suite_sql_eval.distill --db "$(DATABASE)" --output "$(SUITES)" \
		$(if $(GOLD),--gold "$(GOLD)") $(SUITE_OPTIONS)

doctor: setup ## check that this machine has what a run needs, and say what mends the rest
	@$(RUN) doctor $(OPTIONS)

download: setup ## get the data sets and models that a profile needs; run it again to go on
	@$(RUN) download $(OPTIONS)

plan: setup ## print stages, inputs, outputs and launch lines of a run; run nothing
	@$(RUN) plan $(OPTIONS)

# PREDICTIONS is a folder of one file a row, one SQL a line, and gold.txt; JOBS=n judges with n
# processes, SEED=n makes other suites.
reproduce-published: setup ## judge PREDICTIONS= of a published table on test suites made here
	@$(RUN) results reproduce-published $(if $(PREDICTIONS),--predictions "$(PREDICTIONS)") \
		$(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS))

robustness: setup ## judge a run's models on variants of its data set (VARIANTS="spider_syn spider_dk")
	@$(RUN) results robustness $(OPTIONS) $(foreach name,$(VARIANTS),--variant $(name))

board: setup ## judge PREDICTIONS=, public prediction files of Spider dev, alike (docs/REPRODUCING.md)
	@$(RUN) results board $(if $(PREDICTIONS),--predictions "$(PREDICTIONS)") \
		$(if $(JOBS),--jobs $(JOBS))

rescore: setup ## judge PREDICTIONS= (a folder of *.txt) in every metric (SUITES=, GOLD=, JOBS=)
	@$(RUN) results rescore $(if $(PREDICTIONS),"$(PREDICTIONS)") $(if $(GOLD),--gold "$(GOLD)") \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(filter command line,$(origin SUITES)),--suites "$(SUITES)")

compare: setup ## which questions AFTER= has right and BEFORE= not, and the reverse
	@$(RUN) results compare $(if $(BEFORE),"$(BEFORE)") $(if $(AFTER),"$(AFTER)")

publish: setup ## copy a finished run's record into results/ and refresh charts and pages
	@$(RUN) results publish $(OPTIONS)

results: setup ## refresh tables and charts of the pages from the records in results/
	@$(RUN) results update

docs: setup-docs ## the site of README.md and docs/, links checked: build/site/html
	@$(PYTHON) scripts/build_site.py

card: setup ## write the model card of a tuned row (ROW=) from the run's record
	@$(RUN) release card $(OPTIONS)

push: setup ## send ROW='s model, adapter, GGUF files and card to the hub (REPO=owner/name)
	@$(RUN) release push $(OPTIONS) $(if $(REPO),--repo $(REPO)) $(if $(PUBLIC),--public) \
		$(if $(YES),--yes)

clean: ## remove what stages wrote for this profile (models and environments stay)
	rm -rf build/runs/$(PROFILE)
