package index

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// hostileFacts are facts of the size that package emr lets through, made to take time.
var hostileFacts = map[string]func() Facts{
	"codes at all dates, again and again": func() Facts {
		f := manyFacts(7000, 0, 8000)
		for i := range 64 {
			f.Statements = append(f.Statements, Statement{Context: Contexts[i%len(Contexts)], Codes: upTo(7000)})
		}
		f.Statements = append(f.Statements, Statement{Codes: []int{0}, Dates: []int{0}})
		return f
	},
	"codes of all patients": func() Facts {
		f := manyFacts(3000, 5000, 1)
		for range 64 {
			f.Statements = append(f.Statements, Statement{Codes: upTo(3000)})
		}
		f.Statements = append(f.Statements, Statement{Codes: []int{0}, Patients: []int{0}})
		return f
	},
	"patients who are one": func() Facts {
		f := manyFacts(7000, 0, 1)
		for i := range 8192 {
			f.Patients = append(f.Patients, Identifier{Value: spelling("abcdefghijklm", i)})
		}
		f.Statements = []Statement{{Codes: upTo(7000), Patients: upTo(8192)}}
		return f
	},
	"long periods": func() Facts {
		f := manyFacts(4000, 0, 1)
		for i := range 8192 {
			f.Periods = append(f.Periods, Period{Date{1900, 1 + i%12, 1 + i%28}, Date{1940, 1 + i/28%12, 1 + i/336}})
		}
		for i := range 64 {
			f.Statements = append(f.Statements, Statement{Context: Contexts[i%2], Codes: upTo(4000), Periods: upTo(8192), Dates: []int{0}})
		}
		return f
	},
}

func manyFacts(codes, patients, dates int) Facts {
	var f Facts
	for i := range codes {
		f.Codes = append(f.Codes, Code{System: "http://loinc.org", Code: fmt.Sprintf("%d-1", i)})
	}
	for i := range patients {
		f.Patients = append(f.Patients, Identifier{Value: fmt.Sprint(i)})
	}
	for i := range dates {
		f.Dates = append(f.Dates, Date{1900 + i/336, 1 + i/28%12, 1 + i%28})
	}
	return f
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// spelling writes a word in one of many ways that mean the same.
func spelling(word string, n int) string {
	out := []byte(word)
	for i := range out {
		if n>>i&1 == 1 {
			out[i] -= 'a' - 'A'
		}
	}
	return string(out)
}

// No facts take minutes to expand, or a lot more than a second without the race detector.
func TestHostileFacts(t *testing.T) {
	for name, facts := range hostileFacts {
		f := facts()
		start := processorTime(t)
		done := make(chan Expansion)
		go func() { done <- f.Expand() }()
		select {
		case e := <-done:
			took := processorTime(t) - start
			t.Logf("%s: %v, %d terms", name, took.Round(time.Millisecond), len(e.Terms))
			if took > 10*time.Second {
				t.Errorf("%s: %v", name, took)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: it does not end", name)
		}
	}
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
