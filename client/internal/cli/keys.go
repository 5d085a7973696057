package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

func (a *app) keysCommand() *cobra.Command {
	return parentCommand("keys", "Get and list your attribute keys", sectionPeople,
		a.keysRequestCommand(), a.keysImportCommand(), a.keysListCommand())
}

// A keyRow is an attribute key as --json prints it; never the key itself.
type keyRow struct {
	Authority string `json:"authority"`
	Attribute string `json:"attribute"`
	Version   int    `json:"version"`
}

func (a *app) keysRequestCommand() *cobra.Command {
	var authorities []string
	cmd := &cobra.Command{
		Use:   "request",
		Short: "Ask attribute authorities for your keys",
		Long: `Request shows your enrolment certificate to the attribute authorities of the consortium. Each decides
which keys you are entitled to. Request checks the keys against the public keys on the ledger, and
keeps them in your wallet. It does not mention authorities that grant you nothing, unless you name
them.

Request your keys again after an authority has rotated an attribute. You get the new version, with
the older ones, which still open the records sealed to them. You always get the same keys for the
same versions. A request adds keys to your wallet and never removes one.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withSession(func(s *session.Session) error {
				r := keys.Requester{Ledger: s.Ledger, Trust: s.Trust(), Certificate: enrolmentTLS(s.User), Members: s.Members, Held: held(s.User)}
				grants, err := r.Request(ctx, authorities...)
				if errors.Is(err, client.ErrNotFound) {
					return words.WithHint(err, "name one of these with --authority, or none to ask all")
				} else if err != nil {
					return err
				}
				rows, err := a.storeGrants(s, grants, len(authorities) > 0)
				if printErr := a.printKeys(rows, err == nil); printErr != nil {
					return printErr
				}
				return err
			})
		}),
	}
	cmd.Flags().StringArrayVar(&authorities, "authority", nil, "ask only this `MSP`'s authority (repeatable)")
	return cmd
}

// held returns a function that reports which versions the wallet holds. A wallet that
// cannot be read holds none: a request repairs it.
func held(u *wallet.User) func(string, int) bool {
	stored, _ := session.AttributeKeys(u)
	has := make(map[ledger.AttributeName]bool, len(stored))
	for _, k := range stored {
		has[ledger.AttributeName{Name: k.Name(), Version: k.Version()}] = true
	}
	return func(attribute string, version int) bool {
		return has[ledger.AttributeName{Name: attribute, Version: version}]
	}
}

// enrolmentTLS is the enrolment certificate in the form that proves possession of its key
// to an authority.
func enrolmentTLS(u *wallet.User) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{u.Certificate.Raw}, PrivateKey: u.Signer(), Leaf: u.Certificate}
}

// storeGrants stores the granted keys and reports refusals. It returns the first failure
// that counts. If any key was granted, an unreachable authority is only a warning, since
// the next request can ask it again.
func (a *app) storeGrants(s *session.Session, grants []keys.Grant, named bool) ([]keyRow, error) {
	rows := []keyRow{}
	var failures []error
	for _, g := range grants {
		switch {
		case keys.Nothing(g.Err) && !named:
		case g.Err != nil:
			failures = append(failures, g.Err)
		default:
			if err := session.StoreAttributeKeys(s.User, g.Authority, g.Keys); err != nil {
				return rows, err
			}
			for _, k := range g.Keys {
				rows = append(rows, keyRow{g.Authority, k.Name(), k.Version()})
			}
			if g.Older != nil {
				a.warn("older keys of %s may be missing: %v", g.Authority, g.Older)
			}
		}
	}
	switch {
	case len(failures) == 0 && len(rows) == 0:
		return rows, words.WithHint(ledger.Errorf(ledger.ErrDenied, "no authority grants %s anything", s.User), grantHint)
	case len(failures) == 0:
		return rows, nil
	case named || len(rows) == 0:
		err := failures[0]
		for _, more := range failures[1:] {
			err = fmt.Errorf("%w; %w", err, more)
		}
		if errors.Is(err, client.ErrDenied) {
			err = words.WithHint(err, grantHint)
		}
		return rows, err
	}
	for _, err := range failures {
		a.warn("%v", err)
	}
	return rows, nil
}

const grantHint = "authorities grant by the attributes in your certificate, such as role; ask your hospital's administrator"

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the attribute keys in your wallet",
		Args:  takes(0, 0, ""),
		RunE: a.run(func(context.Context, []string) error {
			u, err := a.user()
			if err != nil {
				return err
			}
			stored, err := attributeKeys(u)
			if err != nil {
				return err
			}
			rows := []keyRow{}
			for _, k := range stored {
				rows = append(rows, keyRow{k.Attribute().Authority, k.Name(), k.Version()})
			}
			if len(rows) == 0 {
				a.note("%s has no attribute keys; 'chartseal keys request' asks for them", u)
			}
			return a.printKeys(rows, true)
		}),
	}
}

// printKeys prints rows. With --json, a failed command prints nothing on stdout.
func (a *app) printKeys(rows []keyRow, done bool) error {
	if a.global.json {
		if !done {
			return nil
		}
		return a.printJSON(rows)
	}
	if len(rows) == 0 {
		return nil
	}
	t := newTable("ATTRIBUTE", "VERSION", "AUTHORITY")
	for _, r := range rows {
		t.row(r.Attribute, fmt.Sprint(r.Version), r.Authority)
	}
	return a.printTable(t)
}
