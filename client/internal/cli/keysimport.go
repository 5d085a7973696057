package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) keysImportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Put attribute keys from an issued file into your wallet",
		Args:  takes(1, 1, "one FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			issued, err := a.readIssued(args[0])
			if err != nil {
				return err
			}
			return a.withLedger(func(s *session.Session) error {
				if err := keys.Check(ctx, s.Ledger, s.Trust(), s.Ledger.Actor(), issued); err != nil {
					return err
				}
				from := issued[0].Attribute().Authority
				if err := session.StoreAttributeKeys(s.User, from, issued); err != nil {
					return err
				}
				rows := []keyRow{}
				for _, k := range issued {
					rows = append(rows, keyRow{from, k.Name(), k.Version()})
				}
				return a.printKeys(rows, true)
			})
		}),
	}
}

// readIssued reads the file that 'authority issue' writes.
func (a *app) readIssued(path string) ([]*abe.UserKey, error) {
	text, err := a.readText(path, 8<<20)
	if err != nil {
		return nil, err
	}
	issued, err := keys.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of issued keys: %w", path, err)
	}
	return issued, nil
}
