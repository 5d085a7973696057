package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
	"github.com/spf13/pflag"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/exporter"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// Names of files in the directory of an export.
const (
	rowsName = "records.ndjson"
	pageName = "index.html"
)

// exportAllFlags are the flags of export for all records that a search finds.
type exportAllFlags struct {
	all        bool
	patient    string
	to         string // directory
	lines      string // file
	opened     bool
	patientKey string
	scope      string
}

func (f *exportAllFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.all, "all", false, "export all records that the QUERY finds, instead of one")
	fs.StringVar(&f.patient, "patient", "", "with --all: records of this patient, an `identifier` or SYSTEM|VALUE")
	fs.StringVar(&f.to, "to", "", "with --all: write files to this `directory`")
	fs.BoolVar(&f.opened, "opened", false, "with --to: open the records, and write what is in them")
	fs.StringVar(&f.lines, "ndjson", "", "with --all: open the records, and write a line of JSON for each to this `file`")
	fs.StringVar(&f.patientKey, "patient-key", "", "with --to: encrypt the index page to this age `recipient`, and list kinds and dates on it")
	fs.StringVar(&f.scope, "scope", "", "with --all: search domain (default \"consortium\", or from the configuration)")
}

// query returns the query that the flags and the arguments give.
func (f *exportAllFlags) query(args []string) (*index.Query, error) {
	text := strings.Join(args, " ")
	if f.patient != "" {
		term := `patient:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(f.patient) + `"`
		if text != "" {
			term += " and (" + text + ")"
		}
		text = term
	}
	switch {
	case text == "":
		return nil, usagef("which records? give a QUERY, or a --patient")
	case (f.to == "") == (f.lines == ""):
		return nil, usagef("name a directory with --to, or a file with --ndjson")
	case f.lines == "-":
		return nil, usagef("--ndjson needs a file, in which an export can go on")
	case f.opened && f.to == "":
		return nil, usagef("--opened belongs to --to")
	case f.patientKey != "" && (f.to == "" || f.opened):
		return nil, usagef("--patient-key belongs to --to, without --opened")
	}
	return parseQuery(text)
}

// exportAll exports all records that a query finds.
func (a *app) exportAll(ctx context.Context, f exportAllFlags, args []string, purpose string) error {
	q, err := f.query(args)
	if err != nil {
		return err
	}
	j := exporter.Job{Query: q, Purpose: purpose, Search: client.SearchOptions{
		Scope: f.scope, Purpose: purpose, Patients: f.patient != "",
	}}
	rows := f.lines
	var page *outFile
	switch {
	case f.lines != "":
		j.Form = exporter.Lines
	case f.opened:
		j.Form = exporter.Opened
	default:
		j.Form = exporter.Sealed
	}
	if f.to != "" {
		if err := os.Mkdir(f.to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		rows = filepath.Join(f.to, rowsName)
	}
	file, err := openRows(rows)
	if err != nil {
		return err
	}
	defer file.Close()
	j.Rows = file
	j.Create = func(name string) (exporter.File, error) {
		if name == "" { // it gets no name: beside the rows is room for it
			name = "content"
		}
		return createFile(filepath.Join(filepath.Dir(rows), name), true)
	}
	finish := func() error { return nil }
	if f.to != "" {
		if page, err = f.page(&j, &finish); err != nil {
			return err
		}
		defer page.Close()
	}
	return a.withSession(func(s *session.Session) error {
		j.Client = s.Client
		if j.Search.Scope == "" {
			j.Search.Scope = a.settings.Scope
		}
		a.writeDueEntries(ctx, s)
		last := time.Now()
		j.Progress = func(sum exporter.Summary) {
			if time.Since(last) >= 5*time.Second {
				last = time.Now()
				a.note("%s exported, %s", count(sum.Exported, "record", "records"), bytesText(sum.Bytes))
			}
		}
		sum, err := j.Run(ctx)
		if err == nil {
			err = finish()
		}
		if err == nil && page != nil {
			err = page.Commit()
		}
		if err != nil {
			a.note("%s exported; the same command goes on", count(sum.Before+sum.Exported, "record is", "records are"))
			if errors.Is(err, client.ErrInvalid) {
				return words.WithHint(err, "name another place for this export")
			}
			return a.searchHint(err)
		}
		for _, w := range sum.Warnings {
			a.warn("%s", w)
		}
		if sum.Refused > 0 {
			a.warn("%s left out: they are not open to you, or were erased", count(sum.Refused, "record was", "records were"))
		}
		if a.global.json {
			err = a.printJSON(sum)
		} else {
			a.note("%s in %s: %d exported now (%s), %d before", count(sum.Before+sum.Exported, "record is", "records are"),
				cmp.Or(f.to, f.lines), sum.Exported, bytesText(sum.Bytes), sum.Before)
		}
		return errors.Join(append(sum.Failures, err, a.problems(client.Results{Problems: sum.Problems}))...)
	})
}

// openRows opens a file of rows for this process alone.
func openRows(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, words.WithHint(err, "make the directory %s first", filepath.Dir(path))
	} else if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, words.WithHint(fmt.Errorf("%s is in use: %w", path, client.ErrUnavailable), "another export writes to it; wait for its end")
	}
	return f, nil
}

// page makes the index page, which is complete after finish.
func (f *exportAllFlags) page(j *exporter.Job, finish *func() error) (*outFile, error) {
	name := filepath.Join(f.to, pageName)
	if f.patientKey == "" {
		page, err := createFile(name, true)
		j.Page = page
		return page, err
	}
	to, err := parseRecipients([]string{f.patientKey})
	if err != nil {
		return nil, err
	}
	page, err := createFile(name+".age", true)
	if err != nil {
		return nil, err
	}
	sealed, err := age.Encrypt(page, to...)
	if err != nil {
		page.Close()
		return nil, err
	}
	j.Page, j.Details, *finish = sealed, true, sealed.Close
	return page, nil
}
