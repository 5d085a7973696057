package authority

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe/policy"
)

// Rules is an authority's rule file: which certificate attributes give which attributes
// of policies. RULES.md beside this file is the manual. In YAML:
//
//	rules:
//	  - grant: role={role}              # a certificate of this hospital with role=nurse gets HospitalA:role=nurse ...
//	    values: [doctor, nurse]         # ... for these values
//	  - grant: visitor=oncology         # visiting rights: HospitalA vouches for a doctor of HospitalB
//	    members: [HospitalB]
//	    when: {role: doctor, department: oncology}
//	  - grant: clearance={clearance}    # a number from 0 to 7, for policies such as HospitalA:clearance>=3
//	    number: {max: 7}
//
// The authority's own MSP ID is put before each name; a rule cannot grant anything else.
type Rules struct {
	Rules []Rule `json:"rules" yaml:"rules"`
}

// A Rule grants one attribute to everyone who meets all of its conditions.
type Rule struct {
	// Grant is the attribute without its authority: name, name=value, or
	// name={attribute}, which takes the value from the certificate attribute of that
	// name.
	Grant string `json:"grant" yaml:"grant"`
	// Values are the allowed values for name={attribute}; "*" alone allows any.
	Values []string `json:"values,omitempty" yaml:"values,omitempty"`
	// Number makes the value of name={attribute} a number that policies can compare.
	Number *Number `json:"number,omitempty" yaml:"number,omitempty"`
	// When lists certificate attributes that must have the given value; "*" is any value
	// but none.
	When map[string]string `json:"when,omitempty" yaml:"when,omitempty"`
	// Members are the MSP IDs whose people this rule is for; empty is the authority's
	// own, "*" alone is all of the channel.
	Members []string `json:"members,omitempty" yaml:"members,omitempty"`
	// Holders are the GIDs (MSPID/enrolment-id) of the only people this rule is for. It
	// replaces Members.
	Holders []string `json:"holders,omitempty" yaml:"holders,omitempty"`
}

// A Number bounds a numeric attribute. Its max decides how many public keys are needed,
// about 2*max + 32; above 1023 they are published when first needed.
type Number struct {
	Max int `json:"max" yaml:"max"`
}

// DayAttribute can stand for a certificate attribute in a rule: the number of the day of
// issue, counted from 1 January 2000 UTC. With it a policy can ask for keys that were
// issued since some day.
const DayAttribute = "@day"

const (
	anyValue        = "*"
	maxRules        = 1000
	maxPublishedMax = 1023 // numbers up to here are published up front
)

// DefaultRules apply until a hospital writes its own: they grant role and department to
// its own people.
func DefaultRules() Rules {
	return Rules{Rules: []Rule{
		{Grant: "role={role}", Values: []string{
			"doctor", "nurse", "pharmacist", "therapist", "technician", "researcher", "custodian", "admin", "authority", "auditor"}},
		{Grant: "department={department}", Values: []string{
			"cardiology", "oncology", "radiology", "emergency", "surgery", "neurology", "paediatrics", "intensive-care", "pathology", "psychiatry"}},
	}}
}

// A Mapping is a checked rule file of one authority.
type Mapping struct {
	authority string
	rules     []mapped
}

type mapped struct {
	Rule
	name   string // the attribute's name
	value  string // its fixed value, or empty
	source string // the certificate attribute that its value comes from, or empty
}

// NewMapping checks the rules for an authority.
//
// Errors:
//   - ErrRules if a rule is not valid; the text names it.
func NewMapping(authority string, rules Rules) (*Mapping, error) {
	if len(rules.Rules) == 0 || len(rules.Rules) > maxRules {
		return nil, fmt.Errorf("%w: want 1 to %d rules, have %d", ErrRules, maxRules, len(rules.Rules))
	}
	m := &Mapping{authority: authority}
	for i, r := range rules.Rules {
		parsed, err := m.check(r)
		if err != nil {
			return nil, fmt.Errorf("%w: rule %d (grant %.60q): %v", ErrRules, i+1, r.Grant, err)
		}
		m.rules = append(m.rules, parsed)
	}
	return m, nil
}

func (m *Mapping) check(r Rule) (mapped, error) {
	out := mapped{Rule: r}
	name, value, hasValue := strings.Cut(r.Grant, "=")
	out.name, out.value = name, value
	if strings.HasPrefix(value, "{") {
		out.source = strings.TrimSuffix(value[1:], "}")
		out.value = ""
		if !strings.HasSuffix(value, "}") || out.source == "" || strings.ContainsAny(out.source, "{}") {
			return out, fmt.Errorf("want name={attribute}")
		}
	} else if hasValue && value == "" {
		return out, fmt.Errorf("empty value")
	}
	if strings.HasPrefix(out.value, "[") {
		return out, fmt.Errorf("a value cannot begin with '[': use number")
	}
	if _, err := policy.ParseAttribute(m.attribute(out.name, out.value)); err != nil {
		return out, err
	}
	if strings.Contains(out.name, ":") {
		return out, fmt.Errorf("write the name without its authority: it is always %s", m.authority)
	}
	if err := out.checkValues(m); err != nil {
		return out, err
	}
	return out, out.checkPeople()
}

