package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/keys"
)

func (a *app) authorityPublishCommand() *cobra.Command {
	f := newAuthorityFlags()
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
			master, mapping, err := a.unlock(f, s.User.Profile.MSP)
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
			announced, err := keys.Announce(ctx, s.Ledger, announcement)
			if err != nil {
				return err
			}
			published, err := keys.Publish(ctx, s.Ledger, master, names)
			if err != nil {
				return masterHint(err, f.dir)
			}
			if a.global.json {
				return a.printJSON(publishedRow{Authority: s.Ledger.MSP(), Announced: announced, Published: append([]string{}, published...)})
			}
			a.note("%d attributes of %s are published, %d of them now", len(names), s.Ledger.MSP(), len(published))
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
