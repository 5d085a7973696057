#!/usr/bin/env bash
# Runs every fuzz target of the module for a short time each: fuzz.sh [TIME, default 3s].
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-3s}
git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u | while read -r dir; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | while read -r target; do
		echo "fuzz $dir $target"
		go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" </dev/null
	done
done
