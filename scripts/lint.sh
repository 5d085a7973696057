#!/usr/bin/env bash
# Checks the whole module: gofmt, the width of comments, go vet and staticcheck.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(git ls-files -z -- '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted" >&2
	exit 1
fi
git ls-files -z -- '*.go' | xargs -0 scripts/comment-width.sh >&2
go vet ./...
go tool staticcheck ./...
