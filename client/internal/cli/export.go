package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/session"
)

// An exportedRow is the output of 'export --json'.
type exportedRow struct {
	Record       string `json:"record"`
	Version      int    `json:"version"`
	Envelope     string `json:"envelope"` // path of the file that was written
	Payload      string `json:"payload"`  // the same
	EnvelopeSize int    `json:"envelopeSize"`
	PayloadSize  int64  `json:"payloadSize"`
	CID          string `json:"cid"`
	Home         string `json:"home"`
	Policies     int    `json:"policies"`   // how often the record key is wrapped for attribute keys
	Recipients   int    `json:"recipients"` // and for age keys
	Access       string `json:"access"`     // id of the access entry
	Purpose      string `json:"purpose"`
}

func (a *app) exportCommand() *cobra.Command {
	var (
		r                 client.ExportRequest
		envelope, payload string
		force             bool
	)
	cmd := &cobra.Command{
		Use:   "export RECORD --envelope FILE --payload FILE",
		Short: "Write a record's two age files, for a patient who has only age",
		Long: `Export writes a record as it is stored, in two age files: the envelope, which holds the record key,
and the payload. It commits an access entry to the ledger first, and checks the payload against its
CID. It decrypts nothing and needs no key.

A patient whose key was given ('seal --patient-key'), the hospital's custodian, and people whose
attributes satisfy the policy open both files with age and age-plugin-chartseal, without a wallet or
a network.

  age -d -i key.txt envelope.age | age-plugin-chartseal --record-key > record-key.txt
  age -d -i record-key.txt payload.age | head -c SIZE > record`,
		Example: `  chartseal export 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --envelope envelope.age --payload payload.age`,
		GroupID: sectionRecords,
		Args:    takes(1, 1, "one RECORD"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := recordID(args[0])
			if err != nil {
				return err
			}
			if r.Purpose, err = purpose(r.Purpose); err != nil {
				return err
			}
			switch {
			case envelope == "" || payload == "":
				return usagef("name both new files, with --envelope and with --payload")
			case envelope == payload:
				return usagef("the envelope and the payload need a file each")
			case r.Version < 0:
				return usagef("--version must be at least 1")
			}
			return a.export(ctx, id, r, envelope, payload, force)
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&envelope, "envelope", "", "write the envelope to this new `file` (required)")
	fs.StringVar(&payload, "payload", "", "write the payload to this new `file` (required)")
	fs.BoolVar(&force, "force", false, "replace the files if they exist")
	fs.StringVar(&r.Purpose, "purpose", "PATRQT", "purpose of use, a `code` of HL7 PurposeOfUse; it is logged")
	a.addAt(fs)
	fs.IntVar(&r.Version, "version", 0, "export this version instead of the current one")
	return cmd
}

func (a *app) export(ctx context.Context, id string, r client.ExportRequest, envelopePath, payloadPath string, force bool) error {
	envelope, err := createFile(envelopePath, force)
	if err != nil {
		return err
	}
	defer envelope.Close()
	payload, err := createFile(payloadPath, force)
	if err != nil {
		return err
	}
	defer payload.Close()
	return a.withSession(func(s *session.Session) error {
		var stop func()
		r.Progress, stop = a.progress("exporting")
		defer stop()
		e, err := s.Client.Export(ctx, id, envelope, payload, r)
		stop()
		if err != nil {
			return recordHint(err)
		}
		if err := payload.Commit(); err != nil {
			return err
		}
		if err := envelope.Commit(); err != nil { // the payload alone reveals nothing
			return err
		}
		if a.global.json {
			return a.printJSON(exportedRow{
				Record: e.ID, Version: e.Version, Envelope: envelopePath, Payload: payloadPath, EnvelopeSize: e.Envelope, PayloadSize: e.Payload,
				CID: e.CID, Home: e.Home, Policies: e.Policies, Recipients: e.Recipients, Access: e.Access.ID, Purpose: e.Access.Purpose,
			})
		}
		a.note("exported %s version %d: the envelope (%s, sealed to the policy and %d age keys) to %s, the payload (%s) to %s",
			e.ID, e.Version, bytesText(int64(e.Envelope)), e.Recipients, envelopePath, bytesText(e.Payload), payloadPath)
		return nil
	})
}
