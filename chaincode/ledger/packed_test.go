package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	cidlib "github.com/ipfs/go-cid"
	"github.com/multiformats/go-multibase"
	mh "github.com/multiformats/go-multihash"
)

const testCID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"

func TestRecordsKeepTheirTexts(t *testing.T) {
	dag := cidlib.NewCidV1(cidlib.DagProtobuf, mustHash(t)).String()
	records := []NewRecord{
		{ID: strings.Repeat("0a", RecordIDSize), CID: testCID, Commitment: strings.Repeat("f0", CommitmentSize), Size: 1},
		{ID: strings.Repeat("ff", RecordIDSize), CID: dag, Commitment: strings.Repeat("00", CommitmentSize), Size: MaxPayload},
	}
	packed, err := PackRecords(records)
	if err != nil || len(packed) != 2*PackedRecordSize {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	if back, err := UnpackRecords(packed); err != nil || !slices.Equal(back, records) {
		t.Errorf("got %+v, %v", back, err)
	}
	raw, err := PackCID(dag)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := cidlib.Decode(dag); err != nil || !bytes.Equal(raw, want.Bytes()) {
		t.Errorf("packed as %x, %v", raw, err)
	}
	for name, bad := range map[string]NewRecord{
		"no id":                 {"", testCID, records[0].Commitment, 1},
		"short id":              {records[0].ID[2:], testCID, records[0].Commitment, 1},
		"upper-case id":         {strings.Repeat("AB", RecordIDSize), testCID, records[0].Commitment, 1},
		"id with a separator":   {"../" + records[0].ID[3:], testCID, records[0].Commitment, 1},
		"id not hexadecimal":    {strings.Repeat("g", 2*RecordIDSize), testCID, records[0].Commitment, 1},
		"no commitment":         {records[0].ID, testCID, "", 1},
		"upper-case commitment": {records[0].ID, testCID, strings.Repeat("AB", CommitmentSize), 1},
		"long commitment":       {records[0].ID, testCID, records[0].Commitment + "00", 1},
		"no size":               {records[0].ID, testCID, records[0].Commitment, 0},
		"a negative size":       {records[0].ID, testCID, records[0].Commitment, -1},
		"too large a size":      {records[0].ID, testCID, records[0].Commitment, MaxPayload + 1},
		"CID with a path":       {records[0].ID, "/ipfs/" + testCID, records[0].Commitment, 1},
	} {
		if _, err := PackRecords([]NewRecord{bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := UnpackRecords(packed[1:]); !errors.Is(err, ErrInvalid) {
		t.Errorf("a byte short: %v", err)
	}
	old := slices.Concat(packed[:sizelessRecordSize], packed[PackedRecordSize:][:sizelessRecordSize])
	if _, err := UnpackRecords(old); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "older than the chaincode, upgrade it") {
		t.Errorf("records of an older client: %v", err)
	}
}

func mustHash(t *testing.T) mh.Multihash {
	t.Helper()
	sum, err := mh.Sum([]byte("sealed"), mh.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestCID(t *testing.T) {
	of := func(codec, hash uint64) cidlib.Cid {
		t.Helper()
		sum, err := mh.Sum([]byte("sealed"), hash, -1)
		if err != nil {
			t.Fatal(err)
		}
		return cidlib.NewCidV1(codec, sum)
	}
	raw := of(cidlib.Raw, mh.SHA2_256)
	base58, err := raw.StringOfBase(multibase.Base58BTC)
	if err != nil {
		t.Fatal(err)
	}
	short, err := mh.Sum([]byte("sealed"), mh.SHA2_256, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{testCID, raw.String(), of(cidlib.DagProtobuf, mh.SHA2_256).String()} {
		if _, err := PackCID(good); err != nil {
			t.Error(err)
		}
	}
	for name, bad := range map[string]string{
		"CIDv0":          cidlib.NewCidV0(raw.Hash()).String(),
		"base58":         base58,
		"upper case":     strings.ToUpper(raw.String()),
		"identity hash":  of(cidlib.Raw, mh.IDENTITY).String(),
		"sha2-512":       of(cidlib.Raw, mh.SHA2_512).String(),
		"sha3-256":       of(cidlib.Raw, mh.SHA3_256).String(),
		"truncated hash": cidlib.NewCidV1(cidlib.Raw, short).String(),
		"dag-cbor":       of(cidlib.DagCBOR, mh.SHA2_256).String(),
		"truncated":      testCID[:len(testCID)-1],
		"trailing":       testCID + "a",
		"a space":        " " + testCID,
		"spare bits":     raw.String()[:58] + "z",
		"long":           strings.Repeat("b", 4096),
		"empty":          "",
	} {
		if _, err := PackCID(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %s is taken", name, bad)
		}
	}
}

// FuzzUnpack checks that accepted bytes have one form: packing the result gives the same
// bytes.
func FuzzUnpack(f *testing.F) {
	good, err := PackRecords([]NewRecord{{ID: strings.Repeat("0a", RecordIDSize), CID: testCID, Commitment: strings.Repeat("f0", CommitmentSize), Size: 300}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{good, good[RecordIDSize:][:CIDSize], {0, 0, 0, 1, 7}, {0xff, 0xff, 0xff, 0xff}, VersionNames([]RecordVersion{{ID: strings.Repeat("0a", RecordIDSize), Version: 7}})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if records, err := UnpackRecords(b); err == nil {
			if again, err := PackRecords(records); err != nil || !bytes.Equal(again, b) {
				t.Errorf("records %x, %v", b, err)
			}
		}
		if items, err := UnpackList(b); err == nil && !bytes.Equal(PackList(items), b) {
			t.Errorf("list %x", b)
		}
		if text, err := UnpackCID(b); err == nil {
			if again, err := PackCID(text); err != nil || !bytes.Equal(again, b) {
				t.Errorf("CID %x, %v", b, err)
			}
		}
		if names, err := ReadVersionNames(b); err == nil {
			var again []RecordVersion
			for _, n := range names {
				again = append(again, RecordVersion{ID: n.ID, Version: n.Version})
			}
			if !bytes.Equal(VersionNames(again), b) {
				t.Errorf("names %x", b)
			}
		}
	})
}

func FuzzCID(f *testing.F) {
	for _, s := range []string{testCID, "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", "", "b", "bafkqabtimvwgy3yk"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := PackCID(s)
		if err != nil {
			return
		}
		// One form: lower-case base32, without padding, of a prefix of 4 bytes and a hash
		// of 32.
		want, err := cidlib.Decode(s)
		if err != nil || want.String() != s || !bytes.Equal(want.Bytes(), raw) || hex.EncodeToString(raw[2:4]) != "1220" {
			t.Errorf("%q is taken", s)
		}
	})
}

func TestValuesKeepWhatTheyAreGiven(t *testing.T) {
	v := RecordVersion{ID: strings.Repeat("0a", RecordIDSize), Version: 12, Home: "HospitalA", CID: testCID, Commitment: strings.Repeat("f0", CommitmentSize), Size: 7,
		Author: "HospitalA/a/b", Time: "2026-03-14T08:00:00.000000000Z", Tx: strings.Repeat("1", 64)}
	if got, err := ReadVersion(RecordKey(v.ID, v.Version), VersionValue(v)); err != nil || got != v {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := len(VersionValue(v)); n != packedVersionSize+len(v.Author) {
		t.Errorf("a version takes %d bytes", n)
	}
	// Values in JSON: of earlier releases, without a size, and with fields of other
	// forms.
	for _, change := range []func(*RecordVersion){
		func(v *RecordVersion) { v.Size = 0 }, // packed
		func(v *RecordVersion) { v.CID = "" },
		func(v *RecordVersion) { v.Tx = "t" },
		func(v *RecordVersion) { v.Commitment = "F0" + v.Commitment[2:] },
		func(v *RecordVersion) { v.Time = "2026-03-14T08:00:00Z" },
		func(v *RecordVersion) { v.Time = "9999-03-14T08:00:00.000000000Z" },
	} {
		v := v
		change(&v)
		for _, value := range [][]byte{VersionValue(v), mustMarshal(v.stored())} {
			if got, err := ReadVersion(RecordKey(v.ID, v.Version), value); err != nil || got != v {
				t.Errorf("got %+v, %v", got, err)
			}
		}
	}
	for n := range packedVersionSize {
		if got, err := ReadVersion(RecordKey(v.ID, v.Version), VersionValue(v)[:n]); err == nil {
			t.Errorf("%d bytes are read as %+v", n, got)
		}
	}
	e := AccessEntry{ID: AccessID(v.Time, v.Tx), Target: ScopeTarget("a"), Actor: "HospitalB/doctor", Purpose: "TREAT", Time: v.Time, Tx: v.Tx}
	if got, err := ReadAccess(AccessKey(e.Target, e.ID), AccessValue(e)); err != nil || got != e {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, key := range []string{"", "record/0a", "record/0a/x", "access/0a/id", "record/0a/000001/x"} {
		if _, err := ReadVersion(key, VersionValue(v)); err == nil {
			t.Errorf("%q is a version's", key)
		}
		if _, err := ReadAccess(key, AccessValue(e)); err == nil {
			t.Errorf("%q is an entry's", key)
		}
	}
	if _, err := ReadVersion(RecordKey(v.ID, 1), []byte("{")); err == nil {
		t.Error("a value that is no version")
	}
}

// No two pairs of hospital and label have the same key, even if their joined texts are
// the same.
func TestIndexKeys(t *testing.T) {
	seen := map[string]bool{}
	for _, msp := range []string{"HospitalA", "HospitalB", "Hospital", ""} {
		for _, label := range []string{"Axxxxxxxxxxxxxxx", "Bxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxx", "\x00xxxxxxxxxxxxxxx"} {
			key := IndexKey(msp, []byte(label))
			if seen[key] || len(key) != 24 || !strings.HasPrefix(key, "i/") {
				t.Errorf("%s, %q: %q", msp, label, key)
			}
			seen[key] = true
		}
	}
}
