package authority

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/abe/policy"
)

// documented is the rule file of RULES.md, and a rule for everyone.
func documented(t testing.TB) Rules {
	t.Helper()
	page, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```yaml\n")
	text, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("RULES.md has no example")
	}
	return parseRules(t, text+`
  - grant: member={hf.Affiliation}
    members: ["*"]
    values: [x]
`)
}

func parseRules(t testing.TB, text string) Rules {
	t.Helper()
	var r Rules
	if err := yaml.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGrant(t *testing.T) {
	m, err := NewMapping("HospitalA", documented(t))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	number := func(v uint16) []string { return policy.NumberAttributes("HospitalA", "clearance", v) }
	for _, test := range []struct {
		gid        string
		attributes map[string]string
		want       []string
	}{
		{"HospitalA/d", map[string]string{"role": "doctor"}, []string{"HospitalA:role=doctor"}},
		{"HospitalA/d", map[string]string{"role": "cleaner"}, nil},
		{"HospitalA/d", map[string]string{"role": "*"}, nil},
		{"HospitalA/d", nil, nil},
		{"HospitalB/d", map[string]string{"role": "doctor"}, nil},
		{"HospitalA/d", map[string]string{"ward": "3 East"}, []string{"HospitalA:ward=3 East"}},
		{"HospitalA/d", map[string]string{"ward": "[0..65535]"}, nil},
		{"HospitalA/d", map[string]string{"ward": "no\nnewlines"}, nil},
		{"HospitalA/d", map[string]string{"role": "doctor", "grade": "consultant"}, []string{"HospitalA:role=doctor", "HospitalA:senior"}},
		{"HospitalA/d", map[string]string{"role": "nurse", "grade": "consultant"}, []string{"HospitalA:role=nurse"}},
		{"HospitalB/d", map[string]string{"role": "doctor", "department": "oncology"}, []string{"HospitalA:visitor=oncology"}},
		{"HospitalC/d", map[string]string{"role": "doctor", "department": "oncology"}, nil},
		{"HospitalB/jones", nil, []string{"HospitalA:board"}},
		{"HospitalC/jones", nil, nil},
		{"HospitalA/d", map[string]string{"clearance": "5"}, number(5)},
		{"HospitalA/d", map[string]string{"clearance": "8"}, nil},
		{"HospitalA/d", map[string]string{"clearance": "-1"}, nil},
		{"HospitalA/d", map[string]string{"clearance": "five"}, nil},
		{"HospitalZ/d", map[string]string{"hf.Affiliation": "x"}, []string{"HospitalA:member=x"}},
	} {
		msp, id, _ := strings.Cut(test.gid, "/")
		h := &Holder{MSP: msp, EnrollmentID: id, Attributes: test.attributes}
		got := slices.DeleteFunc(m.Grant(h, day), func(s string) bool { return strings.HasPrefix(s, "HospitalA:issued=") })
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s with %v: %v, want %v", test.gid, test.attributes, got, test.want)
		}
		for _, name := range got {
			if !m.Covers(name) {
				t.Errorf("granted %s is not covered", name)
			}
		}
	}
	issued := policy.Holding(m.Grant(&Holder{MSP: "HospitalA", EnrollmentID: "d"}, day)...)
	for text, want := range map[string]bool{"HospitalA:issued>=9822": true, "HospitalA:issued>=9823": false, "HospitalA:issued<=9822": true} {
		p, err := policy.Parse(text)
		if err != nil || p.Satisfied(issued) != want {
			t.Errorf("%s on day 9822: %v", text, !want)
		}
	}
}

func TestAttributesAndCovers(t *testing.T) {
	m, err := NewMapping("HospitalA", documented(t))
	if err != nil {
		t.Fatal(err)
	}
	all := m.Attributes()
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("not sorted, or not unique")
	}
	for name, want := range map[string][2]bool{ // published up front, covered
		"HospitalA:role=doctor":        {true, true},
		"HospitalA:role=cleaner":       {false, false},
		"HospitalA:role":               {false, false},
		"HospitalA:role=[3]":           {false, false},
		"HospitalA:ward=3 East":        {false, true},
		"HospitalA:ward=[3]":           {false, false},
		"HospitalA:senior":             {true, true},
		"HospitalA:senior=x":           {false, false},
		"HospitalA:visitor=oncology":   {true, true},
		"HospitalA:clearance=[4..7]":   {true, true},
		"HospitalA:clearance=5":        {false, false},
		"HospitalA:issued=[9822]":      {false, true},
		"HospitalB:role=doctor":        {false, false},
		"HospitalA:clearance=[8..15]":  {true, true},
		"HospitalA:nonsense":           {false, false},
		"not a name":                   {false, false},
		"HospitalA:clearance=[16..17]": {false, true},
	} {
		if got := [2]bool{slices.Contains(all, name), m.Covers(name)}; got != want {
			t.Errorf("%s: published and covered %v, want %v", name, got, want)
		}
	}
	defaults, err := NewMapping("HospitalB", DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HospitalB:role=doctor", "HospitalB:role=custodian", "HospitalB:department=cardiology"} {
		if !slices.Contains(defaults.Attributes(), name) {
			t.Errorf("default rules lack %s", name)
		}
	}
}

func TestRulesRefused(t *testing.T) {
	for name, text := range map[string]string{
		"none":                   `rules: []`,
		"no grant":               `rules: [{}]`,
		"odd name":               `rules: [{grant: "a b"}]`,
		"another authority":      `rules: [{grant: "HospitalB:role=x"}]`,
		"empty value":            `rules: [{grant: "role="}]`,
		"interval":               `rules: [{grant: "role=[4..7]"}]`,
		"open placeholder":       `rules: [{grant: "role={role", values: [x]}]`,
		"empty placeholder":      `rules: [{grant: "role={}", values: [x]}]`,
		"half a placeholder":     `rules: [{grant: "role={a}{b}", values: [x]}]`,
		"no values":              `rules: [{grant: "role={role}"}]`,
		"values without":         `rules: [{grant: "role", values: [x]}]`,
		"number without":         `rules: [{grant: "role", number: {max: 3}}]`,
		"values and number":      `rules: [{grant: "role={role}", values: [x], number: {max: 3}}]`,
		"number 0":               `rules: [{grant: "role={role}", number: {max: 0}}]`,
		"number too large":       `rules: [{grant: "role={role}", number: {max: 65536}}]`,
		"number's long name":     `rules: [{grant: "` + strings.Repeat("n", 110) + `={n}", number: {max: 7}}]`,
		"star and more":          `rules: [{grant: "role={role}", values: ["*", x]}]`,
		"bad value":              `rules: [{grant: "role={role}", values: ["[3]"]}]`,
		"empty in values":        `rules: [{grant: "role={role}", values: [""]}]`,
		"members and holders":    `rules: [{grant: "role=x", members: [A], holders: [A/b]}]`,
		"star member and more":   `rules: [{grant: "role=x", members: ["*", B], when: {a: b}}]`,
		"holder without slash":   `rules: [{grant: "role=x", holders: [jones]}]`,
		"empty condition":        `rules: [{grant: "role=x", when: {role: ""}}]`,
		"everyone in consortium": `rules: [{grant: "role=doctor", members: ["*"]}]`,
	} {
		if _, err := NewMapping("HospitalA", parseRules(t, text)); !errors.Is(err, ErrRules) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := Rules{Rules: make([]Rule, maxRules+1)}
	if _, err := NewMapping("HospitalA", many); !errors.Is(err, ErrRules) {
		t.Errorf("too many: %v", err)
	}
}
