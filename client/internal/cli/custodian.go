package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) custodianCommand() *cobra.Command {
	return parentCommand("custodian", "Keep the key that can release any record of a hospital", sectionHospital, a.custodianInitCommand())
}

func (a *app) custodianInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the custodian's key, if there is none, and print its recipient",
		Long: `Init makes an age identity in the custodian's directory of the wallet and prints its recipient.
Announce the recipient with 'chartseal authority publish --custodian'. This key opens every record
that the hospital seals from then on. Keep the file custodian.txt offline or in a safe, and keep a
copy. Init keeps a key that is already there.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(context.Context, []string) error {
			u, err := a.user()
			if err != nil {
				return err
			}
			recipient, created, err := u.CreateCustodian()
			if err != nil {
				return err
			}
			if created {
				a.note("a new custodian key is in %s; it is the only copy", u.Dir())
			}
			if a.global.json {
				return a.printJSON(custodianRow{Recipient: recipient, Created: created})
			}
			return a.printf("%s\n", recipient)
		}),
	}
}

// A custodianRow is the output of 'custodian init --json'.
type custodianRow struct {
	Recipient string `json:"recipient"`
	Created   bool   `json:"created"`
}
