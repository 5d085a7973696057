# Chartseal. `make help` lists the targets.

BIN      := build
CHARTNET := $(BIN)/chartnet $(if $(TOPOLOGY),--topology $(TOPOLOGY)) $(if $(DIR),--dir $(DIR))

.DEFAULT_GOAL := help
.PHONY: help check-tools build demo test lint fuzz bench bench-abe bench-go bench-search soak up down status logs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16
	@echo
	@echo "  TOPOLOGY=FILE and DIR=DIRECTORY choose another network than the default in $(BIN)/network."

demo: build ## set everything up and run the main job on real servers; DATA=dir takes your records
	@$(BIN)/chartseal-demo --bin $(BIN) --dir $(or $(DIR),$(BIN)/network) --work $(BIN)/demo $(if $(DATA),--data '$(DATA)')

test: lint ## run every test, those on a real network included, and each fuzz target briefly
	go test -race -timeout 30m ./...
	scripts/fuzz.sh 3s

lint: check-tools ## check format, vet and staticcheck
	scripts/lint.sh

fuzz: check-tools ## run each fuzz target for TIME (default 60s)
	scripts/fuzz.sh $(or $(TIME),60s)

bench-abe: check-tools ## measure attribute-based encryption beside gofe and circl: build/bench-abe.json, docs/bench-abe.md
	@mkdir -p $(BIN)
	go run ./abe/internal/bench -json $(BIN)/bench-abe.json -table docs/bench-abe.md

bench-go: check-tools ## measure single functions COUNT (default 6) times, for benchstat: build/bench-go.txt
	@mkdir -p $(BIN)
	go test -run '^$$' -bench . -benchmem -count $(or $(COUNT),6) ./abe/... ./chaincode/contract ./client/emr ./client/envelope ./client/index | tee $(BIN)/bench-go.txt

check-tools:
	@scripts/check-tools.sh

build: check-tools ## compile Chartseal's programs into build/
	@mkdir -p $(BIN)
	go build -o $(BIN)/ ./client/cmd/... ./chaincode/cmd/... ./network/cmd/...

bench-search: build ## measure search and import on a network of their own; QUICK=1 in 3 minutes, DATA=dir of FHIR bundles
	@$(BIN)/chartseal-bench search --bin $(BIN) --json $(BIN)/bench-search.json $(if $(QUICK),--quick --plots $(BIN)/bench,--table docs/benchmarks-search.md --plots docs/bench) \
		--data "$(or $(DATA),$(wildcard ../shared/data/fhir))"

bench: build ## hold everything against bare Fabric, kubo, age and gofe on a network of its own, then bench-search; QUICK=1 in 5 minutes
	@$(BIN)/chartseal-bench table --bin $(BIN) --json $(BIN)/bench.json $(if $(QUICK),--quick --plots $(BIN)/bench,--plots docs/bench --page docs/benchmarks.md)
	@$(if $(QUICK),,$(MAKE) --no-print-directory bench-search)

soak: build ## mixed load at a fixed rate for MINUTES (default 20) on a network of its own
	@$(BIN)/chartseal-bench soak --bin $(BIN) --json $(BIN)/soak.json --minutes $(or $(MINUTES),20) $(if $(MINUTES),,--page docs/benchmarks.md)

up: build ## bring the development network up (the first time: after building its servers)
	@$(CHARTNET) up

# A network must be stoppable also when the tree does not compile: what was built will do.
$(BIN)/chartnet:
	go build -o $@ ./network/cmd/chartnet

down: $(BIN)/chartnet ## stop the network; ledgers and pins stay
	@$(CHARTNET) down

status: $(BIN)/chartnet ## show every process of the network
	@$(CHARTNET) status

logs: $(BIN)/chartnet ## show the logs; NAME=HospitalA/peer for one process, FOLLOW=1 to go on
	@$(CHARTNET) logs $(NAME) $(if $(FOLLOW),-f)

clean: $(BIN)/chartnet ## stop the network and remove its directory; the built servers stay cached
	@$(CHARTNET) clean
