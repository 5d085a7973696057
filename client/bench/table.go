package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes all rows as aligned text.
func (r *Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tOURS\tBARE\tUNIT\tRATIO\tTARGET\tMET\tSPREAD\tN\tNOTE")
	for _, row := range r.Rows {
		fmt.Fprintln(t, strings.Join(row.cells(), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.bounded()) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nWHAT BOUNDS IT: processor time of one, by kind of process, and how busy all of them kept the processors\n")
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.bounded() {
		fmt.Fprintf(t, "%s\t%s\tbare: %s\n", row.Row, row.Processor, orDash(row.BareProcessor))
	}
	return t.Flush()
}

// bounded returns the rows with a known processor time.
func (r *Report) bounded() (rows []Row) {
	for _, row := range r.Rows {
		if row.Processor != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// Markdown writes all rows as a Markdown table.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| row | ours | bare | unit | ratio | target | met | spread | n | note |\n|---|---:|---:|---|---:|---|---|---:|---:|---|\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row.cells(), " | "))
	}
	if len(r.bounded()) > 0 {
		b.WriteString("\n| row | processor time of one, by kind of process, and how busy they kept the processors | bare |\n|---|---|---|\n")
	}
	for _, row := range r.bounded() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.Row, row.Processor, orDash(row.BareProcessor))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells returns the cells of a row in the table.
func (r Row) cells() []string {
	bare, ratio, spread, n := "-", "-", "-", "-"
	if r.Bare != nil {
		bare = number(*r.Bare)
	}
	if r.Ratio != nil {
		ratio = fmt.Sprintf("%.2f", *r.Ratio)
	}
	if r.N > 0 {
		spread, n = fmt.Sprintf("±%.0f %%", 100*r.Spread), fmt.Sprint(r.N)
	}
	return []string{r.Row, number(r.Ours), bare, r.Unit, ratio, orDash(r.Bound), orDash(r.verdict()), spread, n, r.Note}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
