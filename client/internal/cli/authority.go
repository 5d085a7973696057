package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/keys"
)

func (a *app) authorityCommand() *cobra.Command {
	return group("authority", "Run a hospital's attribute authority", groupRun,
		a.authorityInitCommand(), a.authorityPublishCommand(), a.authorityServeCommand(), a.authorityIssueCommand())
}

// authorityFlags name an authority's directory and how it is unlocked.
type authorityFlags struct {
	dir        string
	passphrase string
}

func (f *authorityFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.dir, "dir", "", "the authority's `directory`, which holds its master secret and its rules (required)")
	fs.StringVar(&f.passphrase, "passphrase-file", "", "read the passphrase of the master secret from a `file` (or CHARTSEAL_PASSPHRASE, or it is asked for)")
	mustFlag(cmd.MarkFlagDirname("dir"))
}

func (f *authorityFlags) source(fresh bool) secretSource {
	return secretSource{what: "passphrase", flag: "--passphrase-file", file: f.passphrase, env: "CHARTSEAL_PASSPHRASE", new: fresh}
}

// check is for what cobra does not check in our words.
func (f *authorityFlags) check() error {
	if f.dir == "" {
		return usagef("which authority? name its directory with --dir")
	}
	return nil
}

func (a *app) authorityInitCommand() *cobra.Command {
	var f authorityFlags
	var rules string
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make the authority's master secret, if there is none",
		Long: `Init makes the master secret of your organisation's attribute authority, encrypted under a
passphrase, and a rule file that says which certificate attributes give which attribute keys. An
existing master secret is kept. All keys that the authority ever issues follow from this one
secret: whoever has it can make them, and without it none can be made again. Keep a copy of the
file and the passphrase in different safe places.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(context.Context, []string) error {
			if err := f.check(); err != nil {
				return err
			}
			u, err := a.user()
			if err != nil {
				return err
			}
			d := authorityDir{f.dir}
			exists, err := d.exists()
			if err != nil {
				return err
			}
			var ruleText []byte // checked before anything is made
			if rules != "" {
				if ruleText, err = readRules(rules, u.Profile.MSP); err != nil {
					return err
				}
			}
			passphrase, err := a.secret(f.source(!exists))
			if err != nil {
				return err
			}
			created, err := d.init(u.Profile.MSP, string(passphrase), ruleText)
			if err != nil {
				return err
			}
			if created {
				a.note("the master secret of %s is in %s; keep a copy of it", u.Profile.MSP, d.masterPath())
			} else {
				a.note("the master secret of %s was there and is kept", u.Profile.MSP)
			}
			if a.global.json {
				return a.printJSON(authorityRow{Authority: u.Profile.MSP, Dir: f.dir, Created: created})
			}
			return nil
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&rules, "rules", "", "take the rules from this YAML `file` (default: role and department of your own people)")
	return cmd
}

// An authorityRow is what 'authority init --json' prints.
type authorityRow struct {
	Authority string `json:"authority"`
	Dir       string `json:"dir"`
	Created   bool   `json:"created"`
}

func (a *app) authorityPublishCommand() *cobra.Command {
	var f authorityFlags
	var announcement ledger.Announcement
	var attributes []string
	cmd := &cobra.Command{
		Use:   "publish --dir DIR --url URL",
		Short: "Announce the authority and publish its attributes on the ledger",
		Long: `Publish puts the address of the authority, the recipient of the hospital's custodian and the
public keys of all attributes that the rule file can grant on the ledger, where sealers take them
from. What is there already is left as it is. An attribute that comes from a wildcard rule is
published by naming it with --attribute.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if announcement.URL == "" {
				return usagef("where is the authority? name its https address with --url")
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			master, mapping, err := a.unlock(f, s.user.Profile.MSP)
			if err != nil {
				return err
			}
			defer master.Destroy()
			names := mapping.Attributes()
			for _, name := range attributes {
				if !mapping.Covers(name) {
					return withHint(usagef("no rule of this authority grants %s", name), "add a rule to %s first", authorityDir{f.dir}.rulesPath())
				}
				names = append(names, name)
			}
			announced, err := keys.Announce(ctx, s.ledger, announcement)
			if err != nil {
				return err
			}
			published, err := keys.Publish(ctx, s.ledger, master, names)
			if err != nil {
				return err
			}
			if a.global.json {
				return a.printJSON(publishedRow{Authority: s.ledger.MSP(), Announced: announced, Published: append([]string{}, published...)})
			}
			a.note("%d attributes of %s are published, %d of them now", len(names), s.ledger.MSP(), len(published))
			return a.printLines(published)
		}),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&announcement.URL, "url", "", "https `address` at which people reach the authority (required)")
	fs.StringVar(&announcement.Custodian, "custodian", "", "age `recipient` of the hospital's records custodian (default: as announced before)")
	fs.StringArrayVar(&attributes, "attribute", nil, "also publish this attribute, `MSPID:name=value` (repeatable)")
	return cmd
}

// A publishedRow is what 'authority publish --json' prints.
type publishedRow struct {
	Authority string   `json:"authority"`
	Announced bool     `json:"announced"` // now, and not before
	Published []string `json:"published"` // now, and not before
}

func (a *app) printLines(lines []string) error {
	for _, line := range lines {
		if err := a.printf("%s\n", clean(line)); err != nil {
			return err
		}
	}
	return nil
}

// unlock opens an authority's directory as MSP's.
func (a *app) unlock(f authorityFlags, msp string) (master, mapping, error) {
	d := authorityDir{f.dir}
	exists, err := d.exists()
	if err != nil {
		return nil, nil, err
	}
	if !exists {
		return nil, nil, withHint(ledger.Errorf(ledger.ErrNotFound, "there is no master secret in %s", f.dir), "make one with 'chartseal authority init'")
	}
	passphrase, err := a.secret(f.source(false))
	if err != nil {
		return nil, nil, err
	}
	m, err := d.open(string(passphrase))
	if err != nil {
		return nil, nil, err
	}
	if m.Authority() != msp {
		m.Destroy()
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "%s holds the master secret of %s, and you are of %s", f.dir, m.Authority(), msp)
	}
	rules, err := d.mapping(msp)
	if err != nil {
		m.Destroy()
		return nil, nil, fmt.Errorf("rules of the authority: %w", err)
	}
	return m, rules, nil
}
