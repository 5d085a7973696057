package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/trust"
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
		proof, maxSize    string
		force             bool
		all               exportAllFlags
	)
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "export (RECORD --envelope FILE --payload FILE | --all [QUERY...] (--to DIR | --ndjson FILE))",
		Short: "Write records as age files, for a patient who has only age, or opened",
		Long: `Export writes a record as it is stored, in two age files: the envelope, which holds the record key,
and the payload. It commits an access entry to the ledger first, and checks the payload against its
CID. It decrypts nothing and needs no key.

A patient whose key was given ('seal --patient-key'), the hospital's custodian, and people whose
attributes satisfy the policy open both files with age and age-plugin-chartseal, without a wallet or
a network.

With --proof it also writes what a reader needs to check the author's signature with openssl: the
signed statement, the signature, the author's certificate and the roots of the author's hospital.
docs/verify.md has the commands.

With --all it exports the current version of every record that a QUERY finds ('chartseal search
--help'), and with --patient those of one patient. With --to it writes both age files of each to a
directory, with an index page and the file records.ndjson, which names the access entries. The page
shows kinds and dates only if it is encrypted to a --patient-key. With --opened it opens the records
and writes their contents; with --ndjson it writes these as lines of JSON. It leaves out and counts the
records that you cannot open. The same command goes on after an interruption, and exports nothing
twice.

  age -d -i key.txt envelope.age | age-plugin-chartseal --record-key > record-key.txt
  age -d -i record-key.txt payload.age | head -c SIZE > record`,
		Example: `  chartseal export 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --envelope envelope.age --payload payload.age
  chartseal export --all --patient 12345 --to chart
  chartseal export --all icd10:I21 and date:2020 --ndjson infarcts.ndjson --purpose HRESCH`,
		GroupID: sectionRecords,
		Args:    takes(0, -1, ""),
		RunE: a.run(func(ctx context.Context, args []string) (err error) {
			if r.Purpose, err = purpose(r.Purpose); err != nil {
				return err
			}
			if all.all {
				if err := onlyWithout(cmd, "--all", "envelope", "payload", "proof", "max-size", "force", "version"); err != nil {
					return err
				}
				return a.exportAll(ctx, all, args, r.Purpose)
			}
			if err := onlyWithout(cmd, "one RECORD", "patient", "to", "opened", "ndjson", "patient-key", "scope"); err != nil {
				return err
			}
			if len(args) != 1 {
				return usagef("want one RECORD, or --all")
			}
			id, err := recordID(args[0])
			if err != nil {
				return err
			}
			size, ok := parseSize(maxSize)
			r.MaxSize = size
			switch {
			case envelope == "" || payload == "":
				return usagef("name both new files, with --envelope and with --payload")
			case envelope == payload:
				return usagef("the envelope and the payload need a file each")
			case maxSize != "" && !ok:
				return words.WithHint(usagef("--max-size: %q is not a size", maxSize), "write sizes as in 500MiB or 50GiB")
			case r.Version < 0:
				return usagef("--version must be at least 1")
			}
			return a.export(ctx, id, r, exportFiles{envelope, payload, proof, force})
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&envelope, "envelope", "", "write the envelope to this new `file`")
	fs.StringVar(&payload, "payload", "", "write the payload to this new `file`")
	fs.StringVar(&proof, "proof", "", "write the proof of the author to files in this new `directory`")
	fs.StringVar(&maxSize, "max-size", "", "refuse a payload that is larger than this `size` (default 16GiB)")
	fs.BoolVar(&force, "force", false, "replace the files if they exist")
	fs.StringVar(&r.Purpose, "purpose", "PATRQT", "purpose of use, a `code` of HL7 PurposeOfUse; it is logged")
	a.addAt(fs)
	fs.IntVar(&r.Version, "version", 0, "export this version instead of the current one")
	all.add(fs)
	return cmd
}

// onlyWithout refuses flags that go with something else.
func onlyWithout(cmd *cobra.Command, what string, flags ...string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return usagef("--%s does not go with %s", name, what)
		}
	}
	return nil
}

// exportFiles are where an export is written.
type exportFiles struct {
	envelope, payload string
	proof             string // a directory; empty for none
	force             bool
}

func (a *app) export(ctx context.Context, id string, r client.ExportRequest, to exportFiles) error {
	envelope, err := createFile(to.envelope, to.force)
	if err != nil {
		return err
	}
	defer envelope.Close()
	payload, err := createFile(to.payload, to.force)
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
		if to.proof != "" {
			if err := writeProof(to.proof, e.Proof); err != nil {
				return err
			}
		}
		if err := payload.Commit(); err != nil {
			return err
		}
		if err := envelope.Commit(); err != nil { // the payload alone reveals nothing
			return err
		}
		if a.global.json {
			return a.printJSON(exportedRow{
				Record: e.ID, Version: e.Version, Envelope: to.envelope, Payload: to.payload, EnvelopeSize: e.Envelope, PayloadSize: e.Payload,
				CID: e.CID, Home: e.Home, Policies: e.Policies, Recipients: e.Recipients, Access: e.Access.ID, Purpose: e.Access.Purpose,
			})
		}
		a.note("exported %s version %d: the envelope (%s, sealed to the policy and %d age keys) to %s, the payload (%s) to %s",
			e.ID, e.Version, bytesText(int64(e.Envelope)), e.Recipients, to.envelope, bytesText(e.Payload), to.payload)
		return nil
	})
}

// writeProof writes the files of a proof to a new directory, or to an empty one.
func writeProof(dir string, p *trust.Proof) error {
	if p == nil {
		return words.WithHint(fmt.Errorf("this version has no signature: %w", client.ErrNotFound),
			"it is from before signatures; export it without --proof")
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if there, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(there) > 0 {
		return words.WithHint(fmt.Errorf("the directory %s is not empty: %w", dir, client.ErrExists), "name a new directory with --proof")
	}
	for name, data := range map[string][]byte{
		"statement.txt": p.Statement, "signature.der": p.Signature, "certificate.pem": p.Certificate, "roots.pem": p.Roots,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
