package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRunWaits: a run that cannot go on leaves no program of its load behind.
func TestRunWaits(t *testing.T) {
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	for name, script := range map[string]string{
		"chartnet":  `case "$*" in *status*) sleep 1; exit 1;; esac`, // an hour before the end of the faults
		"chartseal": `echo begun >>` + log + `; sleep 2; echo ended >>` + log,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	err := Run(t.Context(), Options{Bin: bin, Dir: filepath.Join(t.TempDir(), "faults"), Time: time.Hour, Programs: 3, Out: testLog{t}})
	if err == nil || !strings.Contains(err.Error(), "chartnet status") {
		t.Errorf("error %v", err)
	}
	text, err := os.ReadFile(log)
	if begun, ended := strings.Count(string(text), "begun"), strings.Count(string(text), "ended"); err != nil || begun == 0 || begun != ended {
		t.Errorf("%d programs begun, %d ended, %v", begun, ended, err)
	}
}

// TestImported: an import promises that records are found when it has succeeded, and not
// before.
func TestImported(t *testing.T) {
	r := &run{Options: Options{Dir: t.TempDir(), Time: time.Minute}}
	l := newLoad(r)
	if all, err := l.imported(); err != nil || len(all) != 0 {
		t.Errorf("before the first import: %v, %v", all, err)
	}
	report := `{"part":1,"status":"sealed","record":"a"}
{"part":2,"status":"failed"}
{"part":1,"status":"present","record":"a"}
{"part":2,"status":"sealed","record":"b"}
`
	if err := os.WriteFile(l.reportFile(), []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	l.whole = 1
	all, err := l.imported()
	if err != nil || len(all) != 2 || !all[0].indexed || all[1].indexed || string(all[1].content) != l.lines[1] {
		t.Errorf("%+v, %v", all, err)
	}
}

type testLog struct{ t *testing.T }

func (w testLog) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
