package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// verifyFlags choose a second peer to compare the index with.
type verifyFlags struct {
	verify bool
	with   string
}

func (f *verifyFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.verify, "verify", false, "compare the index with another hospital's peer, which then sees what your own peer sees")
	fs.StringVar(&f.with, "verify-with", "", "compare with the peer of this `organisation` (default: the first other one with a profile in the wallet)")
}

// connect makes the connection to the second peer, if one is wanted.
func (f *verifyFlags) connect(a *app, s *session.Session, o *client.SearchOptions) error {
	if !f.verify && f.with == "" {
		return nil
	}
	w, err := a.openWallet()
	if err != nil {
		return err
	}
	name, err := f.organisation(w, s.Ledger.PeerMSP())
	if err != nil {
		return err
	}
	other, err := s.At(name)
	if err != nil {
		return err
	}
	o.Verify = other
	a.note("comparing with the peer of %s, which thereby learns which index entries belong to this query", name)
	return nil
}

// organisation is the one to compare with, when the peer of asked already answers.
func (f *verifyFlags) organisation(w *wallet.Wallet, asked string) (string, error) {
	if f.with == asked {
		return "", words.WithHint(usagef("--verify-with %s: the peer of %s is the one that answers", asked, asked), "name another organisation")
	}
	if f.with != "" {
		return f.with, nil
	}
	all, err := w.Organisations()
	if err != nil {
		return "", err
	}
	for _, name := range all {
		if name != asked {
			return name, nil
		}
	}
	return "", words.WithHint(fmt.Errorf("the wallet has no other organisation's profile: %w", client.ErrNotFound),
		"get the profile of another hospital, a file such as HospitalB.yaml, and put it into %s", w.Dir())
}

// problems turns proofs of withheld or altered entries into an error, after the results
// are printed.
func (a *app) problems(found client.Results) error {
	var tampered []error
	for _, p := range found.Problems {
		if errors.Is(p, ledger.ErrTampered) {
			tampered = append(tampered, p)
		} else {
			a.warn("there may be more records: %v", p)
		}
	}
	if len(tampered) == 0 {
		return nil
	}
	more := ""
	if n := len(tampered) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return words.WithHint(fmt.Errorf("the index is incomplete: %w%s", tampered[0], more),
		"the printed records are verified, but there may be more; search at another hospital's peer with --verify, and tell the operator of yours")
}
