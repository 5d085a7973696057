package exporter

import (
	_ "embed"
	"html/template"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// writePage lists all rows, newest first.
func (r *run) writePage() error {
	var rows []Row
	err := readRows(r.Rows, func(row Row) error {
		if h, found := r.hits[version{row.Record, row.Version}]; found && r.Details {
			row.Kind, row.Date = h.Kind, h.Date
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(b.Sealed+b.Record, a.Sealed+a.Record) })
	return page.Execute(r.Page, struct {
		Rows    []Row
		Sealed  bool
		Details bool // there are kinds and dates
	}{rows, r.Form == Sealed, r.Details || r.Form != Sealed})
}
