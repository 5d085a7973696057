package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// Rules decide the policy and scope of each record. The first rule that matches applies.
type Rules struct {
	Rules []*Rule `yaml:"rules"`
}

// A Rule applies to the records that it matches.
type Rule struct {
	Name       string   `yaml:"name"` // for messages; empty means "rule N"
	Match      Match    `yaml:"match"`
	Policy     string   `yaml:"policy"`
	Scope      string   `yaml:"scope"`    // of the index; empty means the job's
	NoIndex    bool     `yaml:"no-index"` // not indexed: only its record id finds it
	Keywords   []string `yaml:"keywords"`
	PatientKey string   `yaml:"patient-key"` // the patient's age recipient

	// Incomplete lets the rule take a record that was not read in full, even if an
	// earlier rule might match what was not read.
	Incomplete bool `yaml:"incomplete"`
}

// A Match holds if each of its lists is empty or has a value that matches. An empty Match
// holds for every record.
type Match struct {
	Path            list `yaml:"path"`            // glob over the path below the source: * within a name, ** across names
	Kind            list `yaml:"kind"`            // glob, such as fhir:* or hl7v2:ORU^*
	Organisation    list `yaml:"organisation"`    // glob
	Department      list `yaml:"department"`      // glob
	Confidentiality list `yaml:"confidentiality"` // HL7 v3 codes: U, L, M, N, R, V; "none" for a record without one
	Code            list `yaml:"code"`            // prefix of a code: icd10:F, snomed:44054006

	path, kind, organisation, department globs
	codes                                []codePrefix
}

// Confidentialities are the codes of HL7 v3 Confidentiality (2.16.840.1.113883.5.25), and
// "none".
var Confidentialities = []string{"U", "L", "M", "N", "R", "V", "none"}

const noConfidentiality = "none"

// list is a YAML sequence of texts, or one text.
type list []string

func (l *list) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		var one string
		if err := n.Decode(&one); err != nil {
			return err
		}
		*l = list{one}
		return nil
	}
	var many []string
	if err := n.Decode(&many); err != nil {
		return err
	}
	if len(many) == 0 {
		return fmt.Errorf("line %d: an empty list matches nothing", n.Line)
	}
	*l = many
	return nil
}

// ParseRules reads a rule file.
//
// Errors:
//   - client.ErrInvalid if the file has a mistake. The text names the rule.
func ParseRules(text []byte) (*Rules, error) {
	var r Rules
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%s", yamlMessage(err))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "more than one YAML document")
	}
	return &r, r.check()
}