func (r *mapped) checkValues(m *Mapping) error {
	switch {
	case r.source == "" && (len(r.Values) > 0 || r.Number != nil):
		return fmt.Errorf("values and number go with name={attribute} only")
	case r.source == "":
		return nil
	case r.Number != nil && len(r.Values) > 0:
		return fmt.Errorf("give values or number, not both")
	case r.Number != nil && len(m.attribute(r.name, "[32768..65535]")) > policy.MaxName:
		return fmt.Errorf("number: the name is too long")
	case r.Number != nil && (r.Number.Max < 1 || r.Number.Max > policy.MaxNumber):
		return fmt.Errorf("number: max is %d: want 1 to %d", r.Number.Max, policy.MaxNumber)
	case r.Number != nil:
		return nil
	case len(r.Values) == 0:
		return fmt.Errorf(`list the allowed values, or ["*"] for any`)
	case slices.Contains(r.Values, anyValue) && len(r.Values) > 1:
		return fmt.Errorf(`"*" stands alone`)
	case r.Values[0] == anyValue:
		return nil
	}
	for _, v := range r.Values {
		if _, err := policy.ParseAttribute(m.attribute(r.name, v)); err != nil || v == "" || v[0] == '[' {
			return fmt.Errorf("value %.60q is not valid", v)
		}
	}
	return nil
}

func (r *mapped) checkPeople() error {
	if len(r.Holders) > 0 && len(r.Members) > 0 {
		return fmt.Errorf("give members or holders, not both")
	}
	if slices.Contains(r.Members, anyValue) && len(r.Members) > 1 {
		return fmt.Errorf(`members: "*" stands alone`)
	}
	for _, h := range r.Holders {
		if msp, id, ok := strings.Cut(h, "/"); !ok || msp == "" || id == "" {
			return fmt.Errorf("holder %.60q: want MSPID/enrolment-id", h)
		}
	}
	for attribute, want := range r.When {
		if attribute == "" || want == "" {
			return fmt.Errorf("when: empty name or value")
		}
	}
	// A fixed attribute without any condition on the certificate is for every member of
	// the hospital: that is allowed for the authority's own people and for named holders,
	// and too much for strangers.
	if slices.Contains(r.Members, anyValue) && r.source == "" && len(r.When) == 0 {
		return fmt.Errorf("would give a fixed attribute to everyone in the consortium: add a condition")
	}
	return nil
}

func (m *Mapping) attribute(name, value string) string {
	return policy.Attribute{Authority: m.authority, Name: name, Value: value}.String()
}

// Attributes lists the names to publish before anyone seals, sorted: all that the rules
// can grant, except wildcards and large numbers, which are published when first needed
// (see [Mapping.Covers]).
func (m *Mapping) Attributes() []string {
	var out []string
	for _, r := range m.rules {
		switch {
		case r.source == "":
			out = append(out, m.attribute(r.name, r.value))
		case r.Number != nil && r.Number.Max <= maxPublishedMax:
			out = append(out, policy.NumberUniverse(m.authority, r.name, uint16(r.Number.Max))...)
		case r.Number == nil && r.Values[0] != anyValue:
			for _, v := range r.Values {
				out = append(out, m.attribute(r.name, v))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Covers reports whether the rules can grant the named attribute to somebody, wildcards
// and large numbers included, so that its key is worth publishing.
func (m *Mapping) Covers(attribute string) bool {
	a, err := policy.ParseAttribute(attribute)
	if err != nil || a.Authority != m.authority {
		return false
	}
	for _, r := range m.rules {
		if r.name != a.Name {
			continue
		}
		interval := strings.HasPrefix(a.Value, "[")
		switch {
		case r.source == "" && a.Value == r.value,
			r.Number != nil && interval,
			r.source != "" && r.Number == nil && !interval && a.Value != "" && r.allows(a.Value):
			return true
		}
	}
	return false
}

func (r *mapped) allows(value string) bool {
	return r.Values[0] == anyValue || slices.Contains(r.Values, value)
}

// Grant lists the names of the attributes that the holder has, sorted. It depends on
// nothing but its arguments.
func (m *Mapping) Grant(h *Holder, now time.Time) []string {
	var out []string
	for _, r := range m.rules {
		if !r.fits(m.authority, h) {
			continue
		}
		if r.source == "" {
			out = append(out, m.attribute(r.name, r.value))
			continue
		}
		value := h.Attributes[r.source]
		if r.source == DayAttribute {
			value = strconv.FormatInt(now.Unix()/86400-daysTo2000, 10)
		}
		switch {
		case value == "":
		case r.Number != nil:
			if v, err := strconv.ParseUint(value, 10, 16); err == nil && int(v) <= r.Number.Max {
				out = append(out, policy.NumberAttributes(m.authority, r.name, uint16(v))...)
			}
		case r.allows(value) && value[0] != '[':
			name := m.attribute(r.name, value)
			if _, err := policy.ParseAttribute(name); err == nil { // a wildcard may meet a value that is no valid name
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

const daysTo2000 = 10957 // from 1 January 1970

// fits tells whether the rule's conditions on the person hold.
func (r *mapped) fits(authority string, h *Holder) bool {
	switch {
	case len(r.Holders) > 0:
		if !slices.Contains(r.Holders, h.GID()) {
			return false
		}
	case len(r.Members) == 0:
		if h.MSP != authority {
			return false
		}
	case r.Members[0] != anyValue && !slices.Contains(r.Members, h.MSP):
		return false
	}
	for attribute, want := range r.When {
		have := h.Attributes[attribute]
		if have == "" || want != anyValue && want != have {
			return false
		}
	}
	return true
}
