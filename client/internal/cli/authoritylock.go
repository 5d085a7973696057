package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/internal/words"
)

// A lock seals and opens a secret file, with a passphrase or with age keys. age does not
// allow both.
type lock struct {
	what       string // the file, for messages
	prefix     string // of the names of its flags
	env        string // variable that may hold the passphrase
	passphrase string // file
	identities []string
	recipients []string
}

// masterLock is the lock of master.age.
func masterLock() lock { return lock{what: "master secret", env: "CHARTSEAL_PASSPHRASE"} }

// backupLock is the lock of a backup.
func backupLock() lock { return lock{what: "backup", prefix: "backup-"} }

func (l *lock) flag(name string) string { return "--" + l.prefix + name }

// addOpen adds the flags for opening the file.
func (l *lock) addOpen(cmd *cobra.Command) {
	fs, ask := cmd.Flags(), ""
	if l.env != "" {
		ask = " (or " + l.env + ", or it is asked for)"
	}
	fs.StringVar(&l.passphrase, l.prefix+"passphrase-file", "", "passphrase of the "+l.what+", in a `file`"+ask)
	fs.StringArrayVar(&l.identities, l.prefix+"identity", nil, "age identity `file` of the "+l.what+", instead of a passphrase (repeatable)")
}

// addRecipient adds the flag for age keys that the file is sealed to.
func (l *lock) addRecipient(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&l.recipients, "recipient", nil, "seal the "+l.what+" to this age `recipient`, age1... (repeatable)")
}

func (l *lock) check() error {
	if l.passphrase != "" && len(l.identities)+len(l.recipients) > 0 {
		return words.WithHint(usagef("a passphrase stands alone: age seals to it or to keys"), "leave out %s, or the age keys", l.flag("passphrase-file"))
	}
	return nil
}

// given reports whether any flag is given.
func (l *lock) given() bool {
	return l.passphrase != "" || len(l.identities) > 0 || len(l.recipients) > 0
}

func (l *lock) source(fresh bool) secretSource {
	return secretSource{what: "passphrase", flag: l.flag("passphrase-file"), file: l.passphrase, env: l.env, new: fresh}
}

// opening returns the identities that open the file.
func (a *app) opening(l lock) ([]age.Identity, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if len(l.identities) > 0 {
		return a.readIdentities(l.identities)
	}
	passphrase, err := a.secret(l.source(false))
	if err != nil {
		return nil, err
	}
	identity, err := abe.PassphraseIdentity(string(passphrase))
	if err != nil {
		return nil, usage(err)
	}
	return []age.Identity{identity}, nil
}

// sealing returns the recipients of a new file. It makes an identity file that does not
// exist.
func (a *app) sealing(l lock) ([]age.Recipient, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if len(l.identities)+len(l.recipients) == 0 {
		passphrase, err := a.secret(l.source(true))
		if err != nil {
			return nil, err
		}
		recipient, err := abe.PassphraseRecipient(string(passphrase))
		if err != nil {
			return nil, usage(err)
		}
		return []age.Recipient{recipient}, nil
	}
	to, err := parseRecipients(l.recipients)
	if err != nil {
		return nil, err
	}
	for _, path := range l.identities {
		if err := a.makeIdentity(path); err != nil {
			return nil, err
		}
	}
	identities, err := a.readIdentities(l.identities)
	if err != nil {
		return nil, err
	}
	for _, identity := range identities {
		switch i := identity.(type) {
		case *age.X25519Identity:
			to = append(to, i.Recipient())
		case *age.HybridIdentity:
			to = append(to, i.Recipient())
		}
	}
	return to, nil
}

func parseRecipients(texts []string) ([]age.Recipient, error) {
	var to []age.Recipient
	for _, text := range texts {
		r, err := envelope.ParseRecipient(text)
		if err != nil {
			return nil, words.WithHint(err, "write age1... as age-keygen or 'chartseal custodian init' prints it")
		}
		to = append(to, r)
	}
	return to, nil
}

// readIdentities reads age identity files. Their content appears nowhere, not even in an
// error.
func (a *app) readIdentities(paths []string) ([]age.Identity, error) {
	var all []age.Identity
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			a.warn("%s is a secret and others may read it: chmod 600 %s", path, path)
		}
		identities, err := age.ParseIdentities(bytes.NewReader(data))
		clear(data)
		if err != nil {
			return nil, words.WithHint(usagef("%s is not an age identity file", path), "make one with age-keygen; it holds AGE-SECRET-KEY-1...")
		}
		all = append(all, identities...)
	}
	return all, nil
}

// makeIdentity makes an identity file, with mode 0600 and as age-keygen writes it, unless
// it exists.
func (a *app) makeIdentity(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), identity.Recipient(), identity)
	if err := put(path, []byte(text), false); err != nil {
		return err
	}
	a.note("a new age identity is in %s; it opens the master secret without asking", path)
	return nil
}

// opened turns the errors of abe's files at rest into those of the command line.
func opened(err error, path string, l lock) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, age.ErrIncorrectIdentity) && len(l.identities) > 0:
		return words.WithHint(ledger.Errorf(ledger.ErrDenied, "no identity in %s opens %s", strings.Join(l.identities, ", "), path),
			"is it sealed to another key, or under a passphrase?")
	case errors.Is(err, age.ErrIncorrectIdentity):
		return words.WithHint(ledger.Errorf(ledger.ErrDenied, "the passphrase does not open %s", path),
			"is it this authority's passphrase? What is sealed to an age key is opened with %s", l.flag("identity"))
	case errors.Is(err, abe.ErrMalformed):
		return usagef("open %s: %w", path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}
