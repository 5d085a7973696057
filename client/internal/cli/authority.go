package cli

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

func (a *app) authorityCommand() *cobra.Command {
	return group("authority", "Run a hospital's attribute authority", groupRun,
		a.authorityInitCommand(), a.authorityPublishCommand(), a.authorityServeCommand(), a.authorityIssueCommand(),
		a.authorityRotateCommand(), a.authorityRulesCommand(),
		a.authorityBackupCommand(), a.authorityRestoreCommand(), a.authoritySplitCommand(), a.authorityCombineCommand())
}

// authorityFlags name an authority's directory and how its master secret is unlocked.
type authorityFlags struct {
	dir  string
	lock lock
}

func newAuthorityFlags() authorityFlags { return authorityFlags{lock: masterLock()} }

func (f *authorityFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", "", "the authority's `directory`, which holds its master secret and its rules (required)")
	f.lock.addOpen(cmd)
	mustFlag(cmd.MarkFlagDirname("dir"))
}

// addNew is add for commands that make a master secret.
func (f *authorityFlags) addNew(cmd *cobra.Command) {
	f.add(cmd)
	f.lock.addRecipient(cmd)
}

// check is for what cobra does not check in our words.
func (f *authorityFlags) check() error {
	if f.dir == "" {
		return usagef("which authority? name its directory with --dir")
	}
	return f.lock.check()
}

func (a *app) authorityInitCommand() *cobra.Command {
	f := newAuthorityFlags()
	var rules string
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make the authority's master secret, if there is none",
		Long: `Init makes the master secret of your organisation's attribute authority, and a rule file that says which
certificate attributes give which attribute keys. An existing master secret is kept.

All keys that the authority ever issues follow from this one secret: whoever has it can make them, and
without it none can be made again. It is kept encrypted, in one of these ways:

  --passphrase-file FILE   under a passphrase, which each of the other commands needs as well
  --identity FILE          to the age identity in FILE, which is made (mode 0600) if it does not exist: for
                           a server that starts unattended. The file is then the secret to protect
  --recipient age1...      to an age key that is elsewhere; the other commands take its --identity FILE

Make a copy with 'authority backup', or with 'authority split' among several custodians.

` + rulesHelp,
		Example: `  chartseal --user authority@HospitalA authority init --dir authority --identity authority.txt --rules rules.yaml`,
		Args:    takes(0, 0, ""),
		RunE: a.run(func(context.Context, []string) error {
			return a.authorityInit(f, rules)
		}),
	}
	f.addNew(cmd)
	cmd.Flags().StringVar(&rules, "rules", "", "take the rules from this YAML `file` (default: role and department of your own people)")
	return cmd
}

func (a *app) authorityInit(f authorityFlags, rules string) error {
	if err := f.check(); err != nil {
		return err
	}
	u, err := a.user()
	if err != nil {
		return err
	}
	msp, d := u.Profile.MSP, authorityDir{f.dir}
	exists, err := d.exists()
	if err != nil {
		return err
	}
	var ruleText []byte // checked before anything is made
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
		a.note("the master secret of %s was there and is kept", msp)
	} else {
		a.note("the master secret of %s is in %s; keep a copy of it", msp, d.masterPath())
	}
	return a.printAuthority(msp, f.dir, !exists)
}

// checkMaster tells whether the existing master secret is the one that the caller thinks.
// Where it is sealed to keys that are elsewhere it cannot be opened, and need not be.
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

// An authorityRow is what 'authority init --json' prints, and what restore and combine
// do.
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

func (a *app) printLines(lines []string) error {
	for _, line := range lines {
		if err := a.printf("%s\n", clean(line)); err != nil {
			return err
		}
	}
	return nil
}

// openMaster opens the master secret of an authority's directory, which must be MSP's.
func (a *app) openMaster(f authorityFlags, msp string) (master, error) {
	d := authorityDir{f.dir}
	exists, err := d.exists()
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, withHint(ledger.Errorf(ledger.ErrNotFound, "there is no master secret in %s", f.dir), "make one with 'chartseal authority init'")
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
	return nil, ledger.Errorf(ledger.ErrInvalid, "%s holds the master secret of %s, and you are of %s", where, m.Authority(), msp)
}

// unlock opens an authority's directory as MSP's.
func (a *app) unlock(f authorityFlags, msp string) (master, mapping, error) {
	m, err := a.openMaster(f, msp)
	if err != nil {
		return nil, nil, err
	}
	rules, err := authorityDir{f.dir}.mapping(msp)
	if err != nil {
		m.Destroy()
		return nil, nil, fmt.Errorf("rules of the authority: %w", err)
	}
	return m, rules, nil
}
