package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chartseal/chartseal/client/envelope"
)

const (
	doctorA = "doctor@HospitalA"
	doctorB = "doctor@HospitalB"
	policy  = "HospitalA:role=doctor or HospitalB:role=doctor"
)

// other is the doctor at the other hospital.
func other(user string) string { return map[string]string{doctorA: doctorB, doctorB: doctorA}[user] }

// A record is one whose sealing a program has confirmed.
type record struct {
	id      string
	by      string // user
	query   string // that finds it and no other one
	content []byte
	indexed bool // its program has confirmed that the query finds it
}

// A load is what people do meanwhile.
type load struct {
	*run
	lines []string // of the import

	mu     sync.Mutex // guards the rest
	sealed []record
	left   leftovers      // of seals that failed
	whole  int            // lines of the longest import that has succeeded
	done   map[string]int // calls that succeeded, by command
	failed map[string]int
	named  map[string]bool // commands of which a failure was named
}

// importLines is the number of records to import in each minute.
const importLines = 60

func newLoad(r *run) *load {
	l := &load{run: r, done: map[string]int{}, failed: map[string]int{}}
	for i := range int(r.Time.Minutes()+1) * importLines {
		l.lines = append(l.lines, fmt.Sprintf(
			`{"resourceType":"Observation","id":"o%d","subject":{"reference":"Patient/s%dp%d"},"effectiveDateTime":"2020-02-%02d"}`, i, r.Seed, i, i%28+1))
	}
	return l
}

func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("done %v, failed %v", l.done, l.failed)
}

// work goes on until ctx ends. Programs that are at work then may finish.
func (l *load) work(ctx context.Context) {
	var all sync.WaitGroup
	again := func(rest time.Duration, do func(context.Context)) {
		all.Go(func() {
			for ctx.Err() == nil {
				do(context.WithoutCancel(ctx))
				pause(ctx, time.Duration(rand.Int64N(int64(rest))))
			}
		})
	}
	for i := range l.Programs {
		user := []string{doctorA, doctorB}[i%2]
		n := 0
		again(10*time.Second, func(ctx context.Context) { l.seal(ctx, user, fmt.Sprintf("s%dw%dx%d", l.Seed, i, n)); n++ })
	}
	again(2*time.Second, l.open)
	again(2*time.Second, l.search)
	all.Go(func() { l.importPieces(ctx) })
	all.Wait()
}

// count notes the result of a call. It says why the first call of a command has failed
// since the last faults.
func (l *load) count(command string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.done[command]++
		return
	}
	l.failed[command]++
	if l.named == nil {
		l.named = map[string]bool{}
	}
	if !l.named[command] {
		l.named[command] = true
		l.say("failed: %v", err)
	}
}

// newEpisode has failures named again.
func (l *load) newEpisode() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.named = nil
}

func (l *load) seal(ctx context.Context, user, word string) {
	content := []byte(word + " " + strings.Repeat("x", rand.IntN(64<<10)))
	file := filepath.Join(l.Dir, word+".txt")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		l.count("seal", err)
		return
	}
	defer os.Remove(file)
	var rows []struct{ Record string }
	err := l.chartseal(ctx, user, &rows, "seal", file, "--policy", policy, "--keyword", word, "--index", "now")
	l.count("seal", err)
	if err != nil {
		l.leave(user, content, 1)
		return
	}
	l.add(record{rows[0].Record, user, word, content, true})
}

// leave notes that attempts to seal may have failed after the payload was stored.
func (l *load) leave(user string, content []byte, attempts int) {
	sealer, err := envelope.NewSealer(bytes.NewReader(content), make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize))
	if err != nil {
		panic(err) // the key and the salt have the right sizes
	}
	size, err := io.Copy(io.Discard, sealer)
	if err != nil {
		panic(err) // it was read from memory
	}
	_, hospital, _ := strings.Cut(user, "@")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = append(l.left, leftover{time.Now(), hospital, size, attempts})
}

func (l *load) add(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed = append(l.sealed, r)
}

// pick gives some record that is sealed.
func (l *load) pick() (r record, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sealed) == 0 {
		return r, false
	}
	return l.sealed[rand.IntN(len(l.sealed))], true
}

func (l *load) open(ctx context.Context) {
	r, found := l.pick()
	if !found {
		return
	}
	args := []string{"--wallet", l.wallet(), "--user", other(r.by), "open", r.id}
	out, err := exec.CommandContext(ctx, filepath.Join(l.Bin, "chartseal"), args...).Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("chartseal open as %s: %w: %s", other(r.by), err, bytes.TrimSpace(exit.Stderr))
	}
	l.count("open", err)
	if err == nil && !bytes.Equal(out, r.content) {
		l.harm("record %s opened with other content", r.id)
	}
}

func (l *load) search(ctx context.Context) {
	r, found := l.pick()
	if !found {
		return
	}
	var rows []struct{ Record string }
	err := l.chartseal(ctx, other(r.by), &rows, "search", r.query)
	l.count("search", err)
	if err == nil && (len(rows) > 1 || len(rows) == 1 && rows[0].Record != r.id) {
		l.harm("a search for %s finds %v, want %s", r.query, rows, r.id)
	}
}

func (l *load) exportFile() string { return filepath.Join(l.Dir, "Observation.ndjson") }
func (l *load) reportFile() string { return filepath.Join(l.Dir, "report") }

// importPieces imports the export as it grows, a line a second.
func (l *load) importPieces(ctx context.Context) {
	for n := importLines / 4; n <= len(l.lines) && ctx.Err() == nil; n += importLines / 4 {
		l.count("import", l.importUpTo(context.WithoutCancel(ctx), n))
		pause(ctx, 15*time.Second)
	}
}

// importUpTo imports the first lines of the export.
func (l *load) importUpTo(ctx context.Context, n int) error {
	if err := os.WriteFile(l.exportFile(), []byte(strings.Join(l.lines[:n], "\n")+"\n"), 0o600); err != nil {
		return err
	}
	before, err := l.imported()
	if err != nil {
		return err
	}
	began := time.Now()
	err = l.chartseal(ctx, doctorA, nil, "import", l.exportFile(), "--policy", policy, "--report", l.reportFile())
	if attempts := failedAttempts(time.Since(began), err); attempts > 0 {
		for _, line := range l.lines[:n] {
			if !slices.ContainsFunc(before, func(r record) bool { return string(r.content) == line }) {
				l.leave(doctorA, []byte(line), attempts)
			}
		}
	}
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.whole = max(l.whole, n)
	}
	return err
}

// failedAttempts is how often an import may have sealed a record without success. It
// repeats an attempt up to six times, first after half a second, then after twice as
// long each time.
func failedAttempts(took time.Duration, err error) (attempts int) {
	for wait := 500 * time.Millisecond; attempts < 6 && took >= wait; wait *= 2 {
		took -= wait
		attempts++
	}
	if err != nil {
		attempts++
	}
	return attempts
}

// imported gives the records of the import, by its report. An import that has succeeded
// has also indexed them.
func (l *load) imported() (all []record, err error) {
	data, err := os.ReadFile(l.reportFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nobody got as far
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(data) {
		var row struct {
			Part           int
			Status, Record string
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, err
		}
		if row.Record == "" || seen[row.Record] || row.Part < 1 || row.Part > len(l.lines) {
			continue
		}
		seen[row.Record] = true
		all = append(all, record{row.Record, doctorA, fmt.Sprintf("patient:s%dp%d", l.Seed, row.Part-1), []byte(l.lines[row.Part-1]), row.Part <= l.whole})
	}
	return all, nil
}
