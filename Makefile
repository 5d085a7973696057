# Chartseal. `make help` lists the targets.

BIN      := build
CHARTNET := $(BIN)/chartnet $(if $(TOPOLOGY),--topology $(TOPOLOGY)) $(if $(DIR),--dir $(DIR))

.DEFAULT_GOAL := help
.PHONY: help build up down status logs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16
	@echo
	@echo "  TOPOLOGY=FILE and DIR=DIRECTORY choose another network than the default in $(BIN)/network."

build: ## compile Chartseal's programs into build/
	@mkdir -p $(BIN)
	go build -o $(BIN)/ ./client/cmd/chartseal ./chaincode/cmd/chartseal-chaincode ./network/cmd/chartnet ./network/cmd/ccbuilder

up: build ## bring the development network up (the first time: after building its servers)
	@$(CHARTNET) up

down: build ## stop the network; ledgers and pins stay
	@$(CHARTNET) down

status: build ## show every process of the network
	@$(CHARTNET) status

logs: build ## show the logs; NAME=HospitalA/peer for one process, FOLLOW=1 to go on
	@$(CHARTNET) logs $(NAME) $(if $(FOLLOW),-f)

clean: build ## stop the network and remove its directory; the built servers stay cached
	@$(CHARTNET) clean
