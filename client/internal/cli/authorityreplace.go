package cli

import (
	"context"
	"crypto/rand"
	"errors"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) authorityReplaceCommand() *cobra.Command {
	f := newAuthorityFlags()
	fresh := lock{what: "new master secret", prefix: "new-"}
	cmd := &cobra.Command{
		Use:   "replace --dir DIR",
		Short: "Replace the master secret, after it was stolen",
		Long: `Replace makes a new master secret and publishes a version made from it for every attribute of the
authority. Sealers use that version from then on. The directory keeps the old secret beside the new
one, for the older versions: people who are entitled still get keys for what was sealed before. The
running server takes the new secret up by itself; people get their keys with 'chartseal keys request'.

A thief of the old secret cannot open what is sealed after that. They can still make any key of the
older versions. Seal the records of those versions again, and roll the scopes.

If the thief could also have the authority's enrolment key, revoke its certificate first. If they
could have what opens the secret, name another lock with --new-identity or --new-passphrase-file, and
give it to the server.

Replace may be stopped at any moment: run the same command again, and it goes on. Then make a new
backup and new shares. The old ones do not hold the new secret. Keep them away from everybody, as
they make the same keys as the thief.`,
		Example: `  chartseal --user authority@HospitalA authority replace --dir authority --identity authority.txt --new-identity authority-2.txt`,
		Args:    takes(0, 0, ""),
		RunE: a.run(f.checked(func(ctx context.Context, _ []string) error {
			if err := fresh.check(); err != nil {
				return err
			}
			return a.withLedger(func(s *session.Session) error { return a.replaceMaster(ctx, s, f, fresh) })
		})),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&fresh.passphrase, "new-passphrase-file", "", "passphrase of the new master secret, in a `file` (default: lock it as before)")
	fs.StringArrayVar(&fresh.identities, "new-identity", nil, "age identity `file` of the new master secret, which is made if it does not exist (repeatable)")
	return cmd
}

func (a *app) replaceMaster(ctx context.Context, s *session.Session, f authorityFlags, fresh lock) error {
	d, msp := authorityDir{f.dir}, s.User.Profile.MSP
	if err := d.require(); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	old, to, err := a.openReplaced(f, fresh)
	if err != nil {
		return err
	}
	if old, err = ownMaster(old, f.dir, msp); err != nil {
		return err
	}
	defer old.Destroy()
	by, err := signing(s)
	if err != nil {
		return err
	}
	m := old
	if old.Unfinished() {
		a.note("goes on with the replacement that was begun")
	} else {
		if m, err = old.Replace(rand.Reader); err != nil {
			return err
		}
		defer m.Destroy()
	}
	done, err := keys.Replace(ctx, s.Ledger, by, m, func() error { return d.replace(m, to) })
	if printErr := a.printReplaced(msp, done, err == nil); printErr != nil {
		return printErr
	}
	if err != nil && m.Unfinished() {
		return words.WithHint(err, "run the command again: it goes on where it stopped")
	}
	return err
}

// openReplaced opens the master secret with the old lock, or with the new one if an
// earlier run has put that in place. It returns the recipients of the new lock.
func (a *app) openReplaced(f authorityFlags, fresh lock) (master, []age.Recipient, error) {
	d := authorityDir{f.dir}
	with, err := a.opening(f.lock)
	if err != nil {
		return nil, nil, err
	}
	m, err := d.open(f.lock, with)
	if !fresh.given() {
		fresh = f.lock
	} else if errors.Is(err, ledger.ErrDenied) {
		if with, openErr := a.opening(fresh); openErr == nil {
			m, err = d.open(fresh, with)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	to, err := a.sealing(fresh)
	if err != nil {
		m.Destroy()
	}
	return m, to, err
}

// printReplaced prints the new versions. Text output also has the versions made before a
// failure.
func (a *app) printReplaced(msp string, r keys.Replacement, done bool) error {
	if n := len(r.Foreign); n > 0 {
		a.warn("%s published by somebody else, such as %s version %d; nobody gets keys for them",
			count(n, "version was", "versions were"), r.Foreign[0].Name, r.Foreign[0].Version)
	}
	rows := []keyRow{}
	for _, p := range r.Published {
		rows = append(rows, keyRow{msp, p.Name, p.Version})
	}
	if err := a.printKeys(rows, done); err != nil || !done {
		return err
	}
	a.note("the master secret of %s is replaced; people get new keys with 'chartseal keys request'", msp)
	a.note("make a new backup and new shares now: the old ones do not hold the new secret")
	return nil
}
