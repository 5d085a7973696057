package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/chartseal/chartseal/client/importer"
)

// Bounds on what an import shows of its problems: an export may have a million.
const (
	shownProblems = 20
	keptProblems  = 1000
)

// An importResult is the output of 'import --json'.
type importResult struct {
	importer.Summary
	Problems []importer.Row `json:"problems"` // the first 1000 of what failed or was skipped, or has warnings
	Omitted  int            `json:"omitted"`  // further ones, which the --report file has
}

// importPrinter reports the progress of an import. It is not safe for concurrent use.
type importPrinter struct {
	a        *app
	report   *os.File // nil without --report
	problems []importer.Row
	omitted  int
	bar      *progressbar.ProgressBar
	shown    time.Time
}

func (a *app) newImportPrinter(report string) (*importPrinter, error) {
	p := &importPrinter{a: a, problems: []importer.Row{}}
	if report == "" {
		return p, nil
	}
	var err error
	p.report, err = os.OpenFile(report, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600) // a resumed import keeps the earlier lines
	return p, err
}

func (p *importPrinter) row(r importer.Row) error {
	if p.report != nil {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := p.report.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	sealed := r.Status == importer.StatusSealed || r.Status == importer.StatusPresent
	if sealed && len(r.Warnings) == 0 {
		return nil
	}
	if len(p.problems) < keptProblems {
		p.problems = append(p.problems, r)
	} else {
		p.omitted++
	}
	if n := len(p.problems); n <= shownProblems && !p.a.global.json {
		p.clear()
		if !sealed {
			p.a.warn("%s: %s: %s", fileOf(r), r.Status, r.Reason)
		}
		for _, w := range r.Warnings {
			p.a.warn("%s: %s", fileOf(r), w)
		}
		if n == shownProblems {
			p.a.warn("further problems are counted; --report FILE keeps all of them")
		}
	}
	return nil
}

func fileOf(r importer.Row) string {
	if r.Part > 0 {
		return fmt.Sprintf("%s#%d", r.File, r.Part)
	}
	return r.File
}

// progress draws a line on a terminal. It has no total, because that is unknown until
// everything is read.
func (p *importPrinter) progress(s importer.Summary) {
	if !isTerminal(p.a.stderr) {
		p.line(s)
		return
	}
	if p.a.global.quiet || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(p.a.stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true), progressbar.OptionClearOnFinish())
	}
	text := fmt.Sprintf("importing: %d sealed, %.0f/s", s.Sealed, s.RecordsPerSecond)
	if s.Before > 0 {
		text += fmt.Sprintf(", %d before", s.Before)
	}
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	p.bar.Describe(text)
	p.bar.Set64(s.Read)
}

// lineEvery is the time between two lines of progress where there is no terminal.
const lineEvery = 15 * time.Second

// line tells the progress in a line now and then.
func (p *importPrinter) line(s importer.Summary) {
	if p.shown.IsZero() {
		p.shown = time.Now()
	}
	if time.Since(p.shown) < lineEvery {
		return
	}
	p.shown = time.Now()
	p.a.note("importing: %d sealed, %d before, %d failed, %s read", s.Sealed, s.Before, s.Failed, bytesText(s.Read))
}

func (p *importPrinter) clear() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// end prints the counts.
func (p *importPrinter) end(s importer.Summary) error {
	p.clear()
	if p.report != nil {
		if err := p.report.Close(); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if p.a.global.json {
		return p.a.printJSON(importResult{Summary: s, Problems: p.problems, Omitted: p.omitted})
	}
	if s.Bare > 0 {
		p.a.note("in %s nothing was found but the kind: a search finds them by that only", count(s.Bare, "sealed record", "sealed records"))
	}
	t := newTable("SEALED", "INDEXED", "BEFORE", "FAILED", "SKIPPED", "KEYWORDS", "SIZE", "TIME", "RECORDS/S", "KEYWORDS/S")
	t.row(fmt.Sprint(s.Sealed), fmt.Sprint(s.Indexed), fmt.Sprint(s.Before), fmt.Sprint(s.Failed), fmt.Sprint(s.Skipped), fmt.Sprint(s.Entries), bytesText(s.Bytes),
		(time.Duration(s.Seconds*1000) * time.Millisecond).String(), fmt.Sprintf("%.1f", s.RecordsPerSecond), fmt.Sprintf("%.1f", s.EntriesPerSecond))
	return p.a.printTable(t)
}

// planPrinter prints the rows of a dry run, some at a time.
type planPrinter struct {
	a     *app
	t     *table
	n     int
	first bool

	warned int // warnings
}

const planRows = 500

func (a *app) newPlanPrinter() *planPrinter { return &planPrinter{a: a, first: true} }

// A planRow is the output of 'import --dry-run --json' for a record.
type planRow struct {
	File       string   `json:"file"`
	Part       int      `json:"part,omitempty"`
	Status     string   `json:"status"` // "seal", or why not: "failed", "skipped"
	Reason     string   `json:"reason,omitempty"`
	Kind       string   `json:"kind"`
	Size       int64    `json:"size"`
	Rule       string   `json:"rule"`
	Policy     string   `json:"policy"`
	Scope      string   `json:"scope"` // empty: not indexed
	Keywords   []string `json:"keywords"`
	PatientKey string   `json:"patientKey,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}

func (p *planPrinter) row(r importer.Row) error {
	status := r.Status
	if status == importer.StatusSealed {
		status = "seal"
	}
	if p.a.global.json {
		return p.jsonRow(planRow{File: r.File, Part: r.Part, Status: status, Reason: r.Reason, Kind: r.Kind, Size: r.Size, Rule: r.Rule,
			Policy: r.Policy, Scope: r.Scope, Keywords: append([]string{}, r.Keywords...), PatientKey: r.PatientKey, Warnings: r.Warnings})
	}
	if p.t == nil {
		p.t = newTable("FILE", "KIND", "RULE", "SCOPE", "KEYWORDS", "POLICY")
	}
	policy := r.Policy
	if status != "seal" {
		policy = status + ": " + r.Reason
	} else if r.PatientKey != "" {
		policy += " + patient's key"
	}
	p.t.row(fileOf(r), r.Kind, r.Rule, r.Scope, strings.Join(r.Keywords, ", "), policy)
	for _, w := range r.Warnings {
		if p.warned++; p.warned <= shownProblems {
			p.a.warn("%s: %s", fileOf(r), w)
		}
	}
	if p.n++; p.n%planRows == 0 {
		return p.flush()
	}
	return nil
}

// jsonRow streams an array.
func (p *planPrinter) jsonRow(r planRow) error {
	var b bytes.Buffer
	if p.first {
		b.WriteString("[\n  ")
	} else {
		b.WriteString(",\n  ")
	}
	p.first = false
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return p.a.write(bytes.TrimRight(b.Bytes(), "\n"))
}

func (p *planPrinter) flush() error {
	if p.t == nil {
		return nil
	}
	t := p.t
	p.t = nil
	return p.a.printTable(t)
}

func (p *planPrinter) end() error {
	switch {
	case !p.a.global.json:
		return p.flush()
	case p.first:
		return p.a.printf("[]\n")
	}
	return p.a.printf("\n]\n")
}
