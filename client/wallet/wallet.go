// Package wallet keeps a person's certificates, keys and state on disk, and tells how to
// reach the services of their organisation:
//
//	<wallet>/
//	  HospitalA.yaml          profile of an organisation, see [Profile]
//	  doctor@HospitalA/       one directory for each user, mode 0700
//	    cert.pem  key.pem             enrolment certificate and its PKCS#8 key
//	    tls-cert.pem  tls-key.pem     TLS client certificate and its key, for peers and authorities
//	    keys/<authority>.json         attribute keys, see [User.StoreKeys]
//	    custodian.txt                 age identities, for custodians only
//	    state/                        pinned public keys and scope keys, see [User.Memory];
//	                                  waiting index entries, see [User.Outbox];
//	                                  lengths of index chains, see [User.Hints]
//
// [Open] a wallet, get a [User] from it with [Wallet.User], and pass it to client/fabric.
// If the private keys are in a token, use [Wallet.NewUser] instead: key.pem and
// tls-key.pem are then not needed.
//
// All files of a user are secret. The package writes them for the owner alone, and does
// not read a key that others may read. Every write is atomic. Two processes may use a
// wallet at the same time; if both write a file, the last one wins.
//
// Nothing is encrypted. Protect the directory like an SSH key, or put it on an encrypted
// file system.
package wallet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Wallet is a directory. It is safe for concurrent use.
type Wallet struct{ dir string }

// Open returns the wallet in dir.
//
// Errors:
//   - ErrNotFound if there is no such directory.
//   - ErrInvalid if dir is not a directory.
func Open(dir string) (*Wallet, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ledger.Errorf(ledger.ErrNotFound, "there is no wallet at %s", dir)
	case err != nil:
		return nil, fmt.Errorf("open wallet: %w", err)
	case !info.IsDir():
		return nil, ledger.Errorf(ledger.ErrInvalid, "%s is not a wallet: it is not a directory", dir)
	}
	return &Wallet{dir: dir}, nil
}

// Dir is the wallet's directory.
func (w *Wallet) Dir() string { return w.dir }

// Users lists the users in the wallet, sorted.
func (w *Wallet) Users() ([]string, error) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil, fmt.Errorf("list wallet: %w", err)
	}
	var users []string
	for _, e := range entries {
		if _, _, err := SplitUser(e.Name()); err == nil && e.IsDir() {
			users = append(users, e.Name())
		}
	}
	return users, nil
}

// Organisations lists the organisations that have a profile, sorted.
func (w *Wallet) Organisations() ([]string, error) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil, fmt.Errorf("list wallet: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && mspName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

var (
	enrolmentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	mspName       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)
)

// SplitUser splits NAME@ORG. Neither part can lead out of the wallet's directory.
//
// Errors:
//   - ErrInvalid if user is not of that form.
func SplitUser(user string) (name, org string, err error) {
	name, org, found := strings.Cut(user, "@")
	if !found || !enrolmentName.MatchString(name) || !mspName.MatchString(org) {
		return "", "", ledger.Errorf(ledger.ErrInvalid, "%q is not a user: write NAME@ORG, such as doctor@HospitalA", user)
	}
	return name, org, nil
}

// Profile reads the profile of an organisation.
//
// Errors:
//   - ErrNotFound if there is none. The message lists the profiles in the wallet.
//   - ErrInvalid if the name or the profile is not valid.
func (w *Wallet) Profile(org string) (*Profile, error) {
	if !mspName.MatchString(org) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%q is not an organisation", org)
	}
	p, err := ReadProfile(filepath.Join(w.dir, org+".yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		known, _ := w.Organisations()
		return nil, ledger.Errorf(ledger.ErrNotFound, "the wallet %s has no profile of organisation %s%s", w.dir, org, listed(known))
	}
	return p, err
}

func listed(known []string) string {
	if len(known) == 0 {
		return "; it is empty"
	}
	slices.Sort(known)
	const most = 12
	more := ""
	if len(known) > most {
		more = fmt.Sprintf(" and %d more", len(known)-most)
		known = known[:most]
	}
	return "; it has " + strings.Join(known, ", ") + more
}
