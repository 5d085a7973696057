package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) scopeCommand() *cobra.Command {
	return parentCommand("scope", "Manage search domains", sectionHospital, a.scopeCreateCommand(), a.scopeRollCommand(),
		a.scopeCompactCommand(), a.scopeListCommand())
}

// scopePolicies is in the help of commands that take a scope's policy.
const scopePolicies = `The policy must admit everyone who searches, and everyone who seals records that are to be found. It
must also admit the records custodian of every hospital: without the key, a custodian cannot run
'chartseal scope compact'.`

const scopePolicyExample = `'HospitalA:role=doctor or HospitalA:role=custodian or HospitalB:role=doctor or HospitalB:role=custodian'`

// A scopeRow is the output of 'scope create --json'.
type scopeRow struct {
	Name    string `json:"name"`
	Created bool   `json:"created"`
	Policy  string `json:"policy"` // canonical form; empty when the scope was there before
}

func (a *app) scopeCreateCommand() *cobra.Command {
	var policy policyFlags
	var ifAbsent bool
	cmd := &cobra.Command{
		Use:   "create NAME --policy TEXT",
		Short: "Make a search domain whose members can find each other's records",
		Long: `Create makes a search domain and its secret key. Only people who satisfy the policy can unwrap the
key, so the right to search follows attributes. The command is for custodians and administrators.

` + scopePolicies,
		Example: `  chartseal scope create consortium --policy ` + scopePolicyExample,
		Args:    takes(1, 1, "one NAME"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			text, err := policy.read(a)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				row, err := createScope(ctx, s, args[0], text, ifAbsent)
				if err != nil {
					return err
				}
				switch {
				case a.global.json:
					return a.printJSON(row)
				case row.Created:
					a.note("scope %s is for %s", row.Name, row.Policy)
				default:
					a.note("scope %s exists already; it is kept", row.Name)
				}
				return nil
			})
		}),
	}
	policy.add(cmd)
	cmd.Flags().BoolVar(&ifAbsent, "if-absent", false, "do nothing if the scope exists")
	return cmd
}

func createScope(ctx context.Context, s *session.Session, name, policy string, ifAbsent bool) (row scopeRow, err error) {
	row = scopeRow{Name: name, Created: true}
	if ifAbsent {
		if row.Created, err = absent(ctx, s, name); err != nil || !row.Created {
			return row, err
		}
	}
	row.Policy, err = s.Client.CreateScope(ctx, name, policy)
	if ifAbsent && errors.Is(err, client.ErrExists) { // somebody was faster
		return scopeRow{Name: name}, nil
	}
	return row, scopeHint(err)
}

func absent(ctx context.Context, s *session.Session, name string) (bool, error) {
	all, err := s.Ledger.Scopes(ctx)
	if err != nil {
		return false, err
	}
	for _, scope := range all {
		if scope.Name == name {
			return false, nil
		}
	}
	return true, nil
}

func scopeHint(err error) error {
	switch {
	case errors.Is(err, client.ErrExists):
		return words.WithHint(err, "'chartseal scope list' shows the scopes; --if-absent accepts one that exists")
	case errors.Is(err, client.ErrDenied):
		return words.WithHint(err, "scopes are made by the roles custodian and admin")
	}
	return err
}

func (a *app) scopeListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the search domains",
		Args:  takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withLedger(func(s *session.Session) error {
				scopes, err := s.Ledger.Scopes(ctx)
				if err != nil {
					return err
				}
				if a.global.json {
					return a.printJSON(append([]ledger.Scope{}, scopes...))
				}
				if len(scopes) == 0 {
					a.note("there are no scopes; a custodian makes one with 'chartseal scope create'")
					return nil
				}
				t := newTable("SCOPE", "EPOCH", "OWNER", "SINCE")
				for _, s := range scopes {
					t.row(s.Name, fmt.Sprint(s.Epoch), s.Owner, shortTime(s.Time))
				}
				return a.printTable(t)
			})
		}),
	}
	a.addAt(cmd.Flags())
	return cmd
}
