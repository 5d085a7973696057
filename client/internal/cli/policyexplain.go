package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) policyExplainCommand() *cobra.Command {
	var r client.ExplainRequest
	cmd := &cobra.Command{
		Use:   "explain RECORD",
		Short: "Say why you can or cannot open a record",
		Long: `Explain compares the policy of a record with your attribute keys. It shows the keys that you hold, the
keys that you lack, and those that you hold only in a replaced version. It tries your keys on the
wrapped key, and decrypts nothing of the record.

The policy is part of the wrapped key, which the ledger hands out only after an access entry. So this
question is logged like an open, with your name and --purpose.

The exit code is 0 if you can open the record and 4 if not.`,
		Example: `  chartseal policy explain 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87`,
		Args:    takes(1, 1, "one RECORD"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := recordID(args[0])
			if err != nil {
				return err
			}
			if r.Purpose, err = purpose(r.Purpose); err != nil {
				return err
			}
			if r.Version < 0 {
				return usagef("--version must be at least 1")
			}
			return a.withSession(func(s *session.Session) error {
				e, err := s.Client.Explain(ctx, id, r)
				if err != nil {
					return recordHint(err)
				}
				if err := a.printExplanation(e); err != nil {
					return err
				}
				return explained(e)
			})
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&r.Purpose, "purpose", "TREAT", "purpose of use, a `code` of HL7 PurposeOfUse; it is logged")
	a.addAt(fs)
	fs.IntVar(&r.Version, "version", 0, "explain this version instead of the current one")
	return cmd
}

// An explainedRow is the output of 'policy explain --json'.
type explainedRow struct {
	Record     string       `json:"record"`
	Version    int          `json:"version"`
	Home       string       `json:"home"`
	Policy     string       `json:"policy"`
	Entitled   bool         `json:"entitled"`
	By         string       `json:"by"`         // "policy" or "key", how the caller opens; "" if not
	Keys       []sealedKey  `json:"keys"`       // attribute keys that it is sealed to
	Recipients int          `json:"recipients"` // age keys that it is sealed to as well
	Missing    [][]string   `json:"missing"`    // smallest sets that would do
	Stale      []staleCheck `json:"stale"`
	Access     string       `json:"access"` // id of the access entry
	Purpose    string       `json:"purpose"`
}

type sealedKey struct {
	Attribute string `json:"attribute"`
	Version   int    `json:"version"`
	Held      bool   `json:"held"`
}

func newExplainedRow(e client.Explanation) explainedRow {
	row := explainedRow{
		Record: e.ID, Version: e.Version, Home: e.Home, Policy: e.Policy, Entitled: e.Entitled, Recipients: e.Recipients,
		Keys: []sealedKey{}, Missing: append([][]string{}, e.Missing...), Stale: []staleCheck{}, Access: e.Access.ID, Purpose: e.Access.Purpose,
	}
	switch {
	case e.Entitled && e.ByPolicy:
		row.By = "policy"
	case e.Entitled:
		row.By = "key"
	}
	for _, k := range e.Keys {
		row.Keys = append(row.Keys, sealedKey{k.Attribute, k.Version, slices.Contains(e.Held, k)})
	}
	for _, s := range e.Stale {
		row.Stale = append(row.Stale, staleCheck{s.Attribute, s.Held, s.Sealed})
	}
	return row
}

func (a *app) printExplanation(e client.Explanation) error {
	row := newExplainedRow(e)
	if a.global.json {
		return a.printJSON(row)
	}
	var rows labelled
	rows.add("record", fmt.Sprintf("%s version %d, of %s", row.Record, row.Version, row.Home))
	rows.add("policy", row.Policy)
	for _, k := range row.Keys {
		state := "not held"
		if k.Held {
			state = "held"
		}
		rows.add("sealed to", fmt.Sprintf("%s version %d  (%s)", k.Attribute, k.Version, state))
	}
	switch {
	case row.Recipients == 1:
		rows.add("sealed to", "1 age key, which should be that of the home hospital's custodian")
	case row.Recipients > 1:
		rows.add("sealed to", fmt.Sprintf("%d age keys, which should be those of the home hospital's custodian and of a patient", row.Recipients))
	}
	for i, set := range row.Missing {
		text := "lack " + strings.Join(set, " and ")
		if i > 0 {
			text = "or " + text
		}
		rows.add("you", text)
	}
	for _, s := range row.Stale {
		rows.add("you", fmt.Sprintf("hold %s of %s, and it is sealed to version %d", versionsText(s.Held), s.Attribute, s.Needed))
	}
	switch row.By {
	case "policy":
		rows.add("you", "can open it with your attribute keys")
	case "key":
		rows.add("you", "can open it with your own age key")
	default:
		rows.add("you", "cannot open it")
	}
	return a.printf("%s", rows.String())
}

// explained returns the error that decides the exit code.
func explained(e client.Explanation) error {
	if e.Entitled {
		return nil
	}
	err := fmt.Errorf("record %s: not entitled: %w", e.ID, &abe.NotSatisfiedError{Policy: e.Policy, Missing: e.Missing})
	if len(e.Stale) == 0 {
		return err
	}
	s := e.Stale[0]
	return words.WithHint(err, "you hold %s of %s and it is sealed to version %d: 'chartseal keys request' gets the version you are entitled to",
		versionsText(s.Held), s.Attribute, s.Sealed)
}
