package importer_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/importer"
)

// TestMovedDirectory: an import whose directory was moved goes on, and seals nothing
// twice. Another directory is another job.
func TestMovedDirectory(t *testing.T) {
	h := newHospital(t)
	dir := tree(t, map[string]string{"a": "1", "sub/b": "2"})
	rules := one(t, importer.Rule{Policy: doctors})
	if sum := run(t, h.job(t, dir, rules, nil)); sum.Sealed != 2 {
		t.Fatalf("%+v", sum)
	}
	header := func(source string) importer.Header {
		return importer.Header{Actor: ledger.Actor("HospitalA", "doctor"), Source: source}
	}
	if found := importer.FindMoved(h.disk, header(dir)); found != "" {
		t.Errorf("%s: the directory is where it was", found)
	}
	other := tree(t, map[string]string{"a": "1"})
	if _, err := importer.OpenJournal(h.journal, header(other)); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("another directory: %v", err)
	}
	moved := filepath.Join(t.TempDir(), "elsewhere")
	check(t, os.Rename(dir, moved))
	if _, err := importer.OpenJournal(h.journal, header(other)); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("another directory after the move: %v", err)
	}
	if found := importer.FindMoved(h.disk, header(other)); found != "" {
		t.Errorf("another directory has the journal %s", found)
	}
	if found := importer.FindMoved(h.disk, header(moved)); found != h.journal {
		t.Errorf("found %q", found)
	}
	check(t, os.WriteFile(filepath.Join(moved, "c"), []byte("3"), 0o600))
	if sum := run(t, h.job(t, moved, rules, nil)); sum.Sealed != 1 || sum.Before != 2 {
		t.Errorf("%+v", sum)
	}
	if sum := run(t, h.job(t, moved, rules, nil)); sum.Sealed != 0 || sum.Before != 3 {
		t.Errorf("again: %+v", sum)
	}
	if got := h.contents(t); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("%q", got)
	}
}

// TestArchive: the files of an archive are sealed, found, and not sealed again.
func TestArchive(t *testing.T) {
	h := newHospital(t)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"IHE_XDM/SUBSET01/DOC0001.XML", "IHE_XDM/SUBSET01/DOC0002.XML"} {
		w, err := z.Create(name)
		check(t, err)
		_, err = io.WriteString(w, `<ClinicalDocument xmlns="urn:hl7-org:v3"><title>`+filepath.Base(name)+`</title></ClinicalDocument>`)
		check(t, err)
	}
	check(t, z.Close())
	dir := tree(t, map[string]string{"export.zip": b.String()})
	rules := one(t, importer.Rule{Policy: doctors})
	var rows []importer.Row
	if sum := run(t, h.job(t, dir, rules, &rows)); sum.Sealed != 2 || sum.Failed != 0 {
		t.Fatalf("%+v %+v", sum, rows)
	}
	if ids := h.found(t, "doc0002.xml"); len(ids) != 1 {
		t.Errorf("found %q", ids)
	}
	for _, r := range rows {
		if filepath.Dir(r.File) != "export.zip/IHE_XDM/SUBSET01" {
			t.Errorf("%+v", r)
		}
	}
	if sum := run(t, h.job(t, dir, rules, nil)); sum.Sealed != 0 || sum.Before != 2 {
		t.Errorf("again: %+v", sum)
	}
}
