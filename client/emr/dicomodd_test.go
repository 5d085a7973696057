package emr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// dicomDataSetOf is the data set of a file.
func dicomDataSetOf(syntax string) []byte {
	return bytes.TrimPrefix(dicomFile(syntax), []byte(dicomFileHead(syntax)))
}

// dicomFileHead is the beginning of a file, up to its data set.
func dicomFileHead(syntax string) string {
	meta := dicomWriter{order: binary.LittleEndian}
	meta.element(0x00020010, "UI", syntax)
	w := dicomWriter{order: binary.LittleEndian}
	w.Write(make([]byte, 128))
	w.WriteString("DICM")
	w.header(0x00020000, "UL", 4)
	w.Write(binary.LittleEndian.AppendUint32(nil, uint32(meta.Len())))
	w.Write(meta.Bytes())
	return w.String()
}

// A file is read as it is written, whatever it names, and without what should be before.
func TestDICOMInAnotherSyntaxThanNamed(t *testing.T) {
	syntaxes := []string{explicitLittleEndian, implicitLittleEndian, explicitBigEndian, deflatedLittleEndian}
	for _, named := range append(syntaxes, "1.2.840.10008.1.2.4.50", "1.2.3") {
		for _, written := range syntaxes {
			head := dicomFileHead(named)
			for name, in := range map[string]string{"whole": head, "no preamble": head[128:], "no prefix": head[:128] + head[132:], "meta group first": head[132:]} {
				doc, err := Extract(t.Context(), strings.NewReader(in+string(dicomDataSetOf(written))))
				if err != nil || show(doc) != dicomFacts {
					t.Errorf("%s, named %s, written %s: %v\n%s", name, named, written, err, show(doc))
				}
			}
		}
	}
	for _, syntax := range syntaxes[:3] {
		for name, head := range map[string]string{"nothing before": "", "preamble only": strings.Repeat("\x00", 128)} {
			doc, err := Extract(t.Context(), strings.NewReader(head+string(dicomDataSetOf(syntax))))
			if err != nil || show(doc) != dicomFacts {
				t.Errorf("%s, %s: %v\n%s", name, syntax, err, show(doc))
			}
		}
	}
}

// Deflated elements may have the header of zlib, and dates dots, as some programs write.
func TestDICOMWithZlibAndOldDates(t *testing.T) {
	w := dicomWriter{order: binary.LittleEndian}
	w.element(0x00080020, "DA", "2025.03.02")
	w.element(0x00100020, "LO", "D-1")
	w.element(0x00100030, "DA", "1961.07.04")
	var packed bytes.Buffer
	deflatedWith(zlib.NewWriter(&packed), &w.Buffer)
	for _, syntax := range []string{deflatedLittleEndian, explicitLittleEndian} {
		doc, err := Extract(t.Context(), strings.NewReader(dicomFileHead(syntax)+packed.String()))
		terms := termsOf(doc)
		for _, want := range []string{"patient:d-1", "date:2025-03-02", "born:1961-07-04"} {
			if err != nil || !slices.Contains(terms, want) {
				t.Errorf("%s: no %s: %v\n%s", syntax, want, err, show(doc))
			}
		}
	}
}

