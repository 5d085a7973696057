#!/usr/bin/env bash
# comment-width.sh FILE... lists the full-line comments of Go files that are wider than 90
# columns. A tab counts as 4. Exits 1 if there are any.
#
# Exempt are directives, preformatted lines, tables, the output of examples, generated
# files, and lines with a word that is too long by itself, such as a URL.
set -euo pipefail
LC_ALL=C exec awk -v width=90 '
	function columns(s) {
		gsub(/[\200-\277]/, "", s) # a character of UTF-8 counts once
		gsub(/\t/, "    ", s)
		return length(s)
	}
	FNR == 1 { generated = raw = output = list = 0 }
	/^\/\/ Code generated .* DO NOT EDIT\.$/ { generated = 1 }
	!/^\t*\/\// { # code
		output = list = 0
		gsub(/["\047]`["\047]/, "")
		raw += gsub(/`/, "") # an odd backquote opens a raw string
		next
	}
	raw % 2 { next }
	/^\t*\/\/ (Unordered output|Output):/ { output = 1 }
	generated || output || !/^\t*\/\/ / { next }
	{
		text = $0
		sub(/^\t*\/\/ /, "", text)
		list = text ~ /^ +(-|[0-9]+\.) / || list && text ~ /^ /
	}
	columns($0) > width {
		indent = columns($0) - columns(text)
		if (text ~ /^\t/ || text ~ /^ / && !list || text ~ /^\|/ || text ~ /[^ ]   /)
			next
		for (i = split(text, words, / +/); i > 0; i--)
			if (indent + columns(words[i]) > width)
				next
		printf "%s:%d: the comment has %d columns: wrap it at %d\n", FILENAME, FNR, columns($0), width
		found = 1
	}
	END { exit found }
' "$@"
