#!/usr/bin/env bash
# Formatting, vet and staticcheck over the whole module.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(git ls-files -z -- '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted" >&2
	exit 1
fi
go vet ./...
go tool staticcheck ./...
