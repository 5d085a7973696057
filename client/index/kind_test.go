package index

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The kinds that records have by themselves are shown as they are.
func TestKindsOfFormatsFitExactly(t *testing.T) {
	kinds := []string{
		"", "text", "pdf", "json", "ccda", "dicom", "hl7v2", "xml", "bin", "ECG", "büro", "fhir:ndjson", "fhir:Observation", "fhir:Account",
		"fhir:VisionPrescription", "fhir:MedicinalProductUndesirableEffect", "fhir:Transport", "fhir:ServiceDefinition", "fhir:DiagnosticOrder",
	}
	for _, message := range strings.Fields("ACK ADT BAR DFT MDM NMD OML ORM ORU OUL QBP RDE RSP SIU VXU Z01 ZZZ") {
		kinds = append(kinds, "hl7v2:"+message)
		for _, event := range strings.Fields("A01 A60 K11 M14 N02 O21 P03 PC9 R01 S26 T02 V04 W01 Z99 000") {
			kinds = append(kinds, "hl7v2:"+message+"^"+event)
		}
	}
	for _, modality := range strings.Fields(`ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL
		IVOCT IVUS KER KO LEN LS MG MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE
		RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
		AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF`) {
		kinds = append(kinds, "dicom:"+modality)
	}
	seen := make(map[[kindSize]byte]string)
	for _, kind := range append(kinds, kindNames...) {
		if got := ClipKind(kind); got != kind {
			t.Errorf("%q is shown as %q", kind, got)
		}
		b := encodeKind(kindForms, kind)
		if other, ok := seen[b]; ok && other != kind {
			t.Errorf("%q and %q have the same bytes", kind, other)
		}
		seen[b] = kind
	}
}

func TestOtherKindsAreClippedAndSaySo(t *testing.T) {
	for kind, want := range map[string]string{
		"Discharge letter":         "Disc…",
		"letter":                   "lett…",
		"Ärzte":                    "Ärz…",
		"aaaé!":                    "aaa…",
		"日本語":                      "日…",
		"fhir:Own":                 "fhir:Own…",
		"fhir:observation":         "fhir:obse…",
		"fhir:":                    "fhir:",
		"fhir:x":                   "fhir:x…",
		"hl7v2:oru^r01":            "hl7v2:oru^…",
		"hl7v2:ORU^":               "hl7v2:ORU^…",
		"hl7v2:^R01":               "hl7v2:^R01…",
		"hl7v2:ORUX^R01":           "hl7v2:ORUX…",
		"dicom:":                   "dicom:…",
		"dicom:ct":                 "dicom:ct…",
		"dicom:LONGNAME":           "dicom:LONG…",
		"one\x00two\xff\nthree":    "onet…",
		"…":                        "…",
		"a…":                       "a…",
		"Disc…":                    "Disc…",
		"fhir:Observation…":        "fhir:Obse…",
		strings.Repeat("x", 1<<16): "xxxx…",
	} {
		got := ClipKind(kind)
		if got != want {
			t.Errorf("%.40q is shown as %q, want %q", kind, got, want)
		}
		if !isClipped(got) && got != kind {
			t.Errorf("%.40q is shown as %q, without a mark", kind, got)
		}
	}
}

// newerForms is the table of a later version: a name more, and two forms for a format of
// its own.
var newerForms = func() []kindForm {
	packCode := func(rest string) (uint32, bool) {
		n, err := strconv.ParseUint(rest, 10, 32)
		return uint32(n), err == nil && strconv.FormatUint(n, 10) == rest
	}
	unpackCode := func(n uint32) (string, bool) { return strconv.FormatUint(uint64(n), 10), true }
	forms := append(slices.Clone(kindForms), kindForm{"a:", packCode, unpackCode, false}, kindForm{"a:", packStart, unpackStart, true})
	forms[1] = nameForm(append(slices.Clone(kindNames), "fhir:NewThing"))
	return forms
}()

