package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/keys"
)

func (a *app) authorityRotateCommand() *cobra.Command {
	f := newAuthorityFlags()
	var attributes []string
	var all bool
	cmd := &cobra.Command{
		Use:   "rotate --dir DIR (--attribute NAME... | --all)",
		Short: "Publish the next version of attributes, after somebody lost one",
		Long: `Rotate publishes the next version of the public key of attributes. Sealers use it from then on. The
running server issues it, beside the older ones, to everyone who is still entitled and asks with
'chartseal keys request'; it need not be restarted.

What it does: whoever is no longer entitled (moved to another ward, or their certificate was revoked)
cannot open what is sealed to the new version.

What it does not: it takes nothing back. Records that were sealed to older versions open with the keys
that were issued for them, and so do scopes. To shut somebody out of those, seal the records anew and
roll the scopes; copies that were made before stay open. And everyone who is entitled has to ask for
the new version before they can open what is sealed to it; 'chartseal policy explain RECORD' tells
them so.`,
		Example: `  chartseal --user authority@HospitalA authority rotate --dir authority --identity authority.txt --attribute HospitalA:role=doctor`,
		Args:    takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if all == (len(attributes) > 0) {
				return usagef("name the attributes with --attribute, or say --all")
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			m, err := a.openMaster(f, s.User.Profile.MSP)
			if err != nil {
				return err
			}
			defer m.Destroy()
			rotated, err := keys.Rotate(ctx, s.Ledger, m, attributes...)
			if printErr := a.printRotated(s.Ledger.MSP(), rotated, err == nil); printErr != nil {
				return printErr
			}
			return masterHint(err, f.dir)
		}),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&attributes, "attribute", nil, "rotate this attribute, `MSPID:name=value` (repeatable)")
	fs.BoolVar(&all, "all", false, "rotate all attributes that the authority has published")
	return cmd
}

// masterHint is for commands that hold a master secret against what the ledger pins.
func masterHint(err error, dir string) error {
	if errors.Is(err, ledger.ErrTampered) {
		return withHint(err, "is %s the directory of this authority? 'chartseal authority restore' makes it anew from a backup", dir)
	}
	return err
}

// printRotated prints the new versions, in text also those before a failure.
func (a *app) printRotated(msp string, rotated []ledger.AttributeName, done bool) error {
	rows := []keyRow{}
	for _, r := range rotated {
		rows = append(rows, keyRow{msp, r.Name, r.Version})
	}
	if err := a.printKeys(rows, done); err != nil || !done {
		return err
	}
	what := fmt.Sprintf("%d attributes are", len(rows))
	if len(rows) == 1 {
		what = "1 attribute is"
	}
	a.note("%s at a new version; who is entitled gets it with 'chartseal keys request', and what was sealed before stays open to old keys", what)
	return nil
}
