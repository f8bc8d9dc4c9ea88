# `make` alone lists the targets. CI calls these and nothing else.

CARGO ?= cargo
PYTHON ?= python3
READERS_VENV ?= target/readers-venv
SPARK_VENV ?= target/spark-venv
AZURITE_DIR ?= $(or $(CARGO_TARGET_DIR),target)/azurite
AZURITE := $(AZURITE_DIR)/node_modules/.bin/azurite-blob
# The key of the emulator's account, which Microsoft documents.
AZURITE_KEY := Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
# For `make fuzz`. The directory is its own: what is built there counts where it has been.
FUZZ_TARGETS ?= split decode definition answer
FUZZ_SECONDS ?= 1200
FUZZ_TARGET_DIR ?= $(CURDIR)/fuzz/target
# For `cargo test`, as `make test TEST_FLAGS=--quiet`.
TEST_FLAGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build, pull the sample exports over HTTP into ./lake, show the result
	@test -e $${CARGO_TARGET_DIR:-target}/debug/flowlake || \
		echo 'Building flowlake and the libraries it uses, polars above all: 5 to 15 minutes the first time, seconds later.'
	$(CARGO) build
	@$(CARGO) run --quiet -- demo

.PHONY: build
build: ## Build the binary for shipping: target/release/flowlake
	$(CARGO) build --release

.PHONY: test
test: ## Run all tests: units, properties, the binary over HTTP, files and S3
	$(CARGO) test $(TEST_FLAGS)

.PHONY: test-readers
test-readers: $(READERS_VENV)/ready ## Read the lake with pandas, pyarrow, polars, DuckDB, datafusion and ClickHouse and compare
	$(CARGO) build --quiet
	$(READERS_VENV)/bin/python tests/readers/compare.py $${CARGO_TARGET_DIR:-target}/debug/flowlake

$(READERS_VENV)/ready: tests/readers/requirements.txt
	$(PYTHON) -m venv $(READERS_VENV)
	$(READERS_VENV)/bin/pip install --quiet --requirement tests/readers/requirements.txt
	touch $@

.PHONY: test-spark
test-spark: java $(SPARK_VENV)/ready ## Read the lake with Spark and compare (needs Java)
	$(CARGO) build --quiet
	$(SPARK_VENV)/bin/python tests/readers/spark.py $${CARGO_TARGET_DIR:-target}/debug/flowlake

.PHONY: java
java:
	@command -v java > /dev/null || { echo "test-spark: Spark needs Java, and there is no \`java\`: install it, as with \`apt-get install default-jre-headless\`" >&2; exit 1; }

$(SPARK_VENV)/ready: tests/readers/requirements-spark.txt
	$(PYTHON) -m venv $(SPARK_VENV)
	$(SPARK_VENV)/bin/pip install --quiet --requirement tests/readers/requirements-spark.txt
	touch $@

.PHONY: test-s3
test-s3: $(READERS_VENV)/ready ## Write to moto's S3 server as well, with the store failing at every call
	$(READERS_VENV)/bin/pip install --quiet 'moto[server]==5.2.5'
	MOTO_SERVER=$(READERS_VENV)/bin/moto_server $(CARGO) test --test it moto -- --ignored

.PHONY: test-azure
test-azure: $(AZURITE) ## Write to Azurite as well, with the store failing at every call
	AZURITE=$(abspath $(AZURITE)) AZURE_STORAGE_ACCOUNT_KEY='$(AZURITE_KEY)' $(CARGO) test --test it azure -- --ignored

$(AZURITE):
	npm install --silent --no-audit --no-fund --prefix $(AZURITE_DIR) azurite@3.35.0

.PHONY: test-gcs
test-gcs: ## Write to a stand-in for Google Cloud Storage as well, with the store failing at every call
	$(CARGO) test --test it gcs -- --include-ignored

.PHONY: test-ocds
test-ocds: ## Load the seven real e-sourcing exports in ../shared/data/ocds
	$(CARGO) test --test it ocds -- --ignored

.PHONY: test-long
test-long: ## 100,000 exports of random JSON and 100,000 tables of random nights, read back by another library
	PROPTEST_CASES=100000 $(CARGO) test --test it exactness
	PROPTEST_CASES=100000 FLOWLAKE_FIRST_SEED=$${FLOWLAKE_FIRST_SEED:-$$(date +%s)} $(CARGO) test --test it random_nights

.PHONY: fuzz
fuzz: ## Fuzz splitter, decoder, definitions and HTTP answers, 20 minutes each (needs a C++ compiler)
	RUSTC_WRAPPER=$(CURDIR)/fuzz/coverage.sh CARGO_TARGET_DIR=$(FUZZ_TARGET_DIR) $(CARGO) build --manifest-path fuzz/Cargo.toml --bins
	for target in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZ_TARGET_DIR)/found/$$target fuzz/artifacts/$$target; \
		$(FUZZ_TARGET_DIR)/debug/$$target $(FUZZ_TARGET_DIR)/found/$$target fuzz/corpus/$$target \
			-max_total_time=$(FUZZ_SECONDS) -max_len=2000 -dict=fuzz/$$target.dict -artifact_prefix=fuzz/artifacts/$$target/ || exit 1; \
	done

.PHONY: bench
bench: ## Measure each step, the job of a night at three sizes, and how each dimension of an export grows
	$(CARGO) bench

.PHONY: bench-peers
bench-peers: $(READERS_VENV)/ready ## Measure the job of a night beside DuckDB and polars
	BENCH_PYTHON=$(READERS_VENV)/bin/python $(CARGO) bench --bench end_to_end

.PHONY: bench-merge
bench-merge: $(READERS_VENV)/ready ## Measure an upsert of 1 % of 5,000,000 rows beside deltalake
	$(READERS_VENV)/bin/pip install --quiet deltalake==1.6.6
	$(CARGO) build --release --quiet
	$(READERS_VENV)/bin/python benches/peers/merge.py $${CARGO_TARGET_DIR:-target}/release/flowlake

.PHONY: check
check: format-check lint docs ## Everything that is checked without running

.PHONY: format
format: ## Format the code
	$(CARGO) fmt

.PHONY: format-check
format-check: ## Fail when the code is not formatted
	$(CARGO) fmt --check

.PHONY: lint
lint: ## Clippy, warnings as errors
	$(CARGO) clippy --all-targets -- --deny warnings

.PHONY: docs
docs: ## Build the documentation of the code, warnings as errors
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --no-deps --document-private-items

.PHONY: data
data: ## Write the sample exports in data/ again, from their seed
	$(CARGO) run --quiet --example generate_exports -- data

.PHONY: schema
schema: ## Write the JSON Schema of definitions again, from the types
	$(CARGO) run --quiet --example definition_schema > docs/definition.schema.json.new
	mv docs/definition.schema.json.new docs/definition.schema.json
