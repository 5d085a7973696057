#!/usr/bin/env bash
# Lists missing prerequisites and how to install them on Debian. Exits 1 if there are any.
set -u
missing=0
need() { # need COMMAND PACKAGE WHY
	command -v "$1" >/dev/null 2>&1 && return
	echo "chartseal: missing: $1 ($3); on Debian: apt-get install $2" >&2
	missing=1
}
need git git "to fetch modules"
need gcc gcc "cgo: Fabric CA's database and Go's race detector"
if ! command -v go >/dev/null 2>&1; then
	echo "chartseal: missing: go 1.26.5 or later; see https://go.dev/dl" >&2
	missing=1
else
	version=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*$//')
	if [ "$(printf '%s\n' 1.26.5 "$version" | sort -V | head -n 1)" != 1.26.5 ]; then
		echo "chartseal: go $version is too old: 1.26.5 or later is needed; see https://go.dev/dl" >&2
		missing=1
	fi
fi
exit $missing
