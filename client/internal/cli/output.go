package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/chartseal/chartseal/client/internal/words"
)

// printJSON writes v to stdout. Its fields are part of the interface: new ones may be
// added, but none changes.
func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return a.write(b.Bytes())
}

func (a *app) printf(format string, args ...any) error {
	return a.write(fmt.Appendf(nil, format, args...))
}

func (a *app) write(b []byte) error {
	if _, err := a.stdout.Write(b); err != nil {
		return fmt.Errorf("write to stdout: %w", err)
	}
	return nil
}

func (a *app) printLines(lines []string) error {
	for _, line := range lines {
		if err := a.printf("%s\n", words.Clean(line)); err != nil {
			return err
		}
	}
	return nil
}

// A table is rows of text under a heading, printed in aligned columns.
type table struct {
	b bytes.Buffer
	w *tabwriter.Writer
}

func newTable(heading ...string) *table {
	t := new(table)
	t.w = tabwriter.NewWriter(&t.b, 0, 0, 2, ' ', 0)
	t.row(heading...)
	return t
}

// row adds a row; an empty cell is shown as "-", so that columns can be counted by tools
// such as awk.
func (t *table) row(cells ...string) {
	for i, c := range cells {
		if i > 0 {
			io.WriteString(t.w, "\t")
		}
		if c == "" {
			c = "-"
		}
		io.WriteString(t.w, words.Clean(c))
	}
	io.WriteString(t.w, "\n")
}

func (a *app) printTable(t *table) error {
	t.w.Flush() // to memory only
	var out bytes.Buffer
	for line := range strings.Lines(t.b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return a.write(out.Bytes())
}

// note writes a note for the user to stderr.
func (a *app) note(format string, args ...any) { a.talk("note", format, args...) }

// warn writes a warning to stderr.
func (a *app) warn(format string, args ...any) { a.talk("warning", format, args...) }

// insist writes a note also if notes are not wanted: without it, the output is wrong.
func (a *app) insist(format string, args ...any) {
	quiet := a.global.quiet
	a.global.quiet = false
	a.note(format, args...)
	a.global.quiet = quiet
}

func (a *app) talk(kind, format string, args ...any) {
	message := words.OneLine(fmt.Sprintf(format, args...))
	switch {
	case a.global.quiet:
	case a.global.json:
		a.stderrJSON(map[string]string{kind: message})
	default:
		fmt.Fprintf(a.stderr, "chartseal: %s: %s\n", kind, message)
	}
}

// stderrJSON writes v to stderr as one line. It cannot report its own failure.
func (a *app) stderrJSON(v any) {
	e := json.NewEncoder(a.stderr)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

// isTerminal reports whether v, one of the app's streams, is a terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// count returns n and the word for n things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// bytesText formats a size in binary units.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, exp := float64(n)/unit, 0
	for ; f >= unit && exp < 4; exp++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[exp])
}