// After an odd element reading goes on.
func TestDICOMOddElements(t *testing.T) {
	le := binary.LittleEndian
	raw := func(parts ...string) string { return strings.Join(parts, "") }
	element := func(implicit bool, tag uint32, vr, value string) string {
		w := dicomWriter{order: le, implicit: implicit}
		w.element(tag, vr, value)
		return w.String()
	}
	header := func(implicit bool, tag uint32, vr string, length uint32) string {
		w := dicomWriter{order: le, implicit: implicit}
		w.header(tag, vr, length)
		return w.String()
	}
	explicit := func(tag uint32, vr, value string) string { return element(false, tag, vr, value) }
	code := func(implicit bool, code string) string {
		return element(implicit, 0x00080100, "SH", code) + element(implicit, 0x00080102, "SH", "SCT")
	}
	item := func(content string) string { return header(false, tagItem, "", uint32(len(content))) + content }
	openItem := header(false, tagItem, "", undefinedLength)
	itemEnd, sequenceEnd := header(false, tagItemEnd, "", 0), header(false, tagSequenceEnd, "", 0)
	sequence := func(tag uint32, vr, content string) string {
		return header(false, tag, vr, uint32(len(content))) + content
	}
	start := dicomFileHead(explicitLittleEndian) + explicit(0x00080005, "CS", "ISO_IR 192") + explicit(0x00080060, "CS", "CT")
	end := explicit(0x00100020, "LO", "PID-9")
	for name, c := range map[string]struct {
		in    string
		codes string // that are found
	}{
		"UN without length, implicit items":  {raw(header(false, 0x00091010, "UN", undefinedLength), openItem, code(true, "1"), itemEnd, sequenceEnd), "1"},
		"UN without length, explicit items":  {raw(header(false, 0x00091010, "UN", undefinedLength), openItem, code(false, "2"), itemEnd, sequenceEnd), "2"},
		"UN with length, implicit items":     {sequence(0x00081032, "UN", item(code(true, "3"))), "3"},
		"UN with length, explicit items":     {sequence(0x00081032, "UN", item(code(false, "4"))), "4"},
		"UN in UN":                           {raw(header(false, 0x00091010, "UN", undefinedLength), openItem, header(true, 0x00091011, "", undefinedLength), openItem, code(true, "5"), itemEnd, sequenceEnd, itemEnd, sequenceEnd), "5"},
		"UN that looks like a sequence":      {sequence(0x00091010, "UN", raw(header(false, tagItem, "", 16), "\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef")), ""},
		"OB with a sequence":                 {sequence(0x00081032, "OB", item(code(true, "6"))), "6"},
		"unknown VR":                         {strings.Replace(explicit(0x00081030, "LO", "Title"), "LO", "??", 1), ""},
		"no VR":                              {strings.Replace(explicit(0x00081030, "LO", "Title"), "LO", "\x00\x00", 1), ""},
		"VR of a later edition":              {strings.Replace(explicit(0x00081030, "LO", "Title"), "LO", "ZZ", 1), ""},
		"long VR with a short length":        {raw("\x08\x00\x30\x10UT\x06\x00", "Title "), ""},
		"implicit element":                   {element(true, 0x00081030, "", "Title"), ""},
		"sequence of another VR":             {raw(header(false, 0x00081032, "SQ", undefinedLength), openItem, code(false, "7"), itemEnd, sequenceEnd), "7"},
		"SQ of text":                         {sequence(0x00081032, "SQ", "some text that is no item"), ""},
		"element longer than its item":       {sequence(0x00081032, "SQ", item(code(false, "8")+header(false, 0x00080104, "LO", 5000))), "8"},
		"item longer than its sequence":      {sequence(0x00081032, "SQ", header(false, tagItem, "", 5000)+code(false, "9")), "9"},
		"no end of an item":                  {raw(header(false, 0x00081032, "SQ", undefinedLength), openItem, code(false, "10"), sequenceEnd), "10"},
		"no end of two items":                {raw(header(false, 0x00081032, "SQ", undefinedLength), openItem, code(false, "11"), openItem, code(false, "12"), sequenceEnd), "11 12"},
		"no end of a sequence":               {raw(header(false, 0x00081032, "SQ", undefinedLength), openItem, code(false, "13"), itemEnd), "13"},
		"ends of nothing":                    {raw(itemEnd, sequenceEnd), ""},
		"icon in fragments":                  {raw(header(false, 0x00880200, "SQ", undefinedLength), openItem, header(false, 0x7fe00010, "OB", undefinedLength), item(""), item("pixels"), sequenceEnd, itemEnd, sequenceEnd), ""},
		"large icon":                         {sequence(0x00880200, "SQ", item(sequence(0x7fe00010, "OW", strings.Repeat("pi", 70<<10)))), ""},
		"long code":                          {sequence(0x00081032, "SQ", item(explicit(0x00080102, "SH", "SCT")+sequence(0x00080119, "UC", "169069000999999107"))), "169069000999999107"},
		"URN code":                           {sequence(0x00081032, "SQ", item(sequence(0x00080120, "UR", "urn:x:14"))), "urn:x:14"},
		"code without a scheme":              {sequence(0x00081032, "SQ", item(explicit(0x00080100, "SH", "15"))), "15"},
		"private sequence":                   {sequence(0x00091010, "SQ", item(code(false, "16"))), "16"},
		"deep sequences of defined length":   {deepSequence(sequence, item, code(false, "17"), 40), "17"},
		"implicit VR item in an explicit SQ": {sequence(0x00081032, "SQ", item(code(true, "18"))), "18"},
	} {
		doc, err := Extract(t.Context(), strings.NewReader(start+c.in+end))
		var codes []string
		for _, x := range doc.Codes {
			codes = append(codes, x.Code)
		}
		if err != nil || strings.Join(codes, " ") != c.codes || len(doc.Patients) != 1 || doc.Patients[0].Value != "PID-9" {
			t.Errorf("%s: %v\n%s", name, err, show(doc))
		}
	}
}

func deepSequence(sequence func(uint32, string, string) string, item func(string) string, content string, depth int) string {
	for range depth {
		content = sequence(0x00081032, "SQ", item(content))
	}
	return content
}

// All groups of a name are names, in all character sets.
func TestDICOMNames(t *testing.T) {
	w := dicomWriter{order: binary.LittleEndian}
	w.WriteString(dicomFileHead(explicitLittleEndian))
	w.element(0x00080005, "CS", `\ISO 2022 IR 87`)
	w.element(0x00081050, "PN", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B")
	doc, err := Extract(t.Context(), &w.Buffer)
	if got := strings.Join(doc.Authors, ", "); err != nil || got != "Tarou Yamada, 山田 太郎, やまだ たろう" {
		t.Errorf("%v %s", err, got)
	}
}

// The patient's own identifier is the first one, and has both halves of its issuer.
func TestDICOMPatientIdentifiers(t *testing.T) {
	w := dicomWriter{order: binary.LittleEndian}
	w.WriteString(dicomFileHead(explicitLittleEndian))
	nest := func(tag uint32, content func(*dicomWriter)) func(*dicomWriter) {
		return func(w *dicomWriter) {
			inner := dicomWriter{order: binary.LittleEndian}
			content(&inner)
			w.header(tag, "SQ", uint32(inner.Len()+8))
			w.header(tagItem, "", uint32(inner.Len()))
			w.Write(inner.Bytes())
		}
	}
	w.element(0x00080060, "CS", "CT")
	w.element(0x00100020, "LO", "1")
	w.element(0x00100021, "LO", "Anna")
	nest(0x00100024, func(w *dicomWriter) { w.element(0x00400032, "UT", "1.2.3") })(&w)
	nest(0x00101002, func(w *dicomWriter) {
		w.element(0x00100020, "LO", "2")
		w.element(0x00100021, "LO", "Bert")
	})(&w)
	doc, err := Extract(t.Context(), &w.Buffer)
	if want := "dicom:CT application/dicom\npatient Anna|1\npatient 1.2.3|1\npatient Bert|2\nmodality CT\n"; err != nil || show(doc) != want {
		t.Errorf("%v\n%s", err, show(doc))
	}
}
