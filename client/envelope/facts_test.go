package envelope

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// deflated is what stands in the JSON for facts.
func deflated(t testing.TB, facts, dictionary string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, flate.BestCompression, []byte(dictionary))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(facts)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return `"` + base64.StdEncoding.EncodeToString(b.Bytes()) + `"`
}

// content is the JSON of good metadata of a format.
func content(t testing.TB, format int, facts string) string {
	t.Helper()
	m := testMetadata()
	m.Type, m.Format, m.Facts = typeRecord, format, json.RawMessage(facts)
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEnvelopeStrict encrypts text that an envelope must not hold; anybody can encrypt to
// a policy.
func TestEnvelopeStrict(t *testing.T) {
	id := newIdentity(t)
	open := func(text string) error {
		data, err := wrap([]byte(text), []age.Recipient{id.Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(data, testVersion(), id)
		return err
	}
	const facts = `{"Kind":"text"}`
	for format, good := range map[int]string{1: content(t, 1, deflated(t, facts, "")), 2: content(t, 2, deflated(t, facts, dictionary))} {
		if err := open(good); err != nil {
			t.Errorf("format %d: %v", format, err)
		}
		said := fmt.Sprintf(`"format":%d`, format)
		for name, bad := range map[string]string{
			"empty":         "",
			"not JSON":      "hello",
			"no object":     "[]",
			"cut":           good[:len(good)-1],
			"unknown field": strings.Replace(good, "{", `{"extra":1,`, 1),
			"second value":  good + " {}",
			"zeros":         good + "\x00",
			"another type":  strings.Replace(good, `"record"`, `"scope"`, 1),
			"no format":     strings.Replace(good, said, `"format":0`, 1),
			"later format":  strings.Replace(good, said, `"format":3`, 1),
			"short key":     strings.Replace(good, `"key":"AQEB`, `"key":"`, 1),
			"short salt":    strings.Replace(good, `"salt":"AgIC`, `"salt":"`, 1),
			"negative size": strings.Replace(good, `"size":6`, `"size":-6`, 1),
		} {
			if bad == good {
				t.Fatalf("%s: the case changes nothing", name)
			}
			if err := open(bad); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("%s, format %d: %v", name, format, err)
			}
		}
		for name, bad := range map[string]string{
			"no base64": `"!"`, "no text": `{}`, "null": `null`, "nothing": `""`, "not deflated": `"eyJLaW5kIjoidGV4dCJ9"`,
			"corrupt": `"AQUAAABoZWxsbw=="`, "more behind": strings.Replace(deflated(t, facts+"    ", ""), `"`, `"AAAA//8`, 1)[:12] + `"`,
			"too far back": deflated(t, "far", "")[:3] + `"`,
		} {
			if err := open(content(t, format, bad)); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("facts, %s, format %d: %v", name, format, err)
			}
		}
	}
	if err := open(content(t, 1, deflated(t, facts, dictionary))); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("facts with a dictionary that format 1 does not have: %v", err)
	}
}

// TestFormat1 reads facts as they were kept in format 1, and seals them as they are kept
// now.
func TestFormat1(t *testing.T) {
	const facts = `{"Kind":"text","Patients":null,"Keywords":["troponin"]}`
	old := content(t, 1, deflated(t, facts, ""))
	m, err := ParseMetadata([]byte(old + strings.Repeat(" ", 2048-len(old))))
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Facts) != facts || m.Format != 1 || len(m.Codes) != 1 || len(m.Keywords) != 1 {
		t.Errorf("got %+v with facts %s", m, m.Facts)
	}
	id := newIdentity(t)
	data, err := m.Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Open(data, testVersion(), id); err != nil || m.Format != 2 || string(m.Facts) != facts || m.Codes != nil || m.Partial {
		t.Errorf("sealed anew: %+v, %v", m, err)
	}
}

