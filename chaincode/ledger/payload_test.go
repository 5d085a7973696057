package ledger

import (
	"errors"
	"slices"
	"testing"
)

// TestPayloadsKeepWhatTheyAreGiven also reads the events of older ledgers.
func TestPayloadsKeepWhatTheyAreGiven(t *testing.T) {
	versions := []RecordVersion{{CID: testCID, Size: 1}, {CID: testCID, Size: MaxPayload}}
	packed, err := PackPayloads("HospitalA", versions)
	if err != nil {
		t.Fatal(err)
	}
	want := []Payload{{testCID, 1, "HospitalA", ""}, {testCID, MaxPayload, "HospitalA", ""}}
	if got, err := UnpackPayloads(packed); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	cid, err := PackCID(testCID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := UnpackPayloads(slices.Concat(cid, cid)); err != nil || !slices.Equal(got, []Payload{{CID: testCID}, {CID: testCID}}) {
		t.Errorf("an old event: %+v, %v", got, err)
	}
	for name, bad := range map[string][]byte{
		"a byte short": packed[1:], "cut": packed[:len(packed)-1], "a mark": packed[:1], "half a home": packed[:7], "cut, old": cid[1:],
	} {
		if got, err := UnpackPayloads(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
