package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// A hitRow is the JSON output for one hit.
type hitRow struct {
	Record  string `json:"record"`
	Version int    `json:"version"`
	Kind    string `json:"kind"`
	Date    string `json:"date"` // of the content, YYYY-MM-DD, may be empty
	Home    string `json:"home"`
	Time    string `json:"time"` // when it was sealed

	Next string `json:"next,omitempty"` // in the last row, if there are more: the bookmark for --after
}

func (a *app) searchCommand() *cobra.Command {
	var (
		o      client.SearchOptions
		verify verifyFlags
		limit  int
	)
	cmd := &cobra.Command{
		Use:   "search QUERY...",
		Short: "Find records by keyword, code, date or patient",
		Long: `Search finds records in a scope, newest first. Your hospital's peer answers, and no other. It learns
which entries of the encrypted index were read, but neither the words of the query nor the records
found. If it is down, the search fails. With --at, another hospital's peer answers, and learns this
instead.

A query joins terms with 'and', 'or' and 'not', grouped by parentheses. Words beside each other mean
'and':
  word  word:WORD                     a keyword, a word of a title, or of the text of a code
  "several words"                     a whole keyword, title or text of a code
  icd10:I21.4  icd10:I20-I25          a code and all codes below it, a block or chapter; icd10:I2 all
                                      categories that begin so. Every edition of ICD-10 counts
  icd11: icd9: icdo: ops: atc: icpc:  codes that contain others in the same way
  snomed: loinc: rxnorm: cvx: ndc: cpt: icd10pcs: ucum:
                                      codes
  code:X  code:SYSTEM|X               a code of another system, or without one
  refuted:icd10:I21.4  refuted:WORD   what the record says is not so: ruled out, negated, absent
  error: not-done: family: risk:      likewise: entered in error or deleted, not done, of relatives,
  planned:                            a disease that may come or is to be prevented, planned; plain
                                      terms do not find these
  suspected: historic:                likewise, and plain terms find these too
  mentioned:WORD                      a word in prose: a note, a conclusion, the narrative of a section.
                                      It may stand in "no sign of WORD"; plain terms do not find it
  date:2020-03  date:2019..2020-06    a year, month, day or range; a period counts if it overlaps
  born:1950                           the patient's date of birth
  patient:ID  patient:SYSTEM|ID       an identifier of the patient
  kind:fhir  kind:Observation         the format and type of the record
  modality:CT  author:...  org:...    as written in the record
  home:HospitalA                      the hospital that sealed it; beside another term

A FHIR resource names its patient by an id that people do not know. Import adds the identifiers in the
Patient resources that it finds beside it. With --patient-records, search also opens the Patient records
that have the identifier, and finds the records that other imports left without it.

A code beside a patient is that patient's, and a code beside a date has a date in that month.
'chartseal keywords FILE' shows what is read from a record.

Long kinds (seal --kind) are shortened in results. Search and open use them in full.

Search authenticates every index entry that it reads, and notices a missing entry in the middle. It
then prints the records found and exits with code 5, as there may be more. One peer alone can hide
the newest entries of a keyword unnoticed. With --verify, search also asks a second hospital's peer
and reports entries that either peer withholds. The second peer then learns which index entries
belong to the query, as your own does at every search.`,
		Example: `  chartseal search icd10:I21 and date:2020-03
  chartseal search 'patient:12345 and (scan or modality:CT)' --json`,
		GroupID: sectionRecords,
		Args:    takes(1, -1, "a QUERY"),
		RunE: a.run(func(ctx context.Context, query []string) error {
			if limit < 1 {
				return usagef("--limit must be at least 1")
			}
			var err error
			if o.Purpose, err = purpose(o.Purpose); err != nil {
				return err
			}
			q, err := parseQuery(strings.Join(query, " "))
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				o.Limit = limit
				if o.Scope == "" {
					o.Scope = a.settings.Scope
				}
				if err := verify.connect(a, s, &o); err != nil {
					return err
				}
				a.writeDueEntries(ctx, s)
				found, err := s.Client.Search(ctx, q, o)
				if err != nil {
					return a.searchHint(err)
				}
				return errors.Join(a.printHits(o.Scope, found), a.problems(found))
			})
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Scope, "scope", "", "search domain (default \"consortium\", or from the configuration)")
	fs.IntVar(&limit, "limit", 100, "print at most this many records")
	fs.StringVar(&o.After, "after", "", "continue after this `bookmark`, printed by the page before")
	fs.BoolVar(&o.Patients, "patient-records", false, "look up the other identifiers of the patients in the query in their Patient records, and find by these too; it is logged as an access to those records")
	verify.add(cmd)
	a.addAt(fs)
	fs.StringVar(&o.Purpose, "purpose", "TREAT", "purpose of use, a `code` of HL7 PurposeOfUse; it is logged when the scope's key is requested")
	return cmd
}

// searchHint adds what to do about the error of a search.
func (a *app) searchHint(err error) error {
	if errors.Is(err, client.ErrNotFound) {
		return words.WithHint(err, "'chartseal scope list' shows the scopes")
	} else if hint := a.missingKeys(); errors.Is(err, client.ErrNotSatisfied) && hint != "" {
		return words.WithHint(err, "%s", hint)
	}
	return err
}

// parseQuery parses a query, before any use of the network.
func parseQuery(text string) (*index.Query, error) {
	q, err := index.ParseQuery(text)
	if err == nil {
		return q, nil
	}
	talk := &words.Advised{Err: usage(err), Hint: "'chartseal search --help' explains queries"}
	var at *index.QueryError
	if errors.As(err, &at) {
		talk.Lines = strings.Split(at.Caret(text), "\n")
		if at.Hint != "" {
			talk.Hint = at.Hint
		}
	}
	return nil, talk
}

func (a *app) printHits(scope string, found client.Results) error {
	for _, w := range found.Warnings {
		a.warn("%s", w)
	}
	if len(found.Hits) == 0 {
		a.note("nothing found in scope %s", scope)
	}
	for _, h := range found.Hints {
		a.note("%s", h)
	}
	switch {
	case found.Truncated && a.global.json:
		a.stderrJSON(map[string]string{"next": found.Next})
	case found.Truncated:
		a.insist("there are more records than these %d: go on with --after %s, raise --limit or narrow the query", len(found.Hits), found.Next)
	}
	if a.global.json {
		rows := make([]hitRow, len(found.Hits))
		for i, h := range found.Hits {
			rows[i] = hitRow{Record: h.ID, Version: h.Version, Kind: h.Kind, Date: h.Date, Home: h.Home, Time: h.Time}
		}
		if found.Truncated && len(rows) > 0 {
			rows[len(rows)-1].Next = found.Next
		}
		return a.printJSON(rows)
	}
	if len(found.Hits) == 0 {
		return nil
	}
	t := newTable("RECORD", "VERSION", "KIND", "DATE", "HOME")
	for _, h := range found.Hits {
		t.row(h.ID, fmt.Sprint(h.Version), h.Kind, h.Date, h.Home)
	}
	return a.printTable(t)
}
