package wallet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// An AttributeKey is a user's secret key for one attribute, in the encoding of package
// abe.
type AttributeKey struct {
	Name    string `json:"name"`
	Version int    `json:"version"` // of the attribute's public key
	Key     []byte `json:"key"`     // base64 in the file
}

type keyFileJSON struct {
	Authority string         `json:"authority"` // MSP
	GID       string         `json:"gid"`
	Keys      []AttributeKey `json:"keys"`
}

func byName(a, b AttributeKey) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
}

// StoreKeys adds attribute keys from one authority, which have a file of their own. A key
// takes the place of the one with its name and version. All others stay: no answer of an
// authority or a ledger takes a key out of the wallet. gid is the actor to whom the keys
// were issued.
//
// Stored keys that usable rejects are left out; nil accepts all. A file that is damaged,
// or of somebody else, is kept beside the new one, with ".unusable" after its name.
//
// Errors:
//   - ErrInvalid if authority is not an MSP ID.
//   - ErrDenied if others may read the file.
func (u *User) StoreKeys(authority, gid string, keys []AttributeKey, usable func(AttributeKey) bool) error {
	if !mspName.MatchString(authority) {
		return ledger.Errorf(ledger.ErrInvalid, "%q is not an authority", authority)
	}
	path := filepath.Join(u.dir, "keys", authority+".json")
	stored, err := readKeys(path, gid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, ledger.ErrInvalid):
		err = os.Rename(path, path+".unusable")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store keys of %s: %w", authority, err)
	}
	type name struct {
		attribute string
		version   int
	}
	merged, replaced := slices.Clone(keys), make(map[name]bool, len(keys))
	for _, k := range keys {
		replaced[name{k.Name, k.Version}] = true
	}
	for _, k := range stored {
		if !replaced[name{k.Name, k.Version}] && (usable == nil || usable(k)) {
			merged = append(merged, k)
		}
	}
	slices.SortFunc(merged, byName)
	data, err := json.MarshalIndent(keyFileJSON{Authority: authority, GID: gid, Keys: merged}, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("store keys of %s: %w", authority, err)
	}
	return nil
}

// Keys reads the attribute keys from all authorities, sorted by name and version. gid is
// the user's actor.
//
// Errors:
//   - ErrInvalid if a file is damaged, or if its keys were issued to somebody else, for
//     example because the directory was copied: such keys open nothing.
//   - ErrDenied if others may read a file.
func (u *User) Keys(gid string) ([]AttributeKey, error) {
	paths, err := filepath.Glob(filepath.Join(globEscape(u.dir), "keys", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []AttributeKey
	for _, path := range paths {
		keys, err := readKeys(path, gid)
		if err != nil {
			return nil, fmt.Errorf("attribute keys: %w", err)
		}
		all = append(all, keys...)
	}
	slices.SortFunc(all, byName)
	return all, nil
}

// readKeys reads the keys of one authority.
func readKeys(path, gid string) ([]AttributeKey, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	var file keyFileJSON
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%s: %v; request the keys again", path, err)
	}
	if file.GID != gid {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%s was issued to %s, not to %s; request the keys again", path, file.GID, gid)
	}
	return file.Keys, nil
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

const custodianFile = "custodian.txt"

// CreateCustodian makes the custodian key unless there is one. It returns its recipient.
//
// Errors:
//   - ErrInvalid if the existing file holds no native age identity.
func (u *User) CreateCustodian() (recipient string, created bool, err error) {
	path := filepath.Join(u.dir, custodianFile)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", false, err
	}
	text := fmt.Sprintf("# custodian of %s\n# recipient: %s\n%s\n", u.Profile.MSP, id.Recipient(), id)
	err = createFile(path, []byte(text))
	if err == nil {
		return id.Recipient().String(), true, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", false, fmt.Errorf("create custodian key: %w", err)
	}
	ids, err := u.Identities()
	if err != nil {
		return "", false, err
	}
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			return id.Recipient().String(), false, nil
		case *age.HybridIdentity:
			return id.Recipient().String(), false, nil
		}
	}
	return "", false, ledger.Errorf(ledger.ErrInvalid, "%s holds no native age identity", path)
}

// Identities reads the user's own age identities: the custodian key, or none.
//
// Errors:
//   - ErrInvalid if the file is damaged.
//   - ErrDenied if others may read it.
func (u *User) Identities() ([]age.Identity, error) {
	path := filepath.Join(u.dir, custodianFile)
	data, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("custodian key: %w", err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%s is not an age identity file", path)
	}
	return ids, nil
}
