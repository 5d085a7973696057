package contract

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A name that a grammar accepts makes a key whose parts read back unchanged, so no name
// reaches the key of another.

func FuzzNames(f *testing.F) {
	for _, s := range []string{"HospitalA:role=doctor", "consortium", "scope:a", recordID(1), "a/b", "%2F", "HospitalA/doctor", "\x00", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		back := func(key string, n, part int) {
			t.Helper()
			parts, err := ledger.Parts(key)
			if err != nil || len(parts) != n || parts[part] != s {
				t.Errorf("%q: key %q has the parts %q, %v", s, key, parts, err)
			}
		}
		if checkAttribute(s) == nil {
			msp, _, _ := strings.Cut(s, ":")
			if !owns(msp, s) || !isWord(msp) || len(s) > ledger.MaxName {
				t.Errorf("%q has no owner", s)
			}
			back(ledger.AttributeCurrentKey(s), 2, 1)
			back(ledger.AttributeVersionKey(s, 1), 3, 1)
		}
		if checkScopeName(s) == nil {
			back(ledger.ScopeStateKey(s), 2, 1)
			back(ledger.ScopeKeyKey(s, 1), 3, 1)
		}
		if isPerson(s) {
			back(ledger.AccessActorKey(s, "id", "target"), 4, 1)
		}
		if _, err := checkTarget(s); err == nil {
			back(ledger.AccessKey(s, "id"), 3, 1)
			back(ledger.AccessTimeKey("id", s), 3, 2)
		}
		if checkAccessID(s) == nil && len(s) != len(at(0))+65 {
			t.Errorf("access id %q", s)
		}
	})
}

func FuzzLabels(f *testing.F) {
	for _, s := range []string{labelBatch("", 1).Labels, labelBatch("", 1, 2).Labels, "", "AAAA", strings.Repeat("A", 160)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		items, err := unpack("labels", s, ledger.LabelSize)
		if err != nil {
			return
		}
		var all []byte
		for _, i := range items {
			all = append(all, i...)
		}
		clean := strings.NewReplacer("\r", "", "\n", "").Replace(s)
		if len(items) < 1 || len(items) > ledger.MaxEntriesPerCall || base64.StdEncoding.EncodeToString(all) != clean {
			t.Errorf("%q: %d items", s, len(items))
		}
	})
}

func FuzzBookmark(f *testing.F) {
	s := timeSpan(ledger.RecordTimePrefix, at(1), at(5))
	for _, b := range []string{"", "AAAA", sealBookmark(s.start), sealBookmark(s.end), sealBookmark("record/"), sealBookmark(s.start + "\x00")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, bookmark string) {
		if key, err := openBookmark(bookmark, s); err == nil && (key < s.start || key >= s.end) {
			t.Errorf("%q leads to %q", bookmark, key)
		}
	})
}
