#!/usr/bin/env bash
# Writes a software bill of materials of the programs and of each server into the directory
# DIR, as CycloneDX JSON. Equal sources and an equal Go version give equal files.
set -euo pipefail
if [ $# != 1 ]; then
	echo "usage: scripts/sbom.sh DIR" >&2
	exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
list() { # list NAME MODULE
	go tool -modfile=scripts/sbom/go.mod cyclonedx-gomod mod -json -std -noserial -notimestamp -output "$dir/$1.json" "$2"
}
list chartseal .
export GOFLAGS=-tags=tools # the programs of a server are imported under this tag
for server in network/servers/*/; do
	list "$(basename "$server")" "$server"
done
