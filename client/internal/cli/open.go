package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// An openedRow is the JSON output for a record that was opened.
type openedRow struct {
	Record    string   `json:"record"`
	Version   int      `json:"version"`
	Output    string   `json:"output"` // path of the file that was written
	File      string   `json:"file"`   // name the record was sealed under
	MediaType string   `json:"mediaType"`
	Kind      string   `json:"kind"`
	Size      int64    `json:"size"`
	SHA256    string   `json:"sha256"`
	Patient   string   `json:"patient"`
	Dates     []string `json:"dates"`
	Codes     []string `json:"codes"`
	Author    string   `json:"author"`
	Signed    bool     `json:"signed"` // the author's signature was verified
	Home      string   `json:"home"`
	Sealed    string   `json:"sealed"`
	Access    string   `json:"access"` // id of the access entry
	Purpose   string   `json:"purpose"`

	// Range is set with --range: the bytes in Output. They are not compared with SHA256
	// or the ledger's commitment.
	Range *rangeRow `json:"range,omitempty"`
}

type rangeRow struct {
	Offset   int64  `json:"offset"`
	Length   int64  `json:"length"`
	Verified string `json:"verified"` // always "chunks": what takes the whole record was not checked
}

func (a *app) openCommand() *cobra.Command {
	var (
		o      client.OpenRequest
		output string
		part   string
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "open RECORD [-o FILE]",
		Short: "Open a record that your attributes allow",
		Long: `Open commits an access entry to the ledger (person, record, purpose), then fetches, verifies and
decrypts the record. It writes to standard output, or with -o to a file. It shows nothing and makes
no file before it has verified the author's signature and the whole record. It never uses the
record's stored name as a path.

With --range it fetches, decrypts and writes only those bytes, counted from 0. A range beyond the end
is cut there. Each byte is authenticated under the record's key, at its place. The digest and the
ledger's commitment cover the whole record, so open cannot check them for a range.`,
		Example: `  chartseal open 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 -o report.json
  chartseal open 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --purpose ETREAT | jq .
  chartseal open 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --range 1048576:4096 -o part`,
		GroupID: sectionRecords,
		Args:    takes(1, 1, "one RECORD"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := recordID(args[0])
			if err != nil {
				return err
			}
			if o.Purpose, err = purpose(o.Purpose); err != nil {
				return err
			}
			if o.Version < 0 {
				return usagef("--version must be at least 1")
			}
			if a.global.json && (output == "" || output == "-") {
				return words.WithHint(usagef("open --json needs -o FILE: the record and the JSON would both go to standard output"),
					"add -o FILE")
			}
			wanted, err := parseRange(part)
			if err != nil {
				return err
			}
			return a.open(ctx, id, o, wanted, output, force)
		}),
	}
	fs := cmd.Flags()
	fs.StringVarP(&output, "output", "o", "", "write the record to a new `file`; - is standard output")
	fs.BoolVar(&force, "force", false, "replace the file if it exists")
	fs.StringVar(&part, "range", "", "open only LENGTH bytes from OFFSET on, given as `OFFSET:LENGTH`")
	fs.StringVar(&o.Purpose, "purpose", "TREAT", "purpose of use, a `code` of HL7 PurposeOfUse; it is logged")
	a.addAt(fs)
	fs.IntVar(&o.Version, "version", 0, "open this version instead of the current one")
	fs.BoolVar(&o.SkipPolicyCheck, "skip-policy-check", false, "try to decrypt although your attributes do not satisfy the policy, to show that it fails")
	return cmd
}

// A target receives an opened record. Nothing is visible before Commit, and Close without
// Commit leaves nothing behind.
type target interface {
	io.Writer
	Commit() error
	Close() error
}

func (a *app) target(output string, force bool) (target, error) {
	if output == "" || output == "-" {
		return newSpool(a.stdout, isTerminal(a.stdout) && output == ""), nil
	}
	return createFile(output, force)
}

func (a *app) open(ctx context.Context, id string, o client.OpenRequest, wanted *client.Part, output string, force bool) error {
	out, err := a.target(output, force)
	if err != nil {
		return err
	}
	defer out.Close()
	return a.withSession(func(s *session.Session) error {
		var stop func()
		o.Progress, stop = a.progress("opening")
		defer stop()
		var opened client.Opened
		if wanted == nil {
			opened, err = s.Client.Open(ctx, id, out, o)
		} else {
			opened, err = s.Client.OpenRange(ctx, id, out, wanted.Offset, wanted.Length, o)
		}
		stop()
		if err != nil {
			return recordHint(err)
		}
		if err := out.Commit(); err != nil {
			return err
		}
		if opened.Version < opened.Newest {
			a.insist("this is version %d of the record; the current one is %d", opened.Version, opened.Newest)
		}
		if !opened.Signed {
			a.warn("this version is from before signatures: that %s sealed it is what the ledger says, and nobody has signed it", opened.Author)
		}
		if a.global.json {
			row := openedRow{
				Record: opened.ID, Version: opened.Version, Output: output, File: opened.Name, MediaType: opened.MediaType,
				Kind: opened.Kind, Size: opened.Size, SHA256: opened.SHA256, Patient: opened.Patient,
				Dates: append([]string{}, opened.Dates...), Codes: append([]string{}, opened.Codes...),
				Author: opened.Author, Signed: opened.Signed, Home: opened.Home, Sealed: opened.Sealed.UTC().Format(timeText),
				Access: opened.Access.ID, Purpose: opened.Access.Purpose,
			}
			if p := opened.Part; p != nil {
				row.Range = &rangeRow{p.Offset, p.Length, "chunks"}
			}
			return a.printJSON(row)
		}
		if output != "" && output != "-" {
			signed := "signed"
			if !opened.Signed {
				signed = "sealed"
			}
			a.note("opened %s version %d: %s, %s by %s as %q, written to %s", opened.ID, opened.Version,
				describe(opened), signed, opened.Author, opened.Name, output)
		}
		return nil
	})
}

func describe(o client.Opened) string {
	what := bytesText(o.Size)
	if o.MediaType != "" {
		what += " of " + o.MediaType
	}
	if p := o.Part; p != nil {
		return fmt.Sprintf("%s from %d on, out of %s, authenticated (a part cannot be compared with the record's commitment)",
			bytesText(p.Length), p.Offset, what)
	}
	return fmt.Sprintf("%s, verified", what)
}

// parseRange reads OFFSET:LENGTH. An empty text means the whole record.
func parseRange(text string) (*client.Part, error) {
	if text == "" {
		return nil, nil
	}
	from, count, ok := strings.Cut(text, ":")
	offset, err := strconv.ParseUint(from, 10, 63)
	length, lengthErr := strconv.ParseUint(count, 10, 63)
	if !ok || err != nil || lengthErr != nil || length == 0 {
		return nil, usagef("--range %q: want OFFSET:LENGTH in bytes, such as 1048576:4096", text)
	}
	return &client.Part{Offset: int64(offset), Length: int64(length)}, nil
}
