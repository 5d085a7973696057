package exporter

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
)

// A shelf is a Client with records, in pages of as many as are asked for.
type shelf struct {
	mu      sync.Mutex
	records []string       // contents
	refuse  map[int]error  // instead of a content
	media   map[int]string // media types, instead of plain text
	given   map[string]int // how often each was handed out
	stop    map[int]func() // called when one has been handed out
}

func recordID(n int) string { return fmt.Sprintf("%032x", n) }

func (s *shelf) Search(_ context.Context, _ *index.Query, o client.SearchOptions) (out client.Results, err error) {
	from := 0
	if o.After != "" {
		fmt.Sscan(o.After, &from)
	}
	to := min(from+o.Limit, len(s.records))
	for n := from; n < to; n++ {
		out.Hits = append(out.Hits, client.Hit{ID: recordID(n), Version: 2, Kind: "secret kind", Date: "2020-01-02", Home: "HospitalA", Time: "2026-01-01T00:00:00Z"})
	}
	out.Truncated = to < len(s.records)
	out.Next = fmt.Sprint(to)
	return out, nil
}

func (s *shelf) hand(ctx context.Context, id string, version int) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	fmt.Sscanf(id, "%x", &n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if version != 2 {
		return n, fmt.Errorf("version %d was asked for", version)
	}
	if err := s.refuse[n]; err != nil {
		return n, err
	}
	s.given[id]++
	if stop := s.stop[n]; stop != nil {
		stop()
	}
	return n, nil
}

func (s *shelf) Export(ctx context.Context, id string, wrapped, payload io.Writer, r client.ExportRequest) (client.Exported, error) {
	n, err := s.hand(ctx, id, r.Version)
	if err != nil {
		return client.Exported{}, err
	}
	io.WriteString(wrapped, "envelope of "+s.records[n])
	io.WriteString(payload, "payload of "+s.records[n])
	return client.Exported{ID: id, Version: r.Version, Home: "HospitalA", Payload: int64(len(s.records[n])), Access: ledger.AccessEntry{ID: "access-" + id}}, nil
}

func (s *shelf) Open(ctx context.Context, id string, out io.Writer, r client.OpenRequest) (client.Opened, error) {
	n, err := s.hand(ctx, id, r.Version)
	if n < len(s.records) {
		io.WriteString(out, s.records[n]) // also if it is then refused
	}
	if err != nil {
		return client.Opened{}, err
	}
	return client.Opened{ID: id, Version: r.Version, MediaType: s.media[n], Size: int64(len(s.records[n])), Name: "../../etc/passwd",
		Access: ledger.AccessEntry{ID: "access-" + id, Purpose: r.Purpose}}, nil
}

func newShelf(n int) *shelf {
	s := &shelf{refuse: map[int]error{}, media: map[int]string{}, given: map[string]int{}, stop: map[int]func(){}}
	for i := range n {
		s.records = append(s.records, fmt.Sprintf("record %d", i))
	}
	return s
}

// A testFile gets its name when it is committed.
type testFile struct {
	*os.File
	path string
}

func (f *testFile) Commit() error { return os.Rename(f.Name(), f.path) }
func (f *testFile) Close() error {
	os.Remove(f.Name())
	return f.File.Close()
}

