package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) scopeCommand() *cobra.Command {
	return group("scope", "Manage search domains", groupRun, a.scopeCreateCommand(), a.scopeRollCommand(),
		a.scopeCompactCommand(), a.scopeListCommand())
}

// A scopeRow is what 'scope create --json' prints.
type scopeRow struct {
	Name    string `json:"name"`
	Created bool   `json:"created"`
	Policy  string `json:"policy"` // canonical form; empty when the scope was there before
}

func (a *app) scopeCreateCommand() *cobra.Command {
	var f sealFlags
	var ifAbsent bool
	cmd := &cobra.Command{
		Use:   "create NAME --policy TEXT",
		Short: "Make a search domain whose members can find each other's records",
		Long: `Create makes a search domain and its secret key, which only those who satisfy the policy can
unwrap: the right to search, and to be found, follows attributes. It is for custodians and
administrators.`,
		Example: `  chartseal scope create consortium --policy 'HospitalA:role=doctor or HospitalB:role=doctor'`,
		Args:    takes(1, 1, "one NAME"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			text, err := f.policyText(a)
			if err != nil {
				return err
			}
			if err := checkPolicy(text); err != nil {
				return err
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			row := scopeRow{Name: args[0], Created: true}
			if ifAbsent {
				if row.Created, err = absent(ctx, s, args[0]); err != nil {
					return err
				}
			}
			if row.Created {
				row.Policy, err = s.Client.CreateScope(ctx, args[0], text)
				if ifAbsent && errors.Is(err, client.ErrExists) { // somebody was faster
					row.Created, err = false, nil
				}
				if err != nil {
					return scopeHint(err)
				}
			}
			if a.global.json {
				return a.printJSON(row)
			}
			if row.Created {
				a.note("scope %s is for %s", row.Name, row.Policy)
			} else {
				a.note("scope %s was there and is kept as it is", row.Name)
			}
			return nil
		}),
	}
	f.addPolicy(cmd)
	cmd.Flags().BoolVar(&ifAbsent, "if-absent", false, "do nothing if the scope exists")
	return cmd
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
		return withHint(err, "'chartseal scope list' shows the scopes; --if-absent accepts one that exists")
	case errors.Is(err, client.ErrDenied):
		return withHint(err, "scopes are made by the roles custodian and admin")
	}
	return err
}

func (a *app) scopeListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the search domains",
		Args:  takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
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
		}),
	}
}
