package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) historyCommand() *cobra.Command {
	code := "TREAT"
	cmd := &cobra.Command{
		Use:   "history RECORD",
		Short: "Show the versions of a record, and who opened it",
		Long: `History shows the authors of a record's versions, the policies, and the people who have sealed a
version again. It verifies the authors' signatures of the versions that you can open. Custodians,
auditors and admins also see who has asked for the record's key.

History asks for the wrapped keys, and so leaves an access entry of its own. An auditor opens nothing,
and uses 'chartseal audit history'.`,
		Example: `  chartseal history 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87`,
		GroupID: sectionRecords,
		Args:    takes(1, 1, "one RECORD"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := recordID(args[0])
			if err != nil {
				return err
			}
			if code, err = purpose(code); err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				h, err := s.Client.History(ctx, id, code)
				if err != nil {
					return recordHint(err)
				}
				return a.printLife(h)
			})
		}),
	}
	cmd.Flags().StringVar(&code, "purpose", code, "purpose of use, a `code` of HL7 PurposeOfUse; it is logged")
	a.addAt(cmd.Flags())
	return cmd
}

func (a *app) printLife(h client.History) error {
	if a.global.json {
		return a.printJSON(h)
	}
	t := newTable("VERSION", "SEALED", "AUTHOR", "SIGNATURE", "CHANGED", "POLICY")
	for _, v := range h.Versions {
		version, changed := fmt.Sprint(v.Version), ""
		if v.Current && h.Erasure == nil {
			version += " (current)"
		}
		if v.Seal > 0 {
			changed = fmt.Sprintf("%s by %s", shortTime(v.SealTime), v.SealedBy)
		}
		signature := "not checked"
		switch {
		case v.Verified:
			signature = "verified"
		case v.Opens:
			signature = "none"
		}
		t.row(version, shortTime(v.Time), v.Author, signature, changed, v.Policy)
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	if e := h.Erasure; e != nil {
		if err := a.printf("erased %s by %s: %s\n", shortTime(e.Time), e.Actor, ledger.ErasureReasons[e.Reason]); err != nil {
			return err
		}
	}
	if len(h.Accesses) > 0 {
		if err := a.printf("\n"); err != nil {
			return err
		}
		t := newTable("OPENED", "ACTOR", "PURPOSE")
		for _, e := range h.Accesses {
			t.row(shortTime(e.Time), e.Actor, e.Purpose)
		}
		return a.printTable(t)
	}
	if h.Partial {
		a.note("who has opened it is for custodians and auditors")
	}
	return nil
}
