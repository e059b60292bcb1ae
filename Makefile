# Verbs of this repository. "make" alone lists them.

export CGO_ENABLED ?= 0
# A go.work in a folder above the clone, and -mod in GOFLAGS, are for other modules.
export GOWORK := off

# Vault takes only a semantic version with a leading v.
VERSION := $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || echo v0.1.0-dev)
LDFLAGS := -s -w -X vault-plugin-secrets-zoho/internal/release.Version=$(VERSION)
# What is built and tested is what is released: with the stubs of absent/.
RELEASED = -mod=readonly -modfile=bin/release.mod
FUZZTIME ?= 10s
TARGET ?=
PACKAGES ?= ./zoho=./zoho,./backend ./backend ./backend/internal/ledger=./backend/internal/ledger,./backend ./backend/internal/consent=./backend/internal/consent,./backend ./backend/internal/gate=./backend/internal/gate,./backend ./backend/internal/credential=./backend/internal/credential,./backend ./backend/internal/store=./backend/internal/store,./backend
MUTANTS ?= 40
MUTATE ?=
FAULTS ?= 200
SEED ?= 1
MINUTES ?= 10
SERVER ?= vault
PLUGIN ?=
SETUP ?=
PROFILE ?=
BENCH ?=
RECORD ?=

.PHONY: help build release release-check check test unit acceptance openbao chaos soak demo dev fuzz bench benchmarks profile mutate untaken clean bin/bench bin/release.mod

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Vault runs each file of a plugin directory, and ends if one is no plugin: bin/plugins has the plugin alone.
build: bin/release.mod ## build the plugin, zoho-login and the Zoho simulator into bin/, and the plugin alone into bin/plugins/
	go build $(RELEASED) -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...
	@mkdir -p bin/plugins && ln -f bin/vault-plugin-secrets-zoho bin/plugins/

release: ## at a tag that release into dist/, else a snapshot of it; nothing is published
	@scripts/release/make

release-check: ## a tag at HEAD would give a release: built twice with the same bytes, and with all its files; TARGETS=all FRESH=yes for more
	@scripts/release/check

check: ## formatting, shell syntax, modules, vet, staticcheck: seconds with warm caches, else minutes
	@scripts/check

# Stories wait more than they compute, so unit tests run beside them.
test: check ## everything
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit acceptance

# The race detector sees a third of the steps at which something may fail or hang.
unit: bin/release.mod ## unit tests, with the race detector, and each step of the backend's without it
	CGO_ENABLED=1 go test $(RELEASED) -race -timeout 30m ./...
	go test $(RELEASED) -timeout 30m ./backend

# -count=1: the tests run binaries that go test does not know of, so a cached
# result would say nothing. -parallel: stories wait more than they compute.
acceptance: ## stories on a real Vault (VAULT_BIN names it, or it is built once), and on OpenBao where there is one; a few faults
	@vault=$$(scripts/vault-bin) && { scripts/bao-bin >/dev/null || true; } && \
		cd acceptance && VAULT_BIN=$$vault ZOHO_CHAOS_FAULTS=8 ZOHO_CHAOS_SEED=$(SEED) go test -count=1 -parallel 8 -timeout 30m .

openbao: ## the same stories on OpenBao alone; BAO_BIN names it, or it is on the PATH
	@bao=$$(scripts/bao-bin) && cd acceptance && BAO_BIN=$$bao go test -count=1 -parallel 8 -timeout 15m -run TestStoriesOnOpenBao .

# As root servers get small disks of their own, so that one can be full.
chaos: ## FAULTS (200) on a cluster of three servers (SERVER=openbao: BAO_BIN), drawn with SEED (1), while apps read and operators work
	@if [ "$(SERVER)" = openbao ]; then BAO_BIN=$$(scripts/bao-bin); else VAULT_BIN=$$(scripts/vault-bin); fi && \
		cd acceptance && export VAULT_BIN BAO_BIN && ZOHO_CHAOS_SERVER=$(SERVER) ZOHO_CHAOS_FAULTS=$(FAULTS) ZOHO_CHAOS_SEED=$(SEED) \
		go test -count=1 -timeout 120m -run TestNothingIsLostWhenServersFail -v .

