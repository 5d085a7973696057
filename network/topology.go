package network

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

//go:embed topology.yaml
var defaultTopology []byte

// DefaultTopology is the text of the default topology file, with its comments.
func DefaultTopology() string { return string(defaultTopology) }

// A Topology declares a network. The file topology.yaml documents every field.
type Topology struct {
	Directory        string           `yaml:"directory"`
	Ports            Ports            `yaml:"ports"`
	Channel          string           `yaml:"channel"`
	Chaincode        string           `yaml:"chaincode"`
	ChaincodeProgram string           `yaml:"chaincodeProgram"`
	Hospitals        []Organisation   `yaml:"hospitals"`
	Regulators       []Organisation   `yaml:"regulators"`
	Scopes           []Scope          `yaml:"scopes"`
	Amenders         []string         `yaml:"amenders"`
	Resealers        []string         `yaml:"resealers"`
	Erasers          []string         `yaml:"erasers"`
	ErasePersons     int              `yaml:"erasePersons"`
	Copies           ledger.CopyRules `yaml:"copies"`
	Watch            bool             `yaml:"watch"`
	Ordering         Ordering         `yaml:"ordering"`

	CertificateLifetime time.Duration `yaml:"certificateLifetime"`
}

// An Organisation is a member of the consortium. Its name is its MSP ID.
type Organisation struct {
	Name  string                       `yaml:"name"`
	Users map[string]map[string]string `yaml:"users,omitempty"` // enrolment id to certificate attributes
}

// A Scope declares a search domain. Exactly one of Policy and Hospitals is set.
type Scope struct {
	Name      string `yaml:"name"`
	Policy    string `yaml:"policy,omitempty"`    // policy text
	Hospitals string `yaml:"hospitals,omitempty"` // an attribute, granted by any of the hospitals
}

// Ports is the first port of a network's block, or [FreePorts].
type Ports int

// FreePorts asks for a block of ports that is free when the network is made.
const FreePorts Ports = 0

// UnmarshalYAML accepts a number or the word free.
func (p *Ports) UnmarshalYAML(node *yaml.Node) error {
	if node.Value == "free" {
		*p = FreePorts
		return nil
	}
	n, err := strconv.Atoi(node.Value)
	if err != nil || n == 0 {
		return fmt.Errorf("line %d: ports: %q is neither a port number nor the word free", node.Line, node.Value)
	}
	*p = Ports(n)
	return nil
}

// MarshalYAML is the inverse of UnmarshalYAML.
func (p Ports) MarshalYAML() (any, error) {
	if p == FreePorts {
		return "free", nil
	}
	return int(p), nil
}

// Default gives the topology of topology.yaml.
func Default() *Topology {
	t, err := parseTopology(nil)
	if err != nil {
		panic("network: embedded topology: " + err.Error()) // a programmer's error, held by a test
	}
	return t
}

// Load reads a topology file over the default topology and validates it.
//
// Errors:
//   - fs.ErrNotExist if there is no such file.
//   - ErrInvalid if the file is not a valid topology; the text has a line for each fault.
func Load(file string) (*Topology, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	t, err := parseTopology(data)
	if err != nil {
		return nil, mark(ErrInvalid, fmt.Errorf("topology %s: %w", file, err))
	}
	return t, nil
}

func parseTopology(data []byte) (*Topology, error) {
	var t Topology
	for _, text := range [][]byte{defaultTopology, data} {
		d := yaml.NewDecoder(bytes.NewReader(text))
		d.KnownFields(true)
		if err := d.Decode(&t); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return &t, t.Validate()
}

// clone makes a copy that shares nothing with t.
func (t *Topology) clone() *Topology {
	c := *t
	for _, list := range []*[]Organisation{&c.Hospitals, &c.Regulators} {
		*list = slices.Clone(*list)
		for i := range *list {
			users := maps.Clone((*list)[i].Users)
			for name, attributes := range users {
				users[name] = maps.Clone(attributes)
			}
			(*list)[i].Users = users
		}
	}
	c.Scopes, c.Amenders = slices.Clone(c.Scopes), slices.Clone(c.Amenders)
	c.Resealers, c.Erasers = slices.Clone(c.Resealers), slices.Clone(c.Erasers)
	c.Copies.Sizes = slices.Clone(c.Copies.Sizes)
	return &c
}

// Organisations gives the hospitals and then the regulators.
func (t *Topology) Organisations() []Organisation {
	return slices.Concat(t.Hospitals, t.Regulators)
}

func (t *Topology) isHospital(org string) bool {
	return slices.ContainsFunc(t.Hospitals, func(o Organisation) bool { return o.Name == org })
}

const (
	minHospitals, maxHospitals   = 2, 16
	minRegulators, maxRegulators = 1, 4
)

// Enrolment ids that the network itself uses in each organisation.
var reservedUsers = []string{"admin", "authority", "custodian", "registrar", "peer", "orderer", "chaincode"}

var (
	organisationName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`) // also a directory and a part of a certificate
	userName         = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	attributeName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,62}$`)
	channelName      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	chaincodeName    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
)

