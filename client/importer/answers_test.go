package importer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/importer"
	"github.com/chartseal/chartseal/client/index/indextest"
)

// TestAnswers imports records, asks many questions of the index, and holds every answer
// against a plain scan of what the records say: no false hit, none missed.
func TestAnswers(t *testing.T) {
	sources := map[string]string{"own": "testdata/records"}
	shared := "../../../shared/data"
	if _, err := os.Stat(shared); err == nil && testing.Short() {
		sources["formats"] = some(t, shared+"/ccda/P*.xml", shared+"/hl7v2/ADT-A0*", shared+"/dicom/*-[MCI]*.dcm", shared+"/fhir/Clemente*.json")
	} else if err == nil {
		sources["formats"] = some(t, shared+"/ccda/*.xml", shared+"/hl7v2/*", shared+"/dicom/*.dcm")
		sources["bundles"] = some(t, shared+"/fhir/[A-B]*.json")
	}
	for name, dir := range sources {
		for _, split := range []bool{false, true} {
			if name != "own" && split {
				continue // there is nothing to split, or 3000 records: package e2e and the benchmark do that
			}
			t.Run(fmt.Sprintf("%s/%v", name, split), func(t *testing.T) { compareAnswers(t, dir, split) })
		}
	}
}

// some links files into a directory of their own.
func some(t *testing.T, patterns ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		check(t, err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			check(t, err)
			check(t, os.WriteFile(filepath.Join(dir, filepath.Base(f)), text, 0o600))
		}
	}
	return dir
}

func compareAnswers(t *testing.T, dir string, split bool) {
	h := newHospital(t)
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), &rows)
	j.Split = split
	sum := run(t, j)
	if sum.Failed > 0 || sum.Sealed == 0 {
		t.Fatalf("%+v", sum)
	}
	// The plain side reads what a person would get who opens every record.
	c := h.client(t)
	docs := make(map[string]emr.Document)
	for _, r := range rows {
		if r.Status != importer.StatusSealed {
			continue
		}
		var content sink
		_, err := c.Open(t.Context(), r.Record, &content, client.OpenRequest{})
		check(t, err)
		d, err := emr.Extract(t.Context(), strings.NewReader(string(content)))
		check(t, err)
		docs[r.Record] = d
	}
	if split {
		indextest.ResolvePatients(docs)
	}
	questions, answered := 240, 0
	if testing.Short() {
		questions = 60
	}
	for _, q := range indextest.Questions(docs, questions, 4) {
		want := q.Answer(docs)
		if got := h.found(t, q.Query); !slices.Equal(got, want) {
			t.Errorf("%s: %d records, want %d", q.Query, len(got), len(want))
		}
		if len(want) > 0 {
			answered++
		}
	}
	if answered < questions/4 {
		t.Errorf("only %d of %d questions have an answer", answered, questions)
	}
	t.Logf("%d records, %d keywords, %d questions with an answer", sum.Sealed, sum.Entries, answered)
}
