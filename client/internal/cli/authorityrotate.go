package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) authorityRotateCommand() *cobra.Command {
	f := newAuthorityFlags()
	var attributes []string
	var all bool
	cmd := &cobra.Command{
		Use:   "rotate --dir DIR (--attribute NAME... | --all)",
		Short: "Publish the next version of attributes, after somebody lost one",
		Long: `Rotate publishes the next version of the public key of attributes. Sealers use it from then on. The
running server then issues the new version, with the older ones, to anyone still entitled who runs
'chartseal keys request'. You need not restart it.

After a rotation, people who are no longer entitled cannot open records sealed to the new version:
those who moved to another ward, for example, or whose certificate was revoked.

A rotation takes nothing back. People who hold keys of an older version still open the records and
scopes sealed to it. To shut them out, seal the records again and roll the scopes. Copies made
before stay open. Everyone entitled has to request the new version before they can open records
sealed to it; 'chartseal policy explain RECORD' tells them so.`,
		Example: `  chartseal --user authority@HospitalA authority rotate --dir authority --identity authority.txt --attribute HospitalA:role=doctor`,
		Args:    takes(0, 0, ""),
		RunE: a.run(f.checked(func(ctx context.Context, _ []string) error {
			if all == (len(attributes) > 0) {
				return usagef("name the attributes with --attribute, or say --all")
			}
			return a.withPublisher(f, func(s *session.Session, m master) error {
				by, err := signing(s)
				if err != nil {
					return err
				}
				rotated, err := keys.Rotate(ctx, s.Ledger, by, m, attributes...)
				if printErr := a.printRotated(s.Ledger.MSP(), rotated, err == nil); printErr != nil {
					return printErr
				}
				return masterHint(err, f.dir)
			})
		})),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&attributes, "attribute", nil, "rotate this attribute, `MSPID:name=value` (repeatable)")
	fs.BoolVar(&all, "all", false, "rotate all attributes that the authority has published")
	return cmd
}

// masterHint is for commands that compare a master secret with the ledger's public keys.
func masterHint(err error, dir string) error {
	if errors.Is(err, ledger.ErrTampered) {
		return words.WithHint(err, "is %s the directory of this authority? 'chartseal authority restore' makes it again from a backup; if somebody else published the key, use 'chartseal authority replace'", dir)
	}
	return err
}

// printRotated prints the new versions. Text output also has the versions made before a
// failure.
func (a *app) printRotated(msp string, rotated []ledger.AttributeName, done bool) error {
	rows := []keyRow{}
	for _, r := range rotated {
		rows = append(rows, keyRow{msp, r.Name, r.Version})
	}
	if err := a.printKeys(rows, done); err != nil || !done {
		return err
	}
	a.note("%s a new version; people get it with 'chartseal keys request'; old keys still open records sealed before",
		count(len(rows), "attribute has", "attributes have"))
	return nil
}
