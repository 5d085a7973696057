package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A key gives back its parts, whatever characters they have.
func TestKeysKeepTheirParts(t *testing.T) {
	for _, name := range []string{"a", "a/b", "../a", "%2F", "a%", "HospitalA:ward=3/4 west", "\u00e4", "a\x00b", "scope:x", ""} {
		for _, c := range []struct {
			key  string
			want []string
		}{
			{AuthorityKey(name), []string{"authority", name}},
			{AttributeCurrentKey(name), []string{"attribute", name}},
			{AttributeVersionKey(name, 7), []string{"attribute-version", name, "000007"}},
			{ScopeStateKey(name), []string{"scope", name}},
			{ScopeEpochKey(name, 2), []string{"scope-epoch", name, "000002"}},
			{ScopeKeyKey(name, 2), []string{"scope-key", name, "000002"}},
			{AccessKey(name, "id"), []string{"access", name, "id"}},
			{AccessActorKey(name, "id", name), []string{"access-actor", name, "id", name}},
			{AccessTimeKey("id", name), []string{"access-time", "id", name}},
		} {
			got, err := Parts(c.key)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q: got %q, %v, want %q", c.key, got, err, c.want)
			}
		}
		for _, key := range []string{AccessKey(name, "id"), AccessActorKey("A/b", "id", name), AccessTimeKey("id", name)} {
			if target, id, err := ParseAnyAccessKey(key); target != name || id != "id" || err != nil {
				t.Errorf("%q: got %q, %q, %v", key, target, id, err)
			}
		}
	}
	if id, v, err := ParseRecordKey(RecordKey("0a", 12)); id != "0a" || v != 12 || err != nil {
		t.Errorf("got %q, %d, %v", id, v, err)
	}
	for _, bad := range []string{"", "record-time/t/0a", "record/0a/x", "record/0a", "%", "access/%zz/id"} {
		if _, _, err := ParseRecordKey(bad); err == nil {
			t.Errorf("%q is a version's", bad)
		}
		if _, _, err := ParseAnyAccessKey(bad); err == nil {
			t.Errorf("%q is an access entry's", bad)
		}
	}
}

// A range has exactly the keys under its prefix.
func TestPrefixes(t *testing.T) {
	keys := []string{
		AuthorityKey("A"), AttributeCurrentKey("A:x"), AttributeVersionKey("A:x", 1), ScopeStateKey("s"), ScopeEpochKey("s", 1), RecordKey("0a", 1),
		RecordKey("0b", 1), RecordTimeKey("t", "0a"), AccessKey("0a", "id"), AccessKey("0a0", "id"), AccessActorKey("A/b", "id", "0a"),
		AccessActorKey("A/b/c", "id", "0a"), AccessActorKey("A/b0", "id", "0a"), AccessActorKey("A/b%", "id", "0a"), AccessTimeKey("id", "0a"),
		ScopeRetiredKey("s", "A"), ScopeRetiredKey("s", "B"), ScopeRetiredKey("s0", "A"),
	}
	for prefix, want := range map[string]int{
		AuthorityPrefix: 1, AttributeCurrentPrefix: 1, ScopeStatePrefix: 1, RecordTimePrefix: 1, AccessTimePrefix: 1, ScopeRetirementPrefix: 3, ScopeRetiredPrefix("s"): 2,
		RecordPrefix("0a"): 1, AccessPrefix("0a"): 1, AccessActorPrefix("A/b"): 1,
	} {
		got := 0
		for _, k := range keys {
			in := k >= prefix && k < PrefixEnd(prefix)
			if in != strings.HasPrefix(k, prefix) {
				t.Errorf("%q in the range of %q: %v", k, prefix, in)
			}
			if in {
				got++
			}
		}
		if got != want {
			t.Errorf("%q has %d keys, want %d", prefix, got, want)
		}
	}
}

func TestTimesSortAsText(t *testing.T) {
	base := time.Date(2026, 3, 14, 9, 0, 0, 0, time.FixedZone("", 3600))
	last := ""
	for _, d := range []time.Duration{0, 1, time.Microsecond, time.Second, time.Hour, 24 * time.Hour, 10000 * time.Hour} {
		text := FormatTime(base.Add(d))
		if text <= last || len(text) != len("2026-03-14T08:00:00.000000000Z") {
			t.Errorf("%q after %q", text, last)
		}
		back, err := ParseTime(text)
		if err != nil || !back.Equal(base.Add(d)) {
			t.Errorf("%q is read as %v, %v", text, back, err)
		}
		last = text
	}
}

func TestVersionsSortAsText(t *testing.T) {
	last := ""
	for _, v := range []int{1, 2, 9, 10, 99, 100, MaxVersions - 1, MaxVersions} {
		if key := RecordKey("0a", v); key <= last {
			t.Errorf("%q after %q", key, last)
		} else {
			last = key
		}
	}
}