// A kind that is added later gets a place, and no stored kind loses its own.
func TestKindCanBeAdded(t *testing.T) {
	for kind, want := range map[string]string{
		"fhir:NewThing":  "fhir:NewThing",
		"a:837":          "a:837", // has room as it is, as before
		"a:123456":       "a:123456",
		"a:claims":       "a:clai…",
		"a:日本":           "a:日…",
		"a:bc\U0001F600": "a:bc…",
		"fhir:Own":       "fhir:Own…",
	} {
		if got := clipKind(newerForms, kind); got != want {
			t.Errorf("%q is shown as %q, want %q", kind, got, want)
		}
	}
	for _, kind := range []string{"", "text", "a:837", "a:123456", "a:claims", "a:日本", "a:…", "a:b…", "a:bc…", "…", "fhir:Observation", "fhir:NewThing",
		"fhir:Own", "hl7v2:ORU^R01", "hl7v2:ORUX", "dicom:CT", "dicom:RTSTRUCT", "Discharge letter"} {
		before := encodeKind(kindForms, kind)
		shown, err := decodeKind(newerForms, before)
		if err != nil || encodeKind(newerForms, shown) != before {
			t.Errorf("%q: a newer version reads %q, and stores that as %x instead of %x (%v)", kind, shown, encodeKind(newerForms, shown), before, err)
		}
		if old, err := decodeKind(kindForms, before); err != nil || old != shown {
			t.Errorf("%q: the newer version reads %q, the older %q (%v)", kind, shown, old, err)
		}
	}
	for i, name := range kindNames {
		for _, f := range kindForms[2:] {
			if rest, ok := strings.CutPrefix(name, f.prefix); ok && !f.cut {
				if _, ok := f.pack(rest); ok {
					t.Errorf("name %d, %s, fits in another form: it needs no number", i+1, name)
				}
			}
		}
		if len(name) <= kindSize {
			t.Errorf("name %d, %s, needs no number", i+1, name)
		}
	}
}

// The numbers of names are for ever.
func TestKindNumbers(t *testing.T) {
	for name, want := range map[string]uint32{"fhir:ndjson": 1, "fhir:Account": 2, "fhir:VisionPrescription": 147, "fhir:Transport": 179,
		"fhir:ServiceDefinition": 199, "dicom:CTPROTOCOL": 200, "dicom:XAPROTOCOL": 207} {
		if got, ok := kindForms[1].pack(name); !ok || got != want {
			t.Errorf("%s has number %d, want %d", name, got, want)
		}
	}
	if len(suiteKinds) != 207 {
		t.Errorf("%d names in the suite: new ones belong into laterKinds", len(suiteKinds))
	}
}

// An older version shows a later kind as unknown, keeps its bytes, and does not judge by
// it: a search finds the record by the term of its kind.
func TestLaterKindInAnOlderVersion(t *testing.T) {
	ledger := newMemory()
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
	for i, kind := range []string{"fhir:NewThing", "a:123456", "a:claims"} {
		p := posting(i)
		plain, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		stored := encodeKind(newerForms, kind)
		copy(plain[PlaintextSize-kindSize:], stored[:])
		if p, err = decodePosting(plain); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if want := fmt.Sprintf("#%x…", stored); p.Kind != want || !isClipped(p.Kind) || ClipKind(p.Kind) != p.Kind {
			t.Errorf("%s is shown as %q, want %q", kind, p.Kind, want)
		}
		if again, err := p.encode(); err != nil || again != plain {
			t.Errorf("%s: stored again as %x, want %x (%v)", kind, again, plain, err)
		}
		if newer, err := decodeKind(newerForms, stored); err != nil || newer != clipKind(newerForms, kind) {
			t.Errorf("%s: the newer version reads %q (%v)", kind, newer, err)
		}
		// The writer of the later version writes the terms of the kind that it knows.
		var items []Item
		for _, term := range append(kindTerms(kind), "word:x") {
			items = append(items, Item{term, p})
		}
		if _, err := w.Put(t.Context(), testKey, items); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"kind:fhir:NewThing": 1, "kind:newthing": 1, "x and kind:newthing": 1, "x and kind:fhir": 1,
		"x and kind:a": 2, "x and not kind:a": 1, "x and kind:claims": 1, "x and kind:text": 0} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		session := (&Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals}).Session([]ScopeKey{testKey})
		hits, err := q.Evaluate(t.Context(), session)
		if err != nil || len(hits) != want || len(session.Problems()) > 0 {
			t.Errorf("%s: %d hits, want %d (%v, %v)", query, len(hits), want, err, session.Problems())
		}
	}
}