// yamlMessage is the decoder's first error, without the names of our types.
func yamlMessage(err error) string {
	var e *yaml.TypeError
	if errors.As(err, &e) && len(e.Errors) > 0 {
		message, _, _ := strings.Cut(e.Errors[0], " in type ")
		return message
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// OneRule returns rules with one rule, for every record. Its errors are those of
// [ParseRules].
func OneRule(r Rule) (*Rules, error) {
	all := &Rules{Rules: []*Rule{&r}}
	return all, all.check()
}

// Or returns rules with another one at the end. Its errors are those of [ParseRules].
func (r *Rules) Or(last Rule) (*Rules, error) {
	all := &Rules{Rules: append(slices.Clone(r.Rules), &last)}
	return all, all.check()
}

func (r *Rules) check() error {
	if len(r.Rules) == 0 {
		return ledger.Errorf(ledger.ErrInvalid, "there are no rules")
	}
	names := make(map[string]bool)
	for i, rule := range r.Rules {
		if rule == nil {
			return ledger.Errorf(ledger.ErrInvalid, "rule %d is empty", i+1)
		}
		label := fmt.Sprintf("rule %d", i+1)
		if rule.Name == "" {
			rule.Name = label
		} else {
			label += " (" + rule.Name + ")"
		}
		if names[rule.Name] {
			return ledger.Errorf(ledger.ErrInvalid, "%s: another rule has this name", label)
		}
		names[rule.Name] = true
		if err := rule.check(); err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
		if rule.Match.all() && i < len(r.Rules)-1 {
			return ledger.Errorf(ledger.ErrInvalid, "%s matches everything, so the rules after it never apply: put it last", label)
		}
	}
	return nil
}

func (r *Rule) check() error {
	if strings.TrimSpace(r.Policy) == "" {
		return ledger.Errorf(ledger.ErrInvalid, "it has no policy")
	}
	p, err := policy.Parse(r.Policy)
	if err != nil {
		return ledger.Errorf(ledger.ErrInvalid, "%v", err)
	}
	r.Policy = p.String()
	if r.NoIndex && (r.Scope != "" || len(r.Keywords) > 0) {
		return ledger.Errorf(ledger.ErrInvalid, "no-index contradicts scope and keywords")
	}
	for _, k := range r.Keywords {
		if strings.TrimSpace(k) == "" {
			return ledger.Errorf(ledger.ErrInvalid, "a keyword is empty")
		}
	}
	if r.PatientKey != "" {
		if _, err := envelope.Recipients(r.PatientKey); err != nil {
			return ledger.Errorf(ledger.ErrInvalid, "patient-key: %v", err)
		}
	}
	return r.Match.compile()
}

func (m *Match) all() bool {
	return len(m.Path)+len(m.Kind)+len(m.Organisation)+len(m.Department)+len(m.Confidentiality)+len(m.Code) == 0
}

// reads reports whether the match depends on the record's content.
func (m *Match) reads() bool {
	return len(m.Kind)+len(m.Organisation)+len(m.Department)+len(m.Confidentiality)+len(m.Code) > 0
}

func (m *Match) compile() error {
	for _, g := range []struct {
		name string
		from list
		to   *globs
		path bool
	}{{"path", m.Path, &m.path, true}, {"kind", m.Kind, &m.kind, false}, {"organisation", m.Organisation, &m.organisation, false},
		{"department", m.Department, &m.department, false}} {
		*g.to = nil
		for _, pattern := range g.from {
			if strings.TrimSpace(pattern) == "" {
				return ledger.Errorf(ledger.ErrInvalid, "match: an empty %s matches nothing", g.name)
			}
			*g.to = append(*g.to, newGlob(pattern, g.path))
		}
	}
	for i, c := range m.Confidentiality {
		at := slices.IndexFunc(Confidentialities, func(known string) bool { return strings.EqualFold(known, c) })
		if at < 0 {
			return ledger.Errorf(ledger.ErrInvalid, "match: confidentiality %q is none of %s", c, strings.Join(Confidentialities, ", "))
		}
		m.Confidentiality[i] = Confidentialities[at]
	}
	m.codes = nil
	for _, c := range m.Code {
		p, err := parseCodePrefix(c)
		if err != nil {
			return err
		}
		m.codes = append(m.codes, p)
	}
	return nil
}

// matches reports whether a record matches. Its paths are its own, and those of the
// archives around it.
func (m *Match) matches(paths []string, d emr.Document) bool {
	return m.path.any(paths...) && m.kind.any(d.Kind) && m.organisation.any(d.Organisations...) && m.department.any(d.Departments...) &&
		m.confidential(d.Confidentiality) && m.coded(d.Codes)
}

func (m *Match) confidential(codes []string) bool {
	if len(m.Confidentiality) == 0 {
		return true
	}
	if len(codes) == 0 {
		return slices.Contains(m.Confidentiality, noConfidentiality)
	}
	return slices.ContainsFunc(codes, func(c string) bool { return slices.Contains(m.Confidentiality, strings.ToUpper(c)) })
}

func (m *Match) coded(codes []index.Code) bool {
	return len(m.codes) == 0 || slices.ContainsFunc(codes, func(c index.Code) bool {
		return slices.ContainsFunc(m.codes, func(p codePrefix) bool { return p.matches(c) })
	})
}

// A codePrefix is a code as a query asks for it, or the beginning of a code of a system
// that has no hierarchy.
type codePrefix struct {
	pattern      index.CodePattern
	system, code string
}

func parseCodePrefix(text string) (codePrefix, error) {
	system, code, ok := strings.Cut(text, ":")
	system = strings.ToLower(strings.TrimSpace(system))
	if !ok || plainCode(code) == "" || !slices.Contains(index.CodePrefixes, system) {
		return codePrefix{}, ledger.Errorf(ledger.ErrInvalid, "match: code %q is not the beginning of a code such as icd10:F or snomed:44054006 (systems: %s)",
			text, strings.Join(index.CodePrefixes, ", "))
	}
	pattern, err := index.ParseCodePattern(system + ":" + strconv.Quote(strings.TrimSpace(code)))
	var at *index.QueryError
	if errors.As(err, &at) {
		return codePrefix{}, ledger.Errorf(ledger.ErrInvalid, "match: code %q: %s; %s", text, at.Message, at.Hint)
	}
	return codePrefix{pattern, system, plainCode(code)}, err
}

// matches reports whether a record with the code matches, whatever the record says of it:
// a diagnosis that was ruled out is as confidential as others.
func (p codePrefix) matches(c index.Code) bool {
	return p.pattern.Matches(c) || index.Prefix(c.System) == p.system && strings.HasPrefix(plainCode(c.Code), p.code)
}

// plainCode makes codes with and without dots comparable.
func plainCode(s string) string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(s), ".", ""))
}

// reads reports whether a record must be read to find its rule.
func (r *Rules) reads() bool {
	return slices.ContainsFunc(r.Rules, func(rule *Rule) bool { return rule.Match.reads() })
}

// find returns the rule of a record: the first one that matches.
//
// A record that was not read in full gets the rule that it would get in any case,
// whatever its other parts say. Otherwise it gets the first matching rule only if that
// rule says incomplete.
//
// Errors:
//   - errNoRule if no rule matches.
//   - an incompleteError if the unread part could change the rule.
func (r *Rules) find(paths []string, d emr.Document) (*Rule, error) {
	open := false // an earlier rule might match the unread part
	for _, rule := range r.Rules {
		m := &rule.Match
		switch {
		case m.matches(paths, d):
			if len(d.Incomplete) == 0 || rule.Incomplete || !open && m.certain(d) {
				return rule, nil
			}
			return nil, &incompleteError{rule.Name, d.Incomplete[0]}
		case len(d.Incomplete) > 0 && m.possible(paths, d):
			open = true
		}
	}
	return nil, errNoRule
}
