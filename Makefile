# The commands of roomdrop. `make` lists them. Each installs what it needs and is missing: Debian packages
# by apt (with sudo where needed), packages of npm and PyPI into this directory. Rust and Node are yours.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

LISTEN ?= 127.0.0.1:3000
ARGS ?=
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Debian puts nginx and HAProxy where people's own PATH does not look.
export PATH := $(PATH):/usr/sbin:/sbin

BIN := $(CARGO_TARGET_DIR)/release/roomdrop
PAGE := client-demo/dist/index.html
PAGE_SOURCES := $(shell find client-demo -name node_modules -prune -o -name dist -prune -o -name dist-sdk -prune -o -name e2e -prune -o -type f -print)
STEP := .ci/step
NEED := .ci/need

##  make run      build all of it and serve on http://127.0.0.1:3000 (LISTEN=0.0.0.0:3000: the network; ARGS=…: more flags)
.PHONY: run
run: release
	@printf '\nroomdrop: open http://%s/\n\n' "$(LISTEN:0.0.0.0:%=127.0.0.1:%)"
	@exec $(BIN) --listen $(LISTEN) $(ARGS)

##  make cluster  Redis, three nodes and nginx on this machine, until Ctrl-C (LISTEN=…: where nginx listens; ARGS=…)
.PHONY: cluster
cluster: release redis nginx
	@LISTEN=$(LISTEN) exec .ci/cluster $(BIN) $(ARGS)

##  make test     every test: Rust, SDK, real clients, browser
.PHONY: test
test: test-sdk test-rust test-clients test-browser
	@printf '\n== all tests passed\n'

##  make bench    throughput and CPU time against a plain Node socket.io relay, on one node and across several
.PHONY: bench
bench: rust page redis nginx
	cargo bench --locked --bench relay

##  make page     build the page into client-demo/dist, from where the next cargo build takes it
.PHONY: page
page: node $(PAGE)

##  make types    write the SDK's types of the protocol from the Rust ones
.PHONY: types
types: rust
	ROOMDROP_WRITE_TYPES=1 cargo test --locked --lib protocol::typescript

##  make release  build the page and the program 
.PHONY: release
release: rust page
	@$(STEP) 'release build' cargo build --locked --release --bin roomdrop

##  make clean    remove everything that was built or installed here
.PHONY: clean
clean:
	cargo clean
	rm -rf client-demo/dist client-demo/dist-sdk client-demo/node_modules tests/clients/node_modules benches/node-relay/node_modules .venv

.PHONY: help
help:
	@sed -n 's/^##  //p' Makefile

# The tests, cheapest first.

.PHONY: test-sdk
test-sdk: page
	@$(STEP) 'SDK and page: types and style' npm run --prefix client-demo check
	@$(STEP) 'SDK and page: tests' npm test --prefix client-demo

.PHONY: test-rust
test-rust: rust page redis .venv/installed
	@$(NEED) 'openssl version' openssl
	@$(STEP) 'Rust: format' cargo fmt --check
	@$(STEP) 'Rust: lints' cargo clippy --locked --all-targets -- -D warnings
	@$(STEP) 'Rust: tests' cargo test --locked
	@$(STEP) 'Rust: documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

.PHONY: test-clients
test-clients: release redis nginx haproxy tests/clients/node_modules/.package-lock.json .venv/installed
	@$(NEED) 'curl --version' curl
	@$(NEED) 'jq --version' jq
	@$(NEED) 'openssl version' openssl
	@$(STEP) 'real clients' env ROOMDROP_BIN=$(BIN) ROOMDROP_PYTHON=$(CURDIR)/.venv/bin/python npm test --prefix tests/clients
	@$(STEP) 'real clients, each at another of two nodes' env ROOMDROP_BIN=$(BIN) ROOMDROP_PYTHON=$(CURDIR)/.venv/bin/python npm run test:nodes --prefix tests/clients

.PHONY: test-browser
test-browser: release
	@$(NEED) 'chromium --version' chromium
	@$(STEP) 'browser' env ROOMDROP_BIN=$(BIN) npm run --prefix client-demo e2e

# What they need. Files are stamps: they are made again when what they depend on has changed.

.PHONY: rust
rust:
	@command -v cargo > /dev/null || { echo 'roomdrop: Rust is missing; install it from https://rustup.rs and run make again' >&2; exit 1; }
	@$(NEED) 'cc --version' build-essential

.PHONY: node
node:
	@command -v npm > /dev/null && node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' \
	  || { echo "roomdrop: Node 20.19 or newer is needed, found $$(node --version 2> /dev/null || echo none); install it from https://nodejs.org (Debian 12's own is too old) and run make again" >&2; exit 1; }

.PHONY: redis
redis:
	@$(NEED) 'redis-server --version' redis-server redis-server

.PHONY: nginx
nginx:
	@$(NEED) 'nginx -v' nginx nginx

.PHONY: haproxy
haproxy:
	@$(NEED) 'haproxy -v' haproxy haproxy

$(PAGE): client-demo/node_modules/.package-lock.json $(PAGE_SOURCES)
	@$(STEP) 'page' npm run --prefix client-demo build
	@touch $@

# Not `npm ci`: it refuses a lock file that was made where some packages for other systems (optional parts of
# the page's tools) could not be had. This takes the locked versions too, and leaves the lock file alone.
client-demo/node_modules/.package-lock.json tests/clients/node_modules/.package-lock.json: %/node_modules/.package-lock.json: %/package-lock.json | node
	@$(STEP) 'packages of $*' npm install --prefix $* --no-save --no-audit --no-fund
	@touch $@

.venv/installed: .ci/requirements.txt
	@$(NEED) 'python3 -c "import venv, ensurepip"' python3-venv
	@$(STEP) 'packages of Python' bash -c 'python3 -m venv --clear .venv && .venv/bin/pip install --quiet --disable-pip-version-check --requirement $<'
	@touch $@