// Whatever the kind, what a posting shows is the kind itself or a marked beginning of it,
// and does not change when it is written again.
func FuzzClipKind(f *testing.F) {
	for _, s := range []string{"", "text", "fhir:Observation", "hl7v2:ADT^A01", "dicom:RTSTRUCT", "Discharge letter", "größer", "\x01", "a…"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, kind string) {
		got := ClipKind(kind)
		if again := ClipKind(got); again != got || !utf8.ValidString(got) || !isKind(got) {
			t.Errorf("%q is shown as %q, and that as %q", kind, got, again)
		}
		if !isKind(kind) {
			return
		}
		if start, cut := strings.CutSuffix(got, cutMark); got != kind && !(cut && strings.HasPrefix(kind, start)) {
			t.Errorf("%q is shown as %q", kind, got)
		}
	})
}

// What a record is found by, and what it is not, in terms and by its posting alone. A
// posting whose kind was cut does not decide.
func TestQueriesForKinds(t *testing.T) {
	for _, c := range []struct {
		kind, find, not string
		terms           int
		clipped         bool
	}{
		{kind: "fhir:Observation", find: "fhir, fhir:Observation, Observation, OBSERVATION", not: "fhir:Condition, hl7v2, obs", terms: 2},
		{kind: "hl7v2:ORU^R01", find: "hl7v2, hl7v2:ORU^R01, ORU^R01, oru, hl7v2:ORU", not: "r01, adt, oru^r02, fhir:oru", terms: 3},
		{kind: "hl7v2:ACK", find: "hl7v2, ack, hl7v2:ack", not: "oru", terms: 2},
		{kind: "dicom:CT", find: "dicom, dicom:CT, ct", not: "mr, fhir", terms: 3},
		{kind: "dicom:ECG", find: "dicom, dicom:ECG, ecg", not: "hl7v2:ecg", terms: 3},
		{kind: "fhir:Own", find: "fhir, fhir:own, own", not: "observation", terms: 3, clipped: true},
		{kind: "letter:oru", find: "letter, letter:oru, oru", not: "hl7v2", terms: 3, clipped: true},
		{kind: "Discharge letter", find: "discharge letter", not: "letter", terms: 1, clipped: true},
		{kind: "hl7v2:ORU^LONG", find: "hl7v2, oru, hl7v2:oru, oru^long", not: "long", terms: 4, clipped: true},
		{kind: "pdf", find: "pdf", not: "hl7v2, hl7v2:pdf", terms: 1},
	} {
		terms := kindTerms(c.kind)
		if len(terms) != c.terms {
			t.Errorf("%s: terms %q", c.kind, terms)
		}
		hit := Hit{Posting: Posting{Kind: ClipKind(c.kind)}}
		for want, values := range map[bool]string{true: c.find, false: c.not} {
			for value := range strings.SplitSeq(values, ", ") {
				asked := kindQuery(value)
				if got := slices.ContainsFunc(asked, func(q Term) bool { return slices.Contains(terms, q) }); got != want {
					t.Errorf("%s is found by %s: %v", c.kind, value, got)
				}
				verdict := checkKind(asked)(hit)
				if verdict == unsure && c.clipped || verdict == yes && want || verdict == no && !want {
					continue
				}
				t.Errorf("a posting of %s for %s: %v", c.kind, value, verdict)
			}
		}
	}
}

func ExampleClipKind() {
	fmt.Println(ClipKind("hl7v2:ORU^R01"), ClipKind("fhir:Observation"), ClipKind("Discharge letter"))
	// Output: hl7v2:ORU^R01 fhir:Observation Disc…
}
