package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/internal/words"
)

// A keywordsRow is the output of 'keywords --json' for one file.
type keywordsRow struct {
	File      string   `json:"file"`
	Kind      string   `json:"kind"`
	MediaType string   `json:"mediaType"`
	Keywords  []string `json:"keywords"`
	Composed  []string `json:"composed"` // pairs of keywords that answer 'and' at once
	Facts     int      `json:"facts"`    // in the record, that gave keywords
	Dropped   int      `json:"dropped"`  // keywords over the limit
	Warnings  []string `json:"warnings"`
	Unread    []string `json:"unread"` // why codes or labels may be missing
}

func (a *app) keywordsCommand() *cobra.Command {
	var stats, all bool
	cmd := &cobra.Command{
		Use:   "keywords FILE...",
		Short: "Show the keywords of records",
		Long: `Keywords reads records as seal does, and shows the terms that seal would put, encrypted, into the
index. It recognises the format by the content: FHIR, C-CDA, HL7 v2, DICOM, PDF, text and others. It
needs no network and no user. "-" reads standard input.

With --all it also shows the composed terms, such as patient:1 & icd10:I21.4. They answer a search for
both at once, and tell whose a code is, and of which month. It warns of parts that were not read.`,
		Example: `  chartseal keywords bundle.json
  chartseal keywords *.dcm --stats`,
		GroupID: sectionRecords,
		Args:    takes(1, -1, "at least one FILE"),
		RunE: a.run(func(ctx context.Context, files []string) error {
			sources, err := a.sources(files)
			if err != nil {
				return err
			}
			var rows []keywordsRow
			for i, s := range sources {
				row, err := keywordsOf(ctx, files[i], s)
				if err != nil {
					return err
				}
				rows = append(rows, row)
			}
			return a.printKeywords(rows, stats, all)
		}),
	}
	cmd.Flags().BoolVar(&stats, "stats", false, "print numbers instead of keywords")
	cmd.Flags().BoolVar(&all, "all", false, "show composed terms too")
	return cmd
}

func keywordsOf(ctx context.Context, file string, s client.Source) (keywordsRow, error) {
	r, err := s.Open()
	if err != nil {
		return keywordsRow{}, err
	}
	defer r.Close()
	document, err := emr.Extract(ctx, r)
	if err != nil {
		return keywordsRow{}, fmt.Errorf("read %s: %w", file, err)
	}
	e := document.Facts().Expand()
	row := keywordsRow{
		File: file, Kind: document.Kind, MediaType: document.MediaType, Keywords: []string{}, Composed: []string{},
		Facts: e.Facts, Dropped: e.Dropped, Warnings: append([]string{}, document.Warnings...), Unread: append([]string{}, document.Incomplete...),
	}
	for _, t := range e.Terms {
		if text := string(t); strings.Contains(text, composedMark) {
			row.Composed = append(row.Composed, strings.ReplaceAll(text, composedMark, " & "))
		} else {
			row.Keywords = append(row.Keywords, text)
		}
	}
	slices.Sort(row.Keywords)
	slices.Sort(row.Composed)
	return row, nil
}

// composedMark joins the parts of a composed term, see index.Term.
const composedMark = "\x1f"

func (a *app) printKeywords(rows []keywordsRow, stats, all bool) error {
	if a.global.json {
		return a.printJSON(rows)
	}
	for _, r := range rows {
		for _, w := range r.Warnings {
			a.warn("%s: %s", r.File, w)
		}
		for _, u := range r.Unread {
			if !slices.Contains(r.Warnings, u) {
				a.warn("%s: not read in full: %s", r.File, u)
			}
		}
		if r.Dropped > 0 {
			a.warn("%s: %d keywords are over the limit; the record will not be found by them", r.File, r.Dropped)
		}
	}
	if stats {
		t := newTable("KIND", "FACTS", "KEYWORDS", "COMPOSED", "PER FACT", "FILE")
		for _, r := range rows {
			n := len(r.Keywords) + len(r.Composed)
			t.row(r.Kind, fmt.Sprint(r.Facts), fmt.Sprint(len(r.Keywords)), fmt.Sprint(len(r.Composed)),
				fmt.Sprintf("%.1f", float64(n)/float64(max(r.Facts, 1))), r.File)
		}
		return a.printTable(t)
	}
	for i, r := range rows {
		if len(rows) > 1 {
			if err := a.printf("%s# %s (%s)\n", strings.Repeat("\n", min(i, 1)), words.Clean(r.File), words.Clean(r.Kind)); err != nil {
				return err
			}
		}
		lines := r.Keywords
		if all {
			lines = append(slices.Clone(lines), r.Composed...)
		}
		if err := a.printLines(lines); err != nil {
			return err
		}
	}
	return nil
}
