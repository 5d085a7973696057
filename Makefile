# Chartseal. `make help` lists the targets.

BIN      := build
PROGRAMS := ./client/cmd/... ./chaincode/cmd/... ./network/cmd/...
CHARTNET := $(BIN)/chartnet $(if $(TOPOLOGY),--topology $(TOPOLOGY)) $(if $(DIR),--dir $(DIR))

.DEFAULT_GOAL := help
.PHONY: help check-tools build sbom demo test test-long lint fuzz bench bench-abe bench-go bench-search soak faults up down status logs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16
	@echo
	@echo "  TOPOLOGY=FILE and DIR=DIRECTORY choose another network than $(BIN)/network."

demo: build ## start a network, then seal, search and open records on it; DATA=DIR takes your records
	@$(BIN)/chartseal-demo --bin $(BIN) --dir $(or $(DIR),$(BIN)/network) --work $(BIN)/demo $(if $(DATA),--data '$(DATA)')

test: lint ## run the tests, also those on a real network, and each fuzz target for 1s
	go test -short -race -timeout 30m ./...
	scripts/fuzz.sh 1s

test-long: check-tools ## run what test leaves out too: full sizes, long outages and floods, renewals for an hour
	CHARTSEAL_RENEWAL=1h go test -race -timeout 4h ./...
	HOSTILE_MIB=72 go test -timeout 1h -run 'TestHostileFiles|TestLongRecords' ./client/emr
	scripts/fuzz.sh 30s

lint: check-tools ## check format, width of comments, vet and staticcheck
	scripts/lint.sh

fuzz: check-tools ## run each fuzz target for TIME (default 60s)
	scripts/fuzz.sh $(or $(TIME),60s)

bench-abe: check-tools ## compare attribute-based encryption with gofe and circl; writes docs/bench-abe.md
	@mkdir -p $(BIN)
	go run ./abe/internal/bench -json $(BIN)/bench-abe.json -table docs/bench-abe.md

bench-go: check-tools ## measure single functions COUNT times (default 6) for benchstat; writes build/bench-go.txt
	@mkdir -p $(BIN)
	go test -run '^$$' -bench . -benchmem -count $(or $(COUNT),6) ./abe/... ./chaincode/contract ./client/emr ./client/envelope ./client/index | tee $(BIN)/bench-go.txt

check-tools:
	@scripts/check-tools.sh

# A build depends on the sources and the Go version, not on the directory or the C compiler.
build: check-tools ## compile all programs into build/
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ $(PROGRAMS)

sbom: check-tools ## list the modules of all programs and servers in build/sbom/, as CycloneDX JSON
	scripts/sbom.sh $(BIN)/sbom

bench-search: build ## measure search and import on a network of its own; QUICK=1 takes 3 minutes; DATA=DIR of FHIR bundles
	@$(BIN)/chartseal-bench search --bin $(BIN) --json $(BIN)/bench-search.json $(if $(QUICK),--quick --plots $(BIN)/bench,--table docs/benchmarks-search.md --plots docs/bench) \
		--data "$(or $(DATA),$(wildcard ../shared/data/fhir))"

bench: build ## compare with bare Fabric, kubo, age and gofe on a network of its own, then run bench-search; QUICK=1 takes 5 minutes
	@$(BIN)/chartseal-bench table --bin $(BIN) --json $(BIN)/bench.json $(if $(QUICK),--quick --plots $(BIN)/bench,--plots docs/bench --page docs/benchmarks.md)
	@$(if $(QUICK),,$(MAKE) --no-print-directory bench-search)

soak: build ## run a mixed load for MINUTES (default 20) on a network of its own
	@$(BIN)/chartseal-bench soak --bin $(BIN) --json $(BIN)/soak.json --minutes $(or $(MINUTES),20) $(if $(MINUTES),,--page docs/benchmarks.md)

faults: build ## play random faults for TIME (default 40m) on a network under load, then look for damage; SEED=N repeats a run
	@$(BIN)/chartseal-faults --bin $(BIN) --dir $(or $(DIR),$(BIN)/faults) --time $(or $(TIME),40m) $(if $(SEED),--seed $(SEED))

up: build ## start the development network; the first time this builds its servers
	@$(CHARTNET) up

# An old build of chartnet will do: a network can be stopped even if the tree does not compile.
$(BIN)/chartnet:
	CGO_ENABLED=0 go build -trimpath -o $@ ./network/cmd/chartnet

down: $(BIN)/chartnet ## stop the network and keep its ledgers and pins
	@$(CHARTNET) down

status: $(BIN)/chartnet ## list the processes of the network
	@$(CHARTNET) status

logs: $(BIN)/chartnet ## show the logs; NAME=HospitalA/peer selects a process, FOLLOW=1 follows
	@$(CHARTNET) logs $(NAME) $(if $(FOLLOW),-f)

clean: $(BIN)/chartnet ## stop the network and remove its directory; built servers stay cached
	@$(CHARTNET) clean
