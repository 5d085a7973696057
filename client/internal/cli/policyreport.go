package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/internal/words"
)

// A policyReport is the output of 'policy check --json'.
type policyReport struct {
	Policy      string           `json:"policy"` // canonical form
	Authorities []string         `json:"authorities"`
	Attributes  []attributeCheck `json:"attributes"`
	Stanzas     int              `json:"stanzas"` // how often the key is wrapped
	Spans       []string         `json:"spans"`   // to what, each; any one opens
	Reused      []string         `json:"reused"`  // attributes that stand in several places of the text
	Sets        [][]string       `json:"sets"`    // smallest sets of attributes that satisfy it
	MoreSets    bool             `json:"moreSets"`
	Users       []userCheck      `json:"users"`
	Ledger      bool             `json:"ledger"` // the attributes were compared with the published ones

	Alone       []string       `json:"alone"`       // authorities each of which could open it
	Pairs       [][2]string    `json:"pairs"`       // pairs of authorities that could together, neither of them alone
	Redundant   []partCheck    `json:"redundant"`   // could be left out without changing who opens
	Analysed    bool           `json:"analysed"`    // whether redundancy was worked out; a very branched policy is not
	Unknown     []unknownCheck `json:"unknown"`     // attributes that nobody has published
	Never       []partCheck    `json:"never"`       // parts that published attributes cannot satisfy
	Satisfiable bool           `json:"satisfiable"` // by published attributes, as far as they were asked for
}

type attributeCheck struct {
	Name       string `json:"name"`
	Published  *bool  `json:"published"` // null when the ledger was not asked
	Version    int    `json:"version,omitempty"`
	Suggestion string `json:"suggestion,omitempty"`
}

type userCheck struct {
	User      string       `json:"user"`
	Satisfied bool         `json:"satisfied"`
	Held      []string     `json:"held"`    // attribute keys in the wallet
	Missing   []string     `json:"missing"` // a smallest set that would satisfy the policy together with them
	Stale     []staleCheck `json:"stale"`   // held, but not in the published version
}

type staleCheck struct {
	Attribute string `json:"attribute"`
	Held      []int  `json:"held"`
	Needed    int    `json:"needed"`
}

// A partCheck is a part of the policy, and where it begins.
type partCheck struct {
	Text string `json:"text"`
	place
}

type unknownCheck struct {
	Name string `json:"name"`
	place
	Suggestions []string `json:"suggestions"`
}

// maxSets bounds the listed ways to satisfy a policy, maxPairs the pairs of authorities
// in the text output.
const (
	maxSets  = 12
	maxPairs = 6
)

// newPolicyReport describes a policy, without the users of the wallet. published is nil
// if the ledger was not asked.
func newPolicyReport(text string, p *policy.Policy, spans []*policy.Span, published map[string]int) policyReport {
	var names []string
	if published != nil {
		names = append([]string{}, slices.Sorted(maps.Keys(published))...) // not nil, which would mean all
	}
	found := p.Lint(names)
	r := policyReport{
		Policy: found.Policy, Authorities: found.Authorities, Stanzas: len(spans), Ledger: published != nil, Users: []userCheck{},
		Alone: append([]string{}, found.Alone...), Pairs: append([][2]string{}, found.Pairs...), Analysed: found.Analysed,
		Redundant: parts(text, found.Redundant), Never: parts(text, found.Dead), Satisfiable: found.Satisfiable,
		Unknown: []unknownCheck{}, Spans: []string{}, Reused: []string{},
	}
	for _, u := range found.Unpublished {
		r.Unknown = append(r.Unknown, unknownCheck{u.Attribute, placeOf(text, u.Offset), append([]string{}, u.Suggestions...)})
	}
	for _, s := range spans {
		r.Spans = append(r.Spans, s.String())
	}
	r.Reused = reused(spans)
	for _, name := range p.Attributes() {
		check := attributeCheck{Name: name}
		if r.Ledger {
			version, ok := published[name]
			check.Published, check.Version = &ok, version
			if near := policy.Suggest(name, names); !ok && len(near) > 0 {
				check.Suggestion = near[0]
			}
		}
		r.Attributes = append(r.Attributes, check)
	}
	sets, complete := p.MinimalSets(maxSets)
	r.Sets, r.MoreSets = sets, !complete
	return r
}

func parts(text string, found []policy.Part) []partCheck {
	out := []partCheck{}
	for _, p := range found {
		out = append(out, partCheck{p.Text, placeOf(text, p.Offset)})
	}
	return out
}

