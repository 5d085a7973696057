package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
)

type (
	master  = *abe.MasterKey
	mapping = *authority.Mapping
)

// An authorityDir is the directory of an authority. It holds the sealed master secret,
// master.age, and the rules, rules.yaml.
type authorityDir struct{ path string }

func (d authorityDir) masterPath() string { return filepath.Join(d.path, "master.age") }
func (d authorityDir) rulesPath() string  { return filepath.Join(d.path, "rules.yaml") }

func (d authorityDir) exists() (bool, error) {
	_, err := os.Stat(d.masterPath())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// require fails if there is no master secret.
func (d authorityDir) require() error {
	exists, err := d.exists()
	if err == nil && !exists {
		err = words.WithHint(ledger.Errorf(ledger.ErrNotFound, "there is no master secret in %s", d.path), "make one with 'chartseal authority init'")
	}
	return err
}

// create seals a master secret into the directory. It never replaces an existing one.
func (d authorityDir) create(m master, to []age.Recipient) error {
	sealed, err := abe.SealMaster(m, to...)
	if err != nil {
		return usage(err) // age refuses to mix kinds of recipients
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	err = put(d.masterPath(), sealed, false)
	if errors.Is(err, ledger.ErrExists) {
		return words.WithHint(err, "to replace a master secret that was stolen, use 'chartseal authority replace'")
	}
	return err
}

func (d authorityDir) open(l lock, with []age.Identity) (master, error) {
	sealed, err := os.ReadFile(d.masterPath())
	if err != nil {
		return nil, err
	}
	m, err := abe.OpenMaster(sealed, with...)
	return m, opened(err, d.masterPath(), l)
}

// replace seals a master secret into the directory, in place of the one that is there.
func (d authorityDir) replace(m master, to []age.Recipient) error {
	sealed, err := abe.SealMaster(m, to...)
	if err != nil {
		return usage(err)
	}
	return put(d.masterPath(), sealed, true)
}

// lock keeps other commands that publish keys out until unlock is called or the process
// ends.
func (d authorityDir) lock() (unlock func() error, err error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, ledger.Errorf(ledger.ErrUnavailable, "another process publishes keys of the authority in %s: %v", d.path, err)
	}
	return f.Close, nil
}

// putRules replaces the rules if new ones are given. Otherwise it writes the default
// rules if there are none.
func (d authorityDir) putRules(rules []byte) error {
	if rules != nil {
		return put(d.rulesPath(), rules, true)
	}
	rules, err := defaultRules()
	if err != nil {
		return err
	}
	if err := put(d.rulesPath(), rules, false); !errors.Is(err, ledger.ErrExists) {
		return err
	}
	return nil
}

// put writes a file in one step: either the whole file is on disk under its name, or
// nothing is.
func put(path string, data []byte, force bool) error {
	f, err := createFile(path, force)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

func (d authorityDir) mapping(msp string) (mapping, error) {
	data, err := os.ReadFile(d.rulesPath())
	if err != nil {
		return nil, err
	}
	return parseRules(d.rulesPath(), data, msp)
}

// readRules reads a rule file and checks that it is valid for MSP's authority.
func readRules(path, msp string) ([]byte, mapping, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	m, err := parseRules(path, data, msp)
	return data, m, err
}

func parseRules(path string, data []byte, msp string) (mapping, error) {
	var rules authority.Rules
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		return nil, usagef("rule file %s: %s", path, words.OneLine(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	m, err := authority.NewMapping(msp, rules)
	if err != nil {
		return nil, usagef("rule file %s: %w", path, err)
	}
	return m, nil
}

const rulesHeading = `# Which attributes of an enrolment certificate give which attribute keys. Each rule grants one
# attribute, under this hospital's own name, to people who meet all its conditions (values, when,
# members, holders). 'chartseal authority rules --help' explains the language, and 'chartseal
# authority rules check FILE' tries a file. After a change, run 'chartseal authority publish' and
# restart 'chartseal authority serve'.
`

func defaultRules() ([]byte, error) {
	text, err := yaml.Marshal(authority.DefaultRules())
	return append([]byte(rulesHeading), text...), err
}