soak: ## MINUTES (10) of apps and operators on the same cluster, whose Zoho keeps failing: what is left behind?
	@vault=$$(scripts/vault-bin) && cd acceptance && VAULT_BIN=$$vault ZOHO_SOAK_MINUTES=$(MINUTES) ZOHO_CHAOS_SEED=$(SEED) \
		go test -count=1 -timeout 120m -run TestLoadLeavesNothingBehind -v .

demo: build ## connect a simulated Zoho account and call its API, on the screen
	@scripts/demo

dev: build ## the same, and stay up for playing
	@scripts/demo stay

fuzz: ## each fuzz target (TARGET: those whose names fit) for FUZZTIME (10s), and how often it was executed
	@TARGET='$(TARGET)' FUZZTIME=$(FUZZTIME) scripts/fuzz/run

bin/release.mod:
	@scripts/modfile >/dev/null

bin/bench: bin/release.mod
	@for part in "" -yardstick -fill -plain; do go build $(RELEASED) -trimpath -ldflags '-s -w' -o "bin/bench$$part" "./bench/$${part#-}" || exit; done

# Reads of a real server, in some twenty minutes; nothing else should run on the machine.
bench: build bin/bench ## speed on a real Vault beside yardsticks, into docs/performance.md; PLUGIN, SETUP: another plugin; BENCH='-short'
	@$(if $(PROFILE),go build $(RELEASED) -trimpath -ldflags '$(LDFLAGS)' -pgo $(PROFILE) -o bin/bench-pgo ./cmd/vault-plugin-secrets-zoho)
	@vault=$$(scripts/vault-bin) && bin/bench -vault "$$vault" -plain bin/bench-plain -pgo "$(if $(PROFILE),bin/bench-pgo)" -plugin "$(PLUGIN)" -setup "$(SETUP)" -out docs $(BENCH)

# Cheap to make and compare; the recorded ones say what machine they are from.
benchmarks: bin/release.mod ## reads in process, six times each, compared with bench/baseline.txt; RECORD=1 records them instead
	@new=$$(mktemp) && trap 'rm -f "$$new"' EXIT && \
		go test $(RELEASED) -run '^$$' -bench Read -benchmem -benchtime 300ms -count 6 ./backend ./zoho >"$$new" && \
		if [ -n "$(RECORD)" ]; then cp "$$new" bench/baseline.txt; else cd scripts/tools && go tool benchstat ../../bench/baseline.txt "$$new"; fi

profile: bin/bench ## what the plugin does under load, for the compiler: bin/default.pgo; then make bench PROFILE=bin/default.pgo
	@vault=$$(scripts/vault-bin) && go build $(RELEASED) -trimpath -tags profile -pgo=off -o bin/profiled ./cmd/vault-plugin-secrets-zoho && \
		bin/bench -vault "$$vault" -engine bin/profiled -length 3000 -profile bin/default.pgo

# Only the package's own tests judge, or those of the ones named after =, and without the race detector, for speed. One mistake again: MUTATE='-only mint.go:45'.
mutate: ## MUTANTS (40; 0: all) small mistakes in PACKAGES, and those that no test notices; MUTATE='-for 10m -seed 2'
	@CGO_ENABLED=0 go run ./scripts/mutate -n $(MUTANTS) $(MUTATE) $(PACKAGES)

# What can go wrong and never does in a test is where the next defect is.
untaken: bin/release.mod ## ways to fail (error returns) that no test takes, unless scripts/untaken/reasons.txt says why none can
	@profile=$$(mktemp) && trap 'rm -f "$$profile"' EXIT && \
		CGO_ENABLED=0 go test $(RELEASED) -count=1 -coverpkg=./backend/...,./zoho -coverprofile="$$profile" ./backend ./zoho >/dev/null && \
		go run ./scripts/untaken "$$profile"

clean: ## remove what was built
	rm -rf bin dist .dev
