# Tidemark: `make` lists what there is. Two commands are enough: `make run` and `make test`.
#
#   CARGO_TARGET_DIR   where everything is built; default ./target
#   TIDEMARK_TOOLS     where .ci/setup.sh keeps its tools; default ~/.cache/tidemark
#
# The sets of packages and features given to cargo are fixed here: another set would compile hundreds of dependencies
# a second time. RUSTFLAGS is not touched, for the same reason.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

target := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR := $(target)
site := $(target)/site
wasm := $(site)/pkg/tidemark.wasm
binary := $(target)/release/tidemark
tools_env := $(or $(TIDEMARK_TOOLS),$(HOME)/.cache/tidemark)/tools/env
# Before each command: the tools that set-up installed, as far as it has run.
use_tools := if [ -f '$(tools_env)' ]; then . '$(tools_env)'; fi;

native := --locked --release --workspace --exclude frontend
front := --locked --package frontend --lib --profile wasm-release --target wasm32-unknown-unknown --target-dir '$(target)/front'
front_sources := Cargo.toml Cargo.lock $(shell find app frontend pipeline/model style -type f)
wasm_features := --enable-bulk-memory --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext --enable-mutable-globals --enable-multivalue
comma := ,
wasm_opt_flags := -Oz,$(subst $() ,$(comma),$(strip $(wasm_features)))
# The standard library is built along, for code in which a panic is a trap and nothing else: the words of panics, what
# writes them, and where in the sources they are, are some 25 KB of what every page loads. Nothing is written by its
# `Debug` there either, and its own code is the small one where it has two. Flags of this kind are not settled yet, hence the bootstrap.
small_std := if [ "$${TIDEMARK_STD_SOURCES:-}" = yes ]; then export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_UNSTABLE_BUILD_STD_FEATURES=optimize_for_size CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none'; fi;
# Build scripts look at that variable: with it in one build and without it in the next, all would be compiled again each time.
bootstrap := if [ "$${TIDEMARK_STD_SOURCES:-}" = yes ]; then export RUSTC_BOOTSTRAP=1; fi;
# Once more over each file that the code was split into: there is more to leave out of a part than of the whole.
# And without the sections that say who made it.
wasm_opt_again := -Oz --coalesce-locals-learning --coalesce-locals-learning --reorder-locals --strip-producers --strip-target-features $(wasm_features)

LISTEN ?= 127.0.0.1:3000
DATA ?= .tidemark
RECORDS ?= 5000000
KEYS ?= 500000
SLOTS ?= 2

.PHONY: help setup run test build wasm fmt fmt-check lint lint-wasm test-rust test-wasm-size test-e2e bench clean-demo

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install what building needs and this machine lacks
	@bash .ci/setup.sh

run: setup wasm build ## Build, then serve with the demo on http://127.0.0.1:3000 (LISTEN=…, DATA=…)
	@echo "Tidemark with its demo: http://$(LISTEN)   (data in $(DATA); Ctrl-C stops it)"
	@exec '$(binary)' serve --demo --data '$(DATA)' --listen '$(LISTEN)' --site '$(site)' --style style

test: ## Everything that CI checks: set-up, format, lints, Rust tests, size of the wasm, browser tests
	@bash .ci/test.sh

# With one integration test beside the binary, because a build without any test target takes other features of shared
# dependencies, and would compile DataFusion once for `make run` and again for `make test`.
build: ## Build the server
	@$(use_tools) cargo build $(native) --bins --test it

wasm: $(wasm) ## Build the pages' WebAssembly into target/site

$(wasm): $(front_sources)
	@$(use_tools) $(small_std) LEPTOS_SITE_ROOT='$(site)' LEPTOS_WASM_OPT_FEATURES='$(wasm_opt_flags)' \
	    cargo leptos build --release --split --frontend-only --cargo-locked
	@$(use_tools) for part in '$(site)'/pkg/*.wasm; do wasm-opt $(wasm_opt_again) "$$part" -o "$$part"; done
	@node .ci/short-imports.mjs '$(site)/pkg'
	@touch '$@'

fmt: ## Format the Rust sources
	@$(use_tools) env -u RUSTUP_TOOLCHAIN cargo fmt --all

fmt-check:
	@$(use_tools) env -u RUSTUP_TOOLCHAIN cargo fmt --all --check

lint: ## clippy without warnings, for the server and all tests
	@$(use_tools) cargo clippy $(native) --all-targets -- -D warnings

lint-wasm: ## clippy without warnings, for the browser
	@$(use_tools) $(bootstrap) cargo clippy $(front) -- -D warnings

test-rust: ## Unit, property, SQL, architecture and integration tests
	@$(use_tools) cargo fetch --quiet --locked --target wasm32-unknown-unknown && cargo test $(native) --no-fail-fast

test-wasm-size: wasm ## Print what the browser downloads; fail above the limit
	@node .ci/wasm-size.mjs '$(dir $(wasm))'

test-e2e: wasm build ## Browser tests (ARGS='home.spec.ts' for some)
	@cd e2e && node_modules/.bin/tsc --noEmit
	@cd e2e && TIDEMARK_BIN='$(binary)' TIDEMARK_SITE='$(site)' TIDEMARK_STYLE='$(CURDIR)/style' node_modules/.bin/playwright test $(ARGS)

bench: build ## Drain a burst into the lake and print its figures (RECORDS=…, KEYS=…, SLOTS=…)
	@'$(binary)' bench burst --records $(RECORDS) --keys $(KEYS) --slots $(SLOTS)

clean-demo: ## Remove the demo's data
	@rm -rf '$(DATA)'
	@echo "Removed $(DATA)"
