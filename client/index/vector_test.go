package index

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write new frozen vectors; only ever for a new suite")

type vector struct {
	ScopeKey string `json:"scopeKey"`
	Term     Term   `json:"term"`
	MSP      string `json:"msp"`
	Slot     int    `json:"slot"`
	Counter  uint64 `json:"counter"`
	Label    string `json:"label"`
	Value    string `json:"value"`

	Record  string `json:"record"`
	Version uint32 `json:"version"`
	Op      Op     `json:"op"`
	Kind    string `json:"kind"`
	First   string `json:"first"`
	Last    string `json:"last"`
	Written string `json:"written"`
}

// What was written once must stay readable for ever, by other implementations of the
// package comment too.
func TestFrozenVectors(t *testing.T) {
	file := filepath.Join("testdata", "vectors.json")
	if *update {
		writeVectors(t, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 8 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		raw, _ := hex.DecodeString(v.ScopeKey)
		scope, err := ParseScopeKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		keys := deriveTermKeys(scope.Key(v.Term))
		label := keys.labelAt(chainName(v.MSP, v.Slot), v.Counter)
		if hex.EncodeToString(label[:]) != v.Label {
			t.Errorf("%s: label %x, want %s", v.Term, label, v.Label)
		}
		value, _ := hex.DecodeString(v.Value)
		p, err := keys.open(label, value)
		if err != nil {
			t.Errorf("%s: %v", v.Term, err)
			continue
		}
		got := v
		got.Record, got.Version, got.Op, got.Kind = hex.EncodeToString(p.Record[:]), p.Version, p.Op, p.Kind
		got.First, got.Last, got.Written = p.First.String(), p.Last.String(), p.Written.Format(time.RFC3339)
		if got != v {
			t.Errorf("%s: %+v, want %+v", v.Term, got, v)
		}
		if again, err := keys.seal(label, p); err != nil || !bytes.Equal(again.Value[:], value) {
			t.Errorf("%s: sealed as %x, %v", v.Term, again.Value, err)
		}
	}
}

func writeVectors(t *testing.T, file string) {
	scope := ScopeKey{}
	for i := range scope {
		scope[i] = byte(i)
	}
	written := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	postings := []Posting{
		{Record: recordID(1), Version: 1, Op: Add, Kind: "fhir:Bundle", First: civil(2019, 3, 14), Last: civil(2020, 6, 1), Written: written},
		{Record: recordID(2), Version: 10000, Op: Delete, Kind: "", First: NoDay, Last: NoDay, Written: written},
		{Record: recordID(3), Version: 7, Op: Add, Kind: "fhir:Medi…", First: civil(1800, 1, 1), Last: civil(2199, 12, 31), Written: written},
		{Record: recordID(4), Version: 1, Op: Add, Kind: "hl7v2:ORU^R01", First: civil(1970, 1, 1), Last: civil(1970, 1, 1), Written: time.Unix(0, 0).UTC()},
		{Record: recordID(5), Version: 2, Op: Add, Kind: "dicom:OPTENF", First: civil(2026, 2, 28), Last: civil(2026, 3, 1), Written: written},
		{Record: recordID(6), Version: 1, Op: Add, Kind: "dicom:RTSTRUCT", First: NoDay, Last: NoDay, Written: time.Unix(1<<32-1, 0).UTC()},
		{Record: recordID(7), Version: 1, Op: Add, Kind: "ccda", First: -dayMax, Last: dayMax, Written: written},
		{Record: recordID(8), Version: 1, Op: Delete, Kind: "Disc…", First: NoDay, Last: NoDay, Written: written},
	}
	terms := []Term{"icd10:I21.4", "patient:http://hospital.example|12345", "word:größe", pairTerm("patient:1", "loinc:8480-6"),
		"modality:optenf", "date:20xx", "kind:ccda", "word:x"}
	msps := []string{"HospitalA", "HospitalB", "", "Regulator"}
	counters := []uint64{0, 1, 1 << 40, 255}
	var vectors []vector
	for i, p := range postings {
		keys := deriveTermKeys(scope.Key(terms[i]))
		v := vector{ScopeKey: hex.EncodeToString(scope[:]), Term: terms[i], MSP: msps[i%4], Slot: i, Counter: counters[i%4]}
		e, err := keys.seal(keys.labelAt(chainName(v.MSP, v.Slot), v.Counter), p)
		if err != nil {
			t.Fatal(err)
		}
		v.Label, v.Value = hex.EncodeToString(e.Label[:]), hex.EncodeToString(e.Value[:])
		v.Record, v.Version, v.Op, v.Kind = hex.EncodeToString(p.Record[:]), p.Version, p.Op, p.Kind
		v.First, v.Last, v.Written = p.First.String(), p.Last.String(), p.Written.Format(time.RFC3339)
		vectors = append(vectors, v)
	}
	data, err := json.MarshalIndent(vectors, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Distinct chains have distinct names: the length of the MSP ID keeps "A1", slot 0 from
// "A", slot 0x3100.
func TestChainNamesAreUnambiguous(t *testing.T) {
	seen := make(map[string]string)
	for _, msp := range []string{"", "A", "A1", "AA", "A\x00", "\x00A"} {
		for _, slot := range []int{0, 1, 0x31, 0x3100, 0x4100} {
			name := string(chainName(msp, slot))
			if other, ok := seen[name]; ok {
				t.Errorf("%q/%d has the name of %s", msp, slot, other)
			}
			seen[name] = msp
		}
	}
}

func TestKeysAreSeparated(t *testing.T) {
	a := deriveTermKeys(testKey.Key("word:x"))
	label := a.labelAt(chainName("A", 0), 0)
	for name, b := range map[string]*termKeys{"term": deriveTermKeys(testKey.Key("word:y")), "scope": deriveTermKeys(ScopeKey{9}.Key("word:x"))} {
		if b.labelAt(chainName("A", 0), 0) == label {
			t.Errorf("same label for another %s", name)
		}
		e, err := a.seal(label, posting(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.open(label, e.Value[:]); err == nil {
			t.Errorf("opened with the keys of another %s", name)
		}
	}
	if id := a.hintID(chainName("A", 0)); Label(id) == label {
		t.Error("a hint's name is a label")
	}
	if s := testKey.String() + testKey.GoString(); slices.Contains([]byte(s), 1) {
		t.Error("a key prints itself")
	}
}

func FuzzDecodePosting(f *testing.F) {
	for i, kind := range []string{"", "text", "fhir:Observation", "hl7v2:ORU^R01", "dicom:CT", "Discharge letter", "fhir:Own"} {
		p := posting(i)
		p.First, p.Last, p.Kind = Day(i), Day(2*i), kind
		b, err := p.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var b [PlaintextSize]byte
		copy(b[:], data)
		p, err := decodePosting(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrLayout) {
				t.Error(err)
			}
			return
		}
		again, err := p.encode()
		if err != nil || again != b {
			t.Errorf("%x decodes to %+v, which encodes to %x, %v", b, p, again, err)
		}
		if ClipKind(p.Kind) != p.Kind {
			t.Errorf("kind %q of a posting would be clipped to %q", p.Kind, ClipKind(p.Kind))
		}
	})
}
