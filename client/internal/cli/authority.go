package cli

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) authorityCommand() *cobra.Command {
	return parentCommand("authority", "Run a hospital's attribute authority", sectionHospital,
		a.authorityInitCommand(), a.authorityPublishCommand(), a.authorityServeCommand(), a.authorityIssueCommand(),
		a.authorityRotateCommand(), a.authorityReplaceCommand(), a.authorityRulesCommand(),
		a.authorityBackupCommand(), a.authorityRestoreCommand(), a.authoritySplitCommand(), a.authorityCombineCommand())
}

// authorityFlags name an authority's directory and the lock of its master secret.
type authorityFlags struct {
	dir  string
	lock lock
}

func newAuthorityFlags() authorityFlags { return authorityFlags{lock: masterLock()} }

func (f *authorityFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", "", "`directory` of the authority, with its master secret and its rules (required)")
	f.lock.addOpen(cmd)
	mustFlag(cmd.MarkFlagDirname("dir"))
}

// addNew is add for commands that make a master secret.
func (f *authorityFlags) addNew(cmd *cobra.Command) {
	f.add(cmd)
	f.lock.addRecipient(cmd)
}

// checked wraps the job of a command with these flags. It checks them first.
func (f *authorityFlags) checked(j job) job {
	return func(ctx context.Context, args []string) error {
		if f.dir == "" {
			return usagef("which authority? name its directory with --dir")
		}
		if err := f.lock.check(); err != nil {
			return err
		}
		return j(ctx, args)
	}
}

// withMaster runs do with the master secret of the user's authority.
func (a *app) withMaster(f authorityFlags, do func(master) error) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	m, err := a.openMaster(f, u.Profile.MSP)
	if err != nil {
		return err
	}
	defer m.Destroy()
	if m.Unfinished() {
		a.warn("the replacement of the master secret of %s is not finished: run 'chartseal authority replace' again", m.Authority())
	}
	return do(m)
}

// withAuthority runs do with the master secret of the user's authority, and the ledger.
func (a *app) withAuthority(f authorityFlags, do func(*session.Session, master) error) error {
	return a.withLedger(func(s *session.Session) error {
		return a.withMaster(f, func(m master) error { return do(s, m) })
	})
}

// withPublisher is withAuthority for commands that publish keys. They keep each other
// out: one that still has the old master secret would go on with it after a replacement.
func (a *app) withPublisher(f authorityFlags, do func(*session.Session, master) error) error {
	d := authorityDir{f.dir}
	if err := d.require(); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return a.withAuthority(f, do)
}

func (a *app) authorityInitCommand() *cobra.Command {
	f := newAuthorityFlags()
	var rules string
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make the authority's master secret, if there is none",
		Long: `Init makes the master secret of your organisation's attribute authority, and a rule file. The rules
say which attribute keys people get for the attributes in their certificates. Init keeps a master
secret that is already there.

The authority computes every attribute key from this one secret. With the secret, anyone can make
all of them. Without it, nobody can make them again. Choose how to encrypt it:

  --passphrase-file FILE   under a passphrase, which the other commands then need too
  --identity FILE          to the age identity in FILE, for a server that starts unattended. Init makes
                           FILE (mode 0600) if it does not exist. Protect FILE as you would the secret
  --recipient age1...      to an age key kept elsewhere. The other commands take its --identity FILE

Make a copy with 'authority backup', or split one among custodians with 'authority split'.

` + rulesHelp,
		Example: `  chartseal --user authority@HospitalA authority init --dir authority --identity authority.txt --rules rules.yaml`,
		Args:    takes(0, 0, ""),
		RunE: a.run(f.checked(func(context.Context, []string) error {
			return a.authorityInit(f, rules)
		})),
	}
	f.addNew(cmd)
	cmd.Flags().StringVar(&rules, "rules", "", "take the rules from this YAML `file` (default: role and department of your own people)")
	return cmd
}

func (a *app) authorityInit(f authorityFlags, rules string) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	msp, d := u.Profile.MSP, authorityDir{f.dir}
	exists, err := d.exists()
	if err != nil {
		return err
	}
	var ruleText []byte // checked before any file is made
	if rules != "" {
		if ruleText, _, err = readRules(rules, msp); err != nil {
			return err
		}
	}
	if exists {
		err = a.checkMaster(f, msp)
	} else {
		err = a.createMaster(f, msp)
	}
	if err != nil {
		return err
	}
	if err := d.putRules(ruleText); err != nil {
		return err
	}
	if exists {
		a.note("%s has a master secret already; it is kept", msp)
	} else {
		a.note("the master secret of %s is in %s; keep a copy of it", msp, d.masterPath())
	}
	return a.printAuthority(msp, f.dir, !exists)
}

// checkMaster checks that the existing master secret is MSP's. It skips a secret that is
// sealed to keys kept elsewhere.
func (a *app) checkMaster(f authorityFlags, msp string) error {
	if len(f.lock.recipients) > 0 && len(f.lock.identities) == 0 {
		return nil
	}
	m, err := a.openMaster(f, msp)
	if err != nil {
		return err
	}
	m.Destroy()
	return nil
}

func (a *app) createMaster(f authorityFlags, msp string) error {
	to, err := a.sealing(f.lock)
	if err != nil {
		return err
	}
	m, err := abe.NewMasterKey(msp, rand.Reader)
	if err != nil {
		return err
	}
	defer m.Destroy()
	return authorityDir{f.dir}.create(m, to)
}

// An authorityRow is the JSON output of authority init, restore and combine.
type authorityRow struct {
	Authority string `json:"authority"`
	Dir       string `json:"dir"`
	Created   bool   `json:"created"`
}

func (a *app) printAuthority(msp, dir string, created bool) error {
	if !a.global.json {
		return nil
	}
	return a.printJSON(authorityRow{Authority: msp, Dir: dir, Created: created})
}

// openMaster opens the master secret of an authority's directory, which must be MSP's.
func (a *app) openMaster(f authorityFlags, msp string) (master, error) {
	d := authorityDir{f.dir}
	if err := d.require(); err != nil {
		return nil, err
	}
	with, err := a.opening(f.lock)
	if err != nil {
		return nil, err
	}
	m, err := d.open(f.lock, with)
	if err != nil {
		return nil, err
	}
	return ownMaster(m, f.dir, msp)
}

// ownMaster refuses the master secret of another organisation.
func ownMaster(m master, where, msp string) (master, error) {
	if m.Authority() == msp {
		return m, nil
	}
	m.Destroy()
	return nil, ledger.Errorf(ledger.ErrInvalid, "%s holds the master secret of %s, but you belong to %s", where, m.Authority(), msp)
}

// rules reads the rules of MSP's authority.
func (f *authorityFlags) rules(msp string) (mapping, error) {
	rules, err := authorityDir{f.dir}.mapping(msp)
	if err != nil {
		return nil, fmt.Errorf("rules of the authority: %w", err)
	}
	return rules, nil
}