// reused lists the attributes that occur more than once in the span programs. They are
// the reason for several stanzas.
func reused(spans []*policy.Span) []string {
	count := make(map[string]int)
	for _, s := range spans {
		for _, row := range s.Rows() {
			count[row.Attribute]++
		}
	}
	twice := []string{}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if count[name] > 1 {
			twice = append(twice, name)
		}
	}
	return twice
}

func (a *app) printPolicy(r policyReport) error {
	if a.global.json {
		return a.printJSON(r)
	}
	var rows labelled
	rows.add("policy", r.Policy)
	rows.add("stanzas", r.stanzas()...)
	for _, c := range r.Attributes {
		rows.add("attributes", c.Name+c.state())
	}
	rows.add("satisfied", r.satisfied()...)
	for _, u := range r.Users {
		rows.add("users", u.lines()...)
	}
	rows.add("warning", r.warnings()...)
	return a.printf("%s", rows.String())
}

func (c attributeCheck) state() string {
	switch {
	case c.Published == nil:
		return ""
	case *c.Published:
		return fmt.Sprintf("  (published, version %d)", c.Version)
	case c.Suggestion != "":
		return fmt.Sprintf("  (NOT PUBLISHED; did you mean %s?)", c.Suggestion)
	}
	return "  (NOT PUBLISHED)"
}

// stanzas describes the stanzas, if they are not simply the policy.
func (r *policyReport) stanzas() []string {
	lines := []string{fmt.Sprint(r.Stanzas)}
	if r.Stanzas == 1 {
		if r.Spans[0] != r.Policy {
			lines = append(lines, "rewritten as "+r.Spans[0])
		}
		return lines
	}
	lines[0] += fmt.Sprintf(": split at 'or', because %s would be in one of them twice; any one of them opens the record",
		strings.Join(r.Reused, ", "))
	for _, s := range r.Spans {
		lines = append(lines, "to "+s)
	}
	return lines
}

func (r *policyReport) satisfied() []string {
	var lines []string
	for _, set := range r.Sets {
		lines = append(lines, "by "+strings.Join(set, " and "))
	}
	switch {
	case len(r.Sets) == 0:
		return []string{"by nobody"}
	case r.MoreSets:
		lines = append(lines, "and in more ways")
	}
	return lines
}

func (u userCheck) lines() []string {
	if u.Satisfied {
		return []string{"yes  " + u.User}
	}
	lines := []string{fmt.Sprintf("no   %s, lacks %s", u.User, strings.Join(u.Missing, " and "))}
	for _, s := range u.Stale {
		lines = append(lines, fmt.Sprintf("     holds %s of %s, and version %d is published: 'chartseal --user %s keys request'",
			versionsText(s.Held), s.Attribute, s.Needed, u.User))
	}
	return lines
}

func versionsText(versions []int) string {
	text := "version"
	if len(versions) > 1 {
		text += "s"
	}
	for i, v := range versions {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %d", v)
	}
	return text
}

func (r *policyReport) warnings() []string {
	var lines []string
	for _, authority := range r.Alone {
		lines = append(lines, authority+" alone could open it: its authority can issue itself the keys")
	}
	for i, pair := range r.Pairs {
		if i == maxPairs {
			lines = append(lines, fmt.Sprintf("so could %d more pairs", len(r.Pairs)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s and %s together could open it: their authorities can issue the keys", pair[0], pair[1]))
	}
	for _, p := range r.Redundant {
		lines = append(lines, fmt.Sprintf("redundant: %s at line %d, column %d changes nothing", p.Text, p.Line, p.Column))
	}
	if !r.Analysed {
		lines = append(lines, "redundancy was not checked: the policy has too many branches")
	}
	for _, p := range r.Never {
		lines = append(lines, fmt.Sprintf("never satisfied: %s at line %d, column %d needs unpublished attributes", p.Text, p.Line, p.Column))
	}
	if !r.Satisfiable {
		lines = append(lines, "nobody can open it: published attributes do not satisfy it")
	}
	return lines
}

// labelled is text in rows, grouped by label. Each label is written once.
type labelled struct {
	strings.Builder
	last string
}

func (l *labelled) add(label string, lines ...string) {
	for _, line := range lines {
		shown := label
		if label == l.last {
			shown = ""
		}
		l.last = label
		fmt.Fprintf(l, "%-11s %s\n", shown, words.Clean(line))
	}
}