// runIn runs a job whose files are in a directory.
func runIn(t *testing.T, ctx context.Context, dir string, s *shelf, form Form, change func(*Job)) (Summary, error) {
	t.Helper()
	rows, err := os.OpenFile(filepath.Join(dir, "rows"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	j := &Job{Client: s, Query: index.MustParseQuery("patient:1"), Form: form, Rows: rows, Purpose: "PATRQT", Search: client.SearchOptions{Limit: 7},
		Create: func(name string) (File, error) {
			f, err := os.CreateTemp(dir, "new-*")
			return &testFile{f, filepath.Join(dir, name)}, err
		}}
	if change != nil {
		change(j)
	}
	return j.Run(ctx)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestInterrupted ends exports after each record. Run again, they go on, and each record
// that has a row is handed out once.
func TestInterrupted(t *testing.T) {
	for _, form := range []Form{Sealed, Opened, Lines} {
		const n = 12
		for at := range n {
			dir, s := t.TempDir(), newShelf(n)
			ctx, cancel := context.WithCancel(t.Context())
			s.stop[at] = cancel
			if _, err := runIn(t, ctx, dir, s, form, nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: %v", err)
			}
			rows, err := os.ReadFile(filepath.Join(dir, "rows"))
			if err != nil {
				t.Fatal(err)
			}
			kept := bytes.Count(rows, []byte("\n"))
			delete(s.stop, at)
			sum, err := runIn(t, t.Context(), dir, s, form, nil)
			if err != nil || sum.Found != n || sum.Before != kept || sum.Exported != n-kept {
				t.Fatalf("form %s, interrupted at %d with %d rows: %+v, %v", form, at, kept, sum, err)
			}
			again, err := runIn(t, t.Context(), dir, s, form, nil)
			if err != nil || again.Before != n || again.Exported != 0 {
				t.Fatalf("a third time: %+v, %v", again, err)
			}
			wantAll(t, dir, s, form, n)
		}
	}
}

// wantAll compares the rows and the files with the records.
func wantAll(t *testing.T, dir string, s *shelf, form Form, n int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "rows"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var row struct {
			Row
			Data []byte `json:"data"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var i int
		fmt.Sscanf(row.Record, "%x", &i)
		var got, want string
		read := func(name string) string {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		switch want = s.records[i]; form {
		case Sealed:
			got, want = read(row.Envelope)+read(row.Payload), "envelope of "+want+"payload of "+want
		case Opened:
			got = read(row.File)
		case Lines:
			got = string(row.Data)
		}
		if got != want || row.Access != "access-"+row.Record || seen[row.Record] {
			t.Fatalf("row %s has %q", line, got)
		}
		seen[row.Record] = true
	}
	wantFiles := map[Form]int{Sealed: 2*n + 1, Opened: n + 1, Lines: 1}[form]
	if names := files(t, dir); len(seen) != n || len(names) != wantFiles {
		t.Fatalf("%d records, files %v", len(seen), names)
	}
}

// TestTornRow cuts the rows at every byte. The export goes on, and its rows are those of
// an export that nobody cut.
func TestTornRow(t *testing.T) {
	dir, s := t.TempDir(), newShelf(3)
	s.media[1], s.records[1] = "application/fhir+json", "{\n \"resourceType\": \"Patient\"}"
	if _, err := runIn(t, t.Context(), dir, s, Lines, nil); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(filepath.Join(dir, "rows"))
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(text []byte) []string { return slices.Sorted(strings.Lines(string(text))) }
	step := 1
	if testing.Short() {
		step = 7
	}
	for cut := 0; cut < len(rows); cut += step {
		if err := os.WriteFile(filepath.Join(dir, "rows"), rows[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := runIn(t, t.Context(), dir, s, Lines, nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "rows"))
		if err != nil {
			t.Fatal(err)
		}
		if sum.Before != bytes.Count(rows[:cut], []byte("\n")) || !slices.Equal(sorted(got), sorted(rows)) {
			t.Fatalf("cut at %d: %+v\n%s", cut, sum, got)
		}
	}
}

func TestForeignFile(t *testing.T) {
	for _, text := range []string{"my diary", "my diary\n", `{"record":"1"}` + "\n", "{}\n", "\n", string(bytes.Repeat([]byte("x"), 1<<20))} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "rows"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := runIn(t, t.Context(), dir, newShelf(1), Lines, nil); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%.20q: %v", text, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "rows")); err != nil || string(got) != text {
			t.Errorf("%.20q was changed: %.40q, %v", text, got, err)
		}
	}
}

// TestOtherForm exports to a place where another form of export is. It is refused, and
// nothing there is changed.
func TestOtherForm(t *testing.T) {
	forms := []Form{Sealed, Opened, Lines}
	for i, before := range forms {
		dir, s := t.TempDir(), newShelf(2)
		if _, err := runIn(t, t.Context(), dir, s, before, nil); err != nil {
			t.Fatal(err)
		}
		for _, now := range []Form{forms[(i+1)%3], forms[(i+2)%3]} {
			if sum, err := runIn(t, t.Context(), dir, s, now, nil); !errors.Is(err, client.ErrInvalid) {
				t.Errorf("%s after %s: %+v, %v", now, before, sum, err)
			}
		}
		wantAll(t, dir, s, before, 2)
	}
}

// TestRefusedRecords leaves out what is refused and what does not verify, and nothing of
// it stays.
func TestRefusedRecords(t *testing.T) {
	for _, form := range []Form{Sealed, Opened, Lines} {
		dir, s := t.TempDir(), newShelf(10)
		s.refuse = map[int]error{1: client.ErrDenied, 3: client.ErrNotSatisfied, 5: client.ErrNotFound, 7: fmt.Errorf("record 7: %w", client.ErrTampered)}
		sum, err := runIn(t, t.Context(), dir, s, form, nil)
		if err != nil || sum.Exported != 6 || sum.Refused != 3 || sum.Failed != 1 || len(sum.Failures) != 1 {
			t.Errorf("%+v, %v", sum, err)
		}
		for _, name := range files(t, dir) {
			for n := range maps.Keys(s.refuse) {
				if strings.HasPrefix(name, recordID(n)) {
					t.Errorf("the file %s is there", name)
				}
			}
		}
		s.refuse = map[int]error{3: client.ErrUnavailable}
		if sum, err := runIn(t, t.Context(), dir, s, form, nil); !errors.Is(err, client.ErrUnavailable) || sum.Before == 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		s.refuse = nil
		if sum, err := runIn(t, t.Context(), dir, s, form, nil); err != nil || sum.Refused != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		wantAll(t, dir, s, form, 10)
	}
}

// A fullDisk takes some bytes.
type fullDisk struct {
	RowFile
	left int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	n, err := f.RowFile.Write(p[:min(len(p), f.left)])
	f.left -= n
	if n < len(p) && err == nil {
		err = errors.New("no space left")
	}
	return n, err
}

// TestFullDisk ends an export in the middle of a row. No part of the row stays.
func TestFullDisk(t *testing.T) {
	for left := 0; left < 3000; left += 97 {
		dir, s := t.TempDir(), newShelf(20)
		s.records[4] = strings.Repeat("a long record", 2000)
		if _, err := runIn(t, t.Context(), dir, s, Lines, func(j *Job) { j.Rows = &fullDisk{j.Rows, left} }); err == nil {
			t.Fatal("the disk was not full")
		}
		rows, err := os.ReadFile(filepath.Join(dir, "rows"))
		if err != nil || len(rows) > 0 && !bytes.HasSuffix(rows, []byte("}\n")) {
			t.Fatalf("after %d bytes: %.100q, %v", left, rows, err)
		}
		if _, err := runIn(t, t.Context(), dir, s, Lines, nil); err != nil {
			t.Fatal(err)
		}
		wantAll(t, dir, s, Lines, 20)
	}
}

func TestContents(t *testing.T) {
	dir, s := t.TempDir(), newShelf(5)
	s.media = map[int]string{0: "application/fhir+json", 1: "application/json", 2: "application/json", 3: "text/plain"}
	s.records = []string{"{\"n\": 1.10,\r\n\"<\":\"&\u2028\"}", "not {json", strings.Repeat(" ", maxResource) + "1", "{}", "\x00\xff\n"}
	if _, err := runIn(t, t.Context(), dir, s, Lines, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "rows"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var row struct {
			Record   string
			Resource json.RawMessage
			Data     string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		var n int
		fmt.Sscanf(row.Record, "%x", &n)
		if n == 0 {
			if string(row.Resource) != "{\"n\":1.10,\"<\":\"&\u2028\"}" {
				t.Errorf("the resource is %s", row.Resource)
			}
			continue
		}
		if data, err := base64.StdEncoding.DecodeString(row.Data); err != nil || string(data) != s.records[n] || row.Resource != nil {
			t.Errorf("record %d: %.50q, %v, resource %.20s", n, data, err, row.Resource)
		}
	}
}

// TestPage wants kinds and dates of sealed records on the page only if they are asked
// for.
func TestPage(t *testing.T) {
	for _, details := range []bool{false, true} {
		dir, s := t.TempDir(), newShelf(2)
		var page bytes.Buffer
		if _, err := runIn(t, t.Context(), dir, s, Sealed, func(j *Job) { j.Page, j.Details = &page, details }); err != nil {
			t.Fatal(err)
		}
		rows, err := os.ReadFile(filepath.Join(dir, "rows"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(rows, []byte("secret kind")) || bytes.Contains(rows, []byte("2020-01-02")) {
			t.Errorf("the rows tell the kind or the date: %s", rows)
		}
		if has := strings.Contains(page.String(), "secret kind") && strings.Contains(page.String(), "2020-01-02"); has != details {
			t.Errorf("details %v:\n%s", details, page.String())
		}
		for n := range s.records {
			if !strings.Contains(page.String(), `<a href="`+recordID(n)+`.2.envelope.age">`) {
				t.Errorf("record %d is missing:\n%s", n, page.String())
			}
		}
	}
	dir, s := t.TempDir(), newShelf(1)
	var page bytes.Buffer
	if _, err := runIn(t, t.Context(), dir, s, Opened, func(j *Job) { j.Page = &page }); err != nil {
		t.Fatal(err)
	}
	if want := `<a href="` + recordID(0) + `.2">../../etc/passwd</a>`; !strings.Contains(page.String(), want) {
		t.Errorf("want %s:\n%s", want, page.String())
	}
}
