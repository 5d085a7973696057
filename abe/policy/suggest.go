package policy

import (
	"sort"
	"strings"
)

const maxSuggestions = 3

// Suggest lists the names that are similar to name, the nearest first. Similar names
// differ in a few letters, in case, or only in the authority.
func Suggest(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	want := strings.ToLower(name)
	_, wantRest, _ := strings.Cut(want, ":")
	seen := map[string]bool{}
	for _, n := range names {
		if a, err := ParseAttribute(n); err == nil && strings.HasPrefix(a.Value, "[") {
			a.Value = "" // all intervals of a number count as one name
			n = a.String()
		}
		if seen[n] || n == name {
			continue
		}
		seen[n] = true
		have := strings.ToLower(n)
		d := distance(want, have)
		if _, rest, ok := strings.Cut(have, ":"); ok && rest == wantRest && rest != "" {
			d = min(d, 2)
		}
		if d <= 1+len(want)/6 {
			near = append(near, candidate{n, d})
		}
	}
	sort.Slice(near, func(i, j int) bool {
		if near[i].distance != near[j].distance {
			return near[i].distance < near[j].distance
		}
		return near[i].name < near[j].name
	})
	var out []string
	for _, c := range near[:min(len(near), maxSuggestions)] {
		out = append(out, c.name)
	}
	return out
}

// distance returns the number of edits between a and b: insertions, deletions,
// replacements, and swaps of neighbouring letters (optimal string alignment).
func distance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
