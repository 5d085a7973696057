package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
)

// rulesBeside is the path of the rules that belong to a backup.
func rulesBeside(backup string) string { return backup + ".rules.yaml" }

func (a *app) authorityBackupCommand() *cobra.Command {
	f, to := newAuthorityFlags(), backupLock()
	var output string
	cmd := &cobra.Command{
		Use:   "backup --dir DIR -o FILE",
		Short: "Write a copy of the master secret that restores the authority",
		Long: `Backup writes the master secret, encrypted, to a text file that is small enough to print. It writes
the rules, which are not secret, beside it as FILE.rules.yaml. One backup stays good until 'authority
replace', as all keys and all later versions follow from the master secret. A backup made after that
holds the new secret and the old ones.

Backup seals the file to the age keys named with --recipient, such as a custodian's, or under the
passphrase in --backup-passphrase-file. Without either it uses the passphrase of the master secret.`,
		Example: `  chartseal --user authority@HospitalA authority backup --dir authority --identity authority.txt --recipient age1... -o backup.age`,
		Args:    takes(0, 0, ""),
		RunE: a.run(f.checked(func(context.Context, []string) error {
			if output == "" {
				return usagef("name the new file with -o")
			}
			if !to.given() {
				if len(f.lock.identities) > 0 {
					return words.WithHint(usagef("what opens the backup? a backup for the same identity file is lost with that file"),
						"name an age key with --recipient, or a passphrase with --backup-passphrase-file")
				}
				to.passphrase, to.env = f.lock.passphrase, f.lock.env
			}
			recipients, err := a.sealing(to)
			if err != nil {
				return err
			}
			return a.withMaster(f, func(m master) error {
				sealed, err := abe.SealMaster(m, recipients...)
				if err != nil {
					return usage(err)
				}
				return a.writeBackup(f, output, sealed)
			})
		})),
	}
	f.add(cmd)
	to.addRecipient(cmd)
	fs := cmd.Flags()
	fs.StringVar(&to.passphrase, "backup-passphrase-file", "", "passphrase of the backup, in a `file`")
	fs.StringVarP(&output, "output", "o", "", "write the backup to this new `file` (required)")
	return cmd
}

func (a *app) writeBackup(f authorityFlags, output string, sealed []byte) error {
	rules, err := os.ReadFile(authorityDir{f.dir}.rulesPath())
	if err != nil {
		return fmt.Errorf("rules of the authority: %w", err)
	}
	if err := put(rulesBeside(output), rules, false); err != nil {
		return err
	}
	if err := put(output, sealed, false); err != nil {
		return errors.Join(err, os.Remove(rulesBeside(output)))
	}
	a.note("the backup is in %s and the rules are in %s; test it with 'chartseal authority restore' before you rely on it", output, rulesBeside(output))
	if a.global.json {
		return a.printJSON(backupRow{Backup: output, Rules: rulesBeside(output)})
	}
	return nil
}

// A backupRow is the output of 'authority backup --json'.
type backupRow struct {
	Backup string `json:"backup"`
	Rules  string `json:"rules"`
}

func (a *app) authorityRestoreCommand() *cobra.Command {
	f, from := newAuthorityFlags(), backupLock()
	var rules string
	cmd := &cobra.Command{
		Use:   "restore BACKUP --dir DIR",
		Short: "Make the authority's directory again from a backup",
		Long: `Restore opens a backup and writes its master secret to the directory, encrypted as 'authority init'
does (--passphrase-file, --identity or --recipient). It puts the rules beside it: those named with
--rules, or those of the backup. It never replaces a master secret. The authority then issues the
same keys as before.

Open the backup with --backup-identity or --backup-passphrase-file. Without either, restore uses the
passphrase of the new master secret.`,
		Example: `  chartseal --user authority@HospitalA authority restore backup.age --backup-identity custodian.txt --dir authority --identity authority.txt`,
		Args:    takes(1, 1, "one BACKUP"),
		RunE: a.run(f.checked(func(_ context.Context, args []string) error {
			if !from.given() {
				if f.lock.passphrase == "" && f.lock.given() {
					return words.WithHint(usagef("what opens the backup?"), "name --backup-identity or --backup-passphrase-file")
				}
				from.passphrase, from.env = f.lock.passphrase, f.lock.env
			}
			if rules == "" {
				rules = rulesBeside(args[0])
			}
			return a.rebuild(f, rules, func() (master, error) {
				sealed, err := os.ReadFile(args[0])
				if err != nil {
					return nil, err
				}
				with, err := a.opening(from)
				if err != nil {
					return nil, err
				}
				m, err := abe.OpenMaster(sealed, with...)
				return m, opened(err, args[0], from)
			}, args[0])
		})),
	}
	f.addNew(cmd)
	from.addOpen(cmd)
	cmd.Flags().StringVar(&rules, "rules", "", "take the rules from this YAML `file` (default: BACKUP.rules.yaml)")
	return cmd
}

// rebuild makes an authority's directory from the master secret that open returns. Rules
// are required, because they decide which keys people get.
func (a *app) rebuild(f authorityFlags, rules string, open func() (master, error), from string) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	msp, d := u.Profile.MSP, authorityDir{f.dir}
	if exists, err := d.exists(); err != nil {
		return err
	} else if exists {
		return words.WithHint(ledger.Errorf(ledger.ErrExists, "there is a master secret in %s", f.dir), "move it away, or name another --dir")
	}
	ruleText, _, err := readRules(rules, msp)
	if errors.Is(err, fs.ErrNotExist) {
		return words.WithHint(fmt.Errorf("rules of the authority: %w", err), "name the rule file with --rules")
	} else if err != nil {
		return err
	}
	m, err := open()
	if err != nil {
		return err
	}
	if m, err = ownMaster(m, from, msp); err != nil {
		return err
	}
	defer m.Destroy()
	to, err := a.sealing(f.lock)
	if err != nil {
		return err
	}
	if err := d.create(m, to); err != nil {
		return err
	}
	if err := d.putRules(ruleText); err != nil {
		return err
	}
	a.note("the master secret of %s is in %s again; 'chartseal authority publish' compares it with the ledger", msp, d.masterPath())
	return a.printAuthority(msp, f.dir, true)
}
