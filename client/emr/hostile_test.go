package emr

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// No file takes more than two seconds of processor time or 150 MiB. "make test-long"
// reads them at full size.
func TestHostileFiles(t *testing.T) {
	size := fileSize(t, hostileSize)
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		t.Run(name, func(t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			out := bufio.NewWriterSize(file, 1<<20)
			io.Copy(struct{ io.Writer }{out}, hostile[name](size))
			if err := out.Flush(); err != nil {
				t.Fatal(err)
			}
			length, _ := file.Seek(0, io.SeekCurrent)
			file.Seek(0, io.SeekStart)
			var doc Document
			start := processorTime(t)
			peak := watch(t, func() {
				doc, err = Extract(t.Context(), file)
				doc.Facts().Expand()
			})
			took := processorTime(t) - start
			if err != nil || doc.Kind == "" {
				t.Errorf("%v, %+v", err, doc)
			}
			if peak > 100<<20 {
				t.Errorf("took %d MiB", peak>>20)
			}
			if took > hostileTime {
				t.Errorf("took %v", took)
			}
			t.Logf("%v, %d MiB, %d of %d MiB %q", took.Round(time.Millisecond), peak>>20, length>>20, size>>20, doc.Incomplete)
		})
	}
}

// fileSize is a number of bytes, a quarter of it in the short suite, unless HOSTILE_MIB
// gives another one.
func fileSize(t *testing.T, bytes int) int {
	t.Helper()
	s := os.Getenv("HOSTILE_MIB")
	if s == "" && testing.Short() {
		return bytes / 4
	}
	if s == "" {
		return bytes
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n << 20
}

// processorTime is that of this process.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Counted work stops extraction, and says so.
func TestBudget(t *testing.T) {
	for _, name := range []string{"PDF object streams of keys", "XML attributes", "JSON objects"} {
		one, err := extract(t.Context(), formats, budgetSize*3/2, hostile[name](budgetSize))
		if err != nil || len(one.Incomplete) == 0 || len(one.Warnings) == 0 {
			t.Errorf("%s: %v, %q, %q", name, err, one.Incomplete, one.Warnings)
		}
		two, err := extract(t.Context(), formats, budgetSize*3/2, hostile[name](budgetSize))
		if err != nil || show(one) != show(two) {
			t.Errorf("%s: two extractions differ: %v", name, err)
		}
	}
}

// An impatient context ends after it was asked that often.
type impatient struct {
	context.Context
	left int
}

func (p *impatient) Err() error {
	if p.left--; p.left < 0 {
		return context.Canceled
	}
	return nil
}

// A caller that gives up stops every reader, also one that inflates what it has read.
func TestCancel(t *testing.T) {
	for _, name := range []string{"PDF names", "PDF object streams of nothing", "XML elements", "JSON objects", "HL7 v2 segments",
		"DICOM elements", "DICOM deflated", "text dates"} {
		doc, err := Extract(&impatient{t.Context(), 4}, hostile[name](4<<20))
		if !errors.Is(err, context.Canceled) || len(doc.Incomplete) == 0 {
			t.Errorf("%s: %v, %q", name, err, doc.Incomplete)
		}
	}
}