// Validate reports every fault of the topology, one line each.
func (t *Topology) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if t.Directory == "" {
		fault("directory is empty")
	}
	if !channelName.MatchString(t.Channel) {
		fault("channel %q: want lower-case letters, digits and '-', at most 63, starting with a letter", t.Channel)
	}
	if !chaincodeName.MatchString(t.Chaincode) {
		fault("chaincode %q: want lower-case letters, digits, '-' and '_', at most 63, starting with a letter", t.Chaincode)
	}
	if !chaincodeName.MatchString(t.ChaincodeProgram) {
		fault("chaincodeProgram %q: want the name of a program, in lower-case letters, digits, '-' and '_'", t.ChaincodeProgram)
	}
	if n := len(t.Hospitals); n < minHospitals || n > maxHospitals {
		fault("hospitals: %d given, want %d to %d", n, minHospitals, maxHospitals)
	}
	if n := len(t.Regulators); n < minRegulators || n > maxRegulators {
		fault("regulators: %d given, want %d to %d", n, minRegulators, maxRegulators)
	}
	if last := int(t.Ports) + portsEach*len(t.Organisations()) - 1; t.Ports != FreePorts && (t.Ports < 1024 || last > 65535) {
		fault("ports: %d to %d do not fit into 1024 to 65535", t.Ports, last)
	}
	seen := map[string]bool{}
	for _, o := range t.Organisations() {
		// Names that differ only in case confuse people and some file systems.
		if key := strings.ToLower(o.Name); seen[key] {
			fault("organisation %q is named twice", o.Name)
		} else {
			seen[key] = true
		}
		faults = append(faults, o.validate()...)
	}
	for _, rule := range []struct {
		name  string
		roles []string
	}{{"amenders", t.Amenders}, {"resealers", t.Resealers}, {"erasers", t.Erasers}} {
		for _, role := range rule.roles {
			if role == "" || strings.ContainsAny(role, ", ") {
				fault("%s: %q is not a role", rule.name, role)
			}
		}
	}
	if t.ErasePersons < 0 || t.ErasePersons > 2 {
		fault("erasePersons: %d persons: one or two erase a record", t.ErasePersons)
	}
	if err := t.Copies.Check(); err != nil {
		fault("copies: %w", err)
	}
	if t.CertificateLifetime < time.Minute {
		fault("certificateLifetime: %v is under a minute, to which Fabric CA rounds", t.CertificateLifetime)
	}
	faults = append(faults, t.validateScopes()...)
	faults = append(faults, t.Ordering.validate()...)
	return errors.Join(faults...)
}

func (o Organisation) validate() (faults []error) {
	if !organisationName.MatchString(o.Name) {
		return []error{fmt.Errorf("organisation %q: want letters, digits and '-', at most 63, starting with a letter", o.Name)}
	}
	for _, user := range sortedKeys(o.Users) {
		faults = append(faults, validatePerson(o.Name, user, o.Users[user])...)
		if slices.Contains(reservedUsers, user) {
			faults = append(faults, fmt.Errorf("user %q of %s: the network makes a user of that name itself", user, o.Name))
		}
	}
	return faults
}

// validatePerson refuses names that do not fit a wallet or an actor, and attributes that
// give power over the CA.
func validatePerson(org, user string, attributes map[string]string) (faults []error) {
	if !userName.MatchString(user) {
		faults = append(faults, fmt.Errorf("user %q of %s: want letters, digits, '.', '_' and '-', at most 63", user, org))
	}
	for _, name := range sortedKeys(attributes) {
		if !attributeName.MatchString(name) || strings.HasPrefix(name, "hf.") {
			faults = append(faults, fmt.Errorf("attribute %q of %s@%s: want letters, digits, '.', '_' and '-', at most 63, "+
				"starting with a letter; names that begin with hf. are the CA's", name, user, org))
		}
	}
	return faults
}

func (t *Topology) validateScopes() (faults []error) {
	seen := map[string]bool{}
	for _, s := range t.Scopes {
		if s.Name == "" || seen[s.Name] {
			faults = append(faults, fmt.Errorf("scope %q: the name is empty or used twice", s.Name))
		}
		seen[s.Name] = true
		if (s.Policy == "") == (s.Hospitals == "") {
			faults = append(faults, fmt.Errorf("scope %q: want either policy or hospitals", s.Name))
		}
	}
	return faults
}

// policyText gives the policy of a scope.
func (t *Topology) policyText(s Scope) string {
	if s.Policy != "" {
		return s.Policy
	}
	var terms []string
	for _, h := range t.Hospitals {
		terms = append(terms, h.Name+":"+s.Hospitals)
	}
	return strings.Join(terms, " or ")
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
