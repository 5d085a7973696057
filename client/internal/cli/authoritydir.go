package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

type (
	master  = *abe.MasterKey
	mapping = *authority.Mapping
)

// An authorityDir is where an authority keeps its files: master.age, the master secret under a passphrase, and rules.yaml.
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

// init makes what is missing. Rules that are given replace the old ones; without them there are the default ones.
func (d authorityDir) init(msp, passphrase string, rules []byte) (created bool, err error) {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return false, err
	}
	exists, err := d.exists()
	if err != nil {
		return false, err
	}
	if exists { // and can be opened
		m, err := d.open(passphrase)
		if err != nil {
			return false, err
		}
		defer m.Destroy()
		if m.Authority() != msp {
			return false, usagef("%s holds the master secret of %s, and you are of %s", d.path, m.Authority(), msp)
		}
	} else if err := d.create(msp, passphrase); err != nil {
		return false, err
	}
	if rules != nil {
		return !exists, put(d.rulesPath(), rules, true)
	}
	if rules, err = defaultRules(); err != nil {
		return false, err
	}
	if err := put(d.rulesPath(), rules, false); !errors.Is(err, ledger.ErrExists) {
		return !exists, err
	}
	return !exists, nil
}

func (d authorityDir) create(msp, passphrase string) error {
	m, err := abe.NewMasterKey(msp, rand.Reader)
	if err != nil {
		return err
	}
	defer m.Destroy()
	recipient, err := abe.PassphraseRecipient(passphrase)
	if err != nil {
		return usage(err)
	}
	sealed, err := abe.SealMaster(m, recipient)
	if err != nil {
		return err
	}
	return put(d.masterPath(), sealed, false)
}

// put writes a file as a whole. It is there, on disk, under its name, or not at all.
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

func (d authorityDir) open(passphrase string) (master, error) {
	sealed, err := os.ReadFile(d.masterPath())
	if err != nil {
		return nil, err
	}
	identity, err := abe.PassphraseIdentity(passphrase)
	if err != nil {
		return nil, usage(err)
	}
	m, err := abe.OpenMaster(sealed, identity)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, withHint(ledger.Errorf(ledger.ErrDenied, "the passphrase does not open %s", d.masterPath()), "is it this authority's passphrase?")
	} else if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.masterPath(), err)
	}
	return m, nil
}

func (d authorityDir) mapping(msp string) (mapping, error) {
	data, err := os.ReadFile(d.rulesPath())
	if err != nil {
		return nil, err
	}
	return parseRules(d.rulesPath(), data, msp)
}

// readRules reads a rule file and checks that it is one for MSP's authority.
func readRules(path, msp string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, err = parseRules(path, data, msp)
	return data, err
}

func parseRules(path string, data []byte, msp string) (mapping, error) {
	var rules authority.Rules
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		return nil, usagef("rule file %s: %s", path, oneLine(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	m, err := authority.NewMapping(msp, rules)
	if err != nil {
		return nil, usagef("rule file %s: %w", path, err)
	}
	return m, nil
}

const rulesHeading = `# Which attributes of an enrolment certificate give which attribute keys. Each rule grants one attribute, under this
# hospital's own name, to those whom all of its conditions (values, when, members, holders) fit. After a change run
# 'chartseal authority publish', and restart 'chartseal authority serve'.
`

func defaultRules() ([]byte, error) {
	text, err := yaml.Marshal(authority.DefaultRules())
	return append([]byte(rulesHeading), text...), err
}
