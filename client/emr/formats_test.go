package emr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// An ECG file of a made-up format: a line "ECG1", then the patient, then the date.
var ecg = format{
	name: "ECG", mediaType: "application/x-ecg", kind: "ecg", limit: 1 << 20,
	recognise: func(head []byte) strength {
		if bytes.HasPrefix(head, []byte("ECG1\n")) {
			return signature
		}
		return unlike
	},
	read: func(in *input, b *builder) error {
		if line, err := in.Peek(8); err == nil && string(line[5:]) == "no\n" {
			return errDeclined
		}
		text, err := io.ReadAll(in)
		fields := strings.Split(string(text), "\n")
		if len(fields) < 3 {
			return io.ErrUnexpectedEOF
		}
		b.patient("", fields[1])
		b.date(fields[2])
		return err
	},
}

// A format is a line of the table: appended to a copy, it takes its records and no
// others.
func TestFormatCanBeAdded(t *testing.T) {
	table := append(slices.Clone(formats), ecg)
	for in, want := range map[string]string{
		"ECG1\nMRN-7\n2019-03-14\n": "ecg application/x-ecg\npatient |MRN-7\ndate 2019-03-14\n",
		"ECG1\n":                    "ecg application/x-ecg\nwarning ECG: malformed or cut off: the rest was not read\n",
		"ECG1\nno\n2019-03-14":      "text text/plain\ndate 2019-03-14\ntitle ECG1\n", // declined: the text reader sees all of it
		"ECG of 2019-03-14":         "text text/plain\ndate 2019-03-14\ntitle ECG of 2019-03-14\n",
	} {
		doc, err := extract(t.Context(), table, baseWork, strings.NewReader(in))
		if err != nil || show(doc) != want {
			t.Errorf("%q: %v\n%s\nwant\n%s", in, err, show(doc), want)
		}
	}
	for _, in := range []string{observation, cda, oru, pdfFile, string(dicomFile(explicitLittleEndian)), "text", "\x00"} {
		want, err := Extract(t.Context(), strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if doc, err := extract(t.Context(), table, baseWork, strings.NewReader(in)); err != nil || show(doc) != show(want) {
			t.Errorf("%.20q: %v\n%s\nwant\n%s", in, err, show(doc), show(want))
		}
	}
}

// Within the limit of its line a format is read; what comes after is named in a warning.
func TestFormatHasALimit(t *testing.T) {
	short := ecg
	short.limit = 1 << 20
	in := "ECG1\n1\n2019-03-14\n" + strings.Repeat("x", 2<<20)
	doc, err := extract(t.Context(), []format{short}, baseWork, strings.NewReader(in))
	if want := "ecg application/x-ecg\npatient |1\ndate 2019-03-14\nwarning only the first 1 MiB were read for the index\n"; err != nil || show(doc) != want {
		t.Errorf("%v\n%s", err, show(doc))
	}
}

// A nameWalker takes the names of elements, for a made-up type of XML document.
type nameWalker struct{ b *builder }

func (w nameWalker) start(e xml.StartElement) { w.b.title(e.Name.Local) }
func (nameWalker) text(string)                {}
func (nameWalker) end()                       {}

// A document type in XML is a line of a table too.
func TestXMLFormatCanBeAdded(t *testing.T) {
	added := append(slices.Clone(xmlFormats), xmlFormat{
		recognise: func(root xml.Name) bool { return root.Local == "referral" },
		walker: func(b *builder, _ xml.Name) xmlWalker {
			b.doc.Kind = "ref"
			return nameWalker{b}
		},
	})
	table := slices.Clone(formats)
	i := slices.IndexFunc(table, func(f format) bool { return f.name == "XML" })
	table[i].read = readXML(added)
	for in, want := range map[string]string{
		"<referral><to/></referral>": "ref text/xml\ntitle referral\ntitle to\n",
		"<a/>":                       "xml text/xml\n" + bare,
		cda:                          "ccda text/xml\n" + cdaFacts,
	} {
		if doc, err := extract(t.Context(), table, baseWork, strings.NewReader(in)); err != nil || show(doc) != want {
			t.Errorf("%.20q: %v\n%s\nwant\n%s", in, err, show(doc), want)
		}
	}
}

// Every line of the table is complete, and some line takes every record.
func TestFormatsAreComplete(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range formats {
		if f.name == "" || f.mediaType == "" || f.kind == "" || f.recognise == nil || f.read == nil || names[f.name] {
			t.Errorf("line %q is incomplete, or there twice", f.name)
		}
		names[f.name] = true
		if s := f.recognise(nil); s > anyBytes {
			t.Errorf("%s recognises nothing at all as its own", f.name)
		}
	}
	work := newBudget(t.Context().Err, baseWork)
	last := formats[len(formats)-1]
	if last.recognise(nil) != anyBytes || errors.Is(last.read(newInput(strings.NewReader(""), work), newBuilder("", "", work)), errDeclined) {
		t.Errorf("%s does not take every record", last.name)
	}
}

// A record that yields nothing but its kind says so, once.
func TestBareRecordsWarn(t *testing.T) {
	for _, in := range []string{"", "\x00\x01", "[1]", "<a/>", "...", "%PDF-1.4\n", `{"resourceType":"Binary"}`, "<ClinicalDocument/>", "MSH|^~\\&|", gzipped("[1]"), "PK\x03\x04" + strings.Repeat("x", 99)} {
		doc, err := Extract(t.Context(), strings.NewReader(in))
		if err != nil || !doc.Bare() || len(doc.Warnings) != 1 {
			t.Errorf("%q: %v\n%s", in, err, show(doc))
		}
	}
	if doc, err := Extract(t.Context(), strings.NewReader("a letter")); err != nil || doc.Bare() || len(doc.Warnings) > 0 {
		t.Errorf("%v\n%s", err, show(doc))
	}
}