// TestBomb: facts that unpack to more than they may are given up where that shows.
func TestBomb(t *testing.T) {
	over := strings.Repeat(" ", maxFacts+1)
	for format, before := range map[int]string{1: "", 2: dictionary} {
		text := content(t, format, deflated(t, over, before))
		if len(text) > maxText {
			t.Fatalf("the bomb has %d bytes, and would not fit", len(text))
		}
		if _, err := ParseMetadata([]byte(text)); !errors.Is(err, ledger.ErrTampered) || !strings.Contains(err.Error(), "unpack to more") {
			t.Errorf("format %d: %v", format, err)
		}
	}
	m := testMetadata()
	m.Facts = json.RawMessage(`{"Kind":"` + strings.Repeat("x", maxFacts) + `"}`) // small when packed, but nobody could read it
	id := newIdentity(t)
	data, err := m.Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(data, testVersion(), id); err != nil || got.Facts != nil || !got.Partial || len(got.Codes) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestDictionary: it is part of the format for ever.
func TestDictionary(t *testing.T) {
	const frozen = "fca7f27b3e5a0c524a52cb182cfed7135fc1c2a3a925499e338dc3d0853cbfc3"
	if sum := sha256.Sum256([]byte(dictionary)); hex.EncodeToString(sum[:]) != frozen {
		t.Errorf("the dictionary of format 2 has changed: %x", sum)
	}
}

// TestEnvelopeSize shows that the size tells a bucket only, and that the smallest one
// holds 20 keywords of a usual text.
func TestEnvelopeSize(t *testing.T) {
	id := newIdentity(t)
	words := strings.Fields("troponin infarction thrombolysis hypertension atorvastatin metformin pneumonia cardiology admission discharge " +
		"aspirin clopidogrel angiography echocardiogram ventricular ejection fraction stenosis bifurcation creatinine")
	sizes := map[int]int{}
	for n := range len(words) + 1 {
		m := testMetadata()
		keywords, err := json.Marshal(words[:n])
		if err != nil {
			t.Fatal(err)
		}
		m.Facts = fmt.Appendf(nil, `{"Kind":"text","Patients":[{"System":"","Value":"MRN-1"}],"Keywords":%s}`, keywords)
		m.Keywords = words[:n]
		data, err := m.Seal(id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		text, err := unwrap(data, []age.Identity{id})
		if err != nil {
			t.Fatal(err)
		}
		sizes[len(text)]++
	}
	if len(sizes) != 1 || sizes[minText] == 0 {
		t.Errorf("texts with 0 to 20 keywords, by size: %v", sizes)
	}
	for n := 1; n <= maxText; n++ {
		if b := bucket(n); b < n || b > maxText || b != maxText && (b%minText != 0 || b/minText&(b/minText-1) != 0 || b > minText && b >= 2*n) {
			t.Fatalf("bucket(%d) = %d", n, b)
		}
	}
}

// TestEnvelopeRich: very rich metadata fits, first without its facts and then without
// some of its lists.
func TestEnvelopeRich(t *testing.T) {
	id := newIdentity(t)
	m := testMetadata()
	var facts []string
	for i := range 20000 {
		m.Codes = append(m.Codes, fmt.Sprint("snomed:", i))
		m.Keywords = append(m.Keywords, fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i))))
		facts = append(facts, m.Keywords[len(m.Keywords)-1])
	}
	var err error
	if m.Facts, err = json.Marshal(facts); err != nil {
		t.Fatal(err)
	}
	data, err := m.Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(data, testVersion(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Partial || got.Facts != nil || len(got.Codes) == 0 || len(got.Keywords) == 0 || got.Patient != "MRN-1" {
		t.Errorf("partial %v, %d codes, %d keywords", got.Partial, len(got.Codes), len(got.Keywords))
	}
	if len(m.Codes) != 20001 || m.Facts == nil {
		t.Error("sealing shortened the caller's metadata")
	}
	m.Dates, m.Codes, m.Keywords, m.Facts, m.Name = nil, nil, nil, nil, strings.Join(facts, "")
	if _, err := m.Seal(id.Recipient()); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a name that does not fit: %v", err)
	}
}

// FuzzParseMetadata: whatever is read can be sealed again and then says the same;
// anything else is ErrTampered.
func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(content(f, 1, "")))
	f.Add([]byte(content(f, 1, deflated(f, `{"Kind":"text"}`, ""))))
	f.Add([]byte(content(f, 2, deflated(f, `{"Kind":"text"}`, dictionary)) + "  "))
	f.Add([]byte(content(f, 2, `"AQIA/f97fQ=="`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMetadata(data)
		if err != nil {
			if !errors.Is(err, ledger.ErrTampered) {
				t.Error(err)
			}
			return
		}
		again := *m
		again.Format = recordFormat
		text, err := again.text()
		if err != nil {
			return // nobody could have sealed as much
		}
		back, err := ParseMetadata(text)
		if err != nil {
			t.Fatalf("%+v: sealed again it cannot be read: %v", m, err)
		}
		if back.Record != m.Record || back.Version != m.Version || back.CID != m.CID || !bytes.Equal(back.Key, m.Key) || !bytes.Equal(back.Salt, m.Salt) ||
			!back.Partial && !bytes.Equal(back.Facts, m.Facts) {
			t.Errorf("%+v became %+v", m, back)
		}
	})
}
