package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// certifyErasure writes the certificate of a record's erasure.
func (a *app) certifyErasure(ctx context.Context, id, file string) error {
	out, err := createFile(file, false)
	if err != nil {
		return err
	}
	defer out.Close()
	return a.withSession(func(s *session.Session) error {
		certificate, err := s.Client.CertifyErasure(ctx, id)
		if err != nil {
			return recordHint(err)
		}
		text, err := json.MarshalIndent(certificate, "", "  ")
		if err != nil {
			return err
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
		if err := out.Commit(); err != nil {
			return err
		}
		return a.printCertificate(certificate)
	})
}

func (a *app) eraseCheckCommand() *cobra.Command {
	var texts []string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Verify the certificate of an erasure, without a network",
		Long: `Check verifies the signatures in a file that 'chartseal erase --certificate' wrote: the tombstone's, and
each hospital's receipt. It needs the root certificates of the members only. It takes their hashes from
the wallet's profile, and from --root.`,
		Example: `  chartseal erase check erased.json --root HospitalA=3f5c...`,
		Args:    takes(1, 1, "one FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			roots := make(map[string][]ledger.CertificateID)
			if u, err := a.user(); err == nil {
				maps.Copy(roots, u.Profile.Members)
			}
			given := make(map[string][]ledger.CertificateID)
			for _, text := range texts {
				member, hash, _ := strings.Cut(text, "=")
				root, err := ledger.ParseCertificateID(hash)
				if err != nil || member == "" {
					return words.WithHint(usagef("--root %q is not MSPID=SHA-256", text), "'chartseal members' shows the roots")
				}
				given[member] = append(given[member], root)
			}
			for member, all := range given {
				slices.SortFunc(all, func(a, b ledger.CertificateID) int { return strings.Compare(a.String(), b.String()) })
				roots[member] = all
			}
			text, err := a.readText(args[0], 16<<20)
			if err != nil {
				return err
			}
			certificate, err := client.CheckErasure(ctx, []byte(text), roots)
			if err != nil {
				return checkHint(err)
			}
			return a.printCertificate(certificate)
		}),
	}
	cmd.Flags().StringArrayVar(&texts, "root", nil, "`MSPID=SHA-256` of a member's root certificate (repeatable)")
	return cmd
}

func checkHint(err error) error {
	if c := classify(err); c.code == "tampered" {
		return words.WithHint(err, "do not rely on this file; ask for a new one")
	}
	return words.WithHint(err, "give the roots with --root MSPID=SHA-256, as the members have told you")
}

func (a *app) printCertificate(e *client.ErasureCertificate) error {
	if a.global.json {
		return a.printJSON(e)
	}
	if err := a.printf("record %s of %s was erased by %s at %s: %s\n", e.Erasure.ID, e.Home, e.Erasure.Actor, shortTime(e.Erasure.Time),
		ledger.ErasureReasons[e.Erasure.Reason]); err != nil {
		return err
	}
	t := newTable("HOSPITAL", "KEYS", "PAYLOADS", "CONFIRMED", "BY")
	for _, r := range e.Receipts {
		t.row(r.Keeper, r.Keys, r.Payloads, shortTime(r.Time), r.Actor)
	}
	for _, m := range e.Missing {
		t.row(m, "", "", "not yet", "")
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	if len(e.Missing) > 0 {
		a.note("%s confirmed it yet: %s", fmt.Sprint(count(len(e.Missing), "hospital has not", "hospitals have not")), strings.Join(e.Missing, ", "))
	}
	return nil
}
