package importer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/importer"
)

// TestOlderWallet restores a copy of the journal and the outbox from before the import,
// or from the middle of it. The import, run again, seals nothing twice, and what it has
// sealed is found once. Meanwhile the person got another attribute.
func TestOlderWallet(t *testing.T) {
	files := make(map[string]string)
	var want []string
	for i := range 20 {
		text := fmt.Sprintf("note %d", i)
		files[fmt.Sprintf("a/%d.txt", i)] = text
		want = append(want, text)
	}
	slices.Sort(want)
	rules := one(t, importer.Rule{Policy: doctors, Keywords: []string{"all"}})
	for name, after := range map[string]bool{"before the import": false, "in the middle": true} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			dir := tree(t, nil)
			write := func(names ...string) {
				for _, name := range names {
					path := filepath.Join(dir, filepath.Base(name))
					check(t, os.WriteFile(path, []byte(files[name]), 0o600))
				}
			}
			var names []string
			for name := range files {
				names = append(names, name)
			}
			copied := filepath.Join(t.TempDir(), "copy")
			if after {
				write(names[:10]...)
				run(t, h.job(t, dir, rules, nil))
				check(t, os.CopyFS(copied, os.DirFS(h.disk)))
			}
			write(names...)
			j := h.job(t, dir, rules, nil)
			j.Flush = func(context.Context, bool) (int, error) { return 0, nil } // its entries stay in the outbox, which is lost
			if sum := run(t, j); sum.Indexed != 0 || sum.Sealed == 0 {
				t.Errorf("%+v", sum)
			}
			if n := len(h.found(t, "all")); n == 20 {
				t.Fatal("the entries are written already")
			}

			check(t, os.RemoveAll(h.disk))
			if after {
				check(t, os.CopyFS(h.disk, os.DirFS(copied)))
			}
			other := *h
			key, err := h.master.Issue("HospitalA/doctor", "HospitalA:a=first", 1)
			check(t, err)
			other.keys = append([]*abe.UserKey{key}, h.keys...)
			sum := run(t, other.job(t, dir, rules, nil))
			if sum.Sealed != 0 || sum.Before != 20 || sum.Indexed != 20 && !after || sum.Indexed != 10 && after {
				t.Errorf("run again: %+v", sum)
			}
			if got := h.contents(t); !slices.Equal(got, want) {
				t.Errorf("%d records on the ledger: %q", len(got), got)
			}
			if got := h.found(t, "all"); len(got) != 20 {
				t.Errorf("%d are found", len(got))
			}
		})
	}
}
