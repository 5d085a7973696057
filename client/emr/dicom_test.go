package emr

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

const explicitLittleEndian = "1.2.840.10008.1.2.1"

// dicomWriter makes elements in one transfer syntax.
type dicomWriter struct {
	bytes.Buffer
	order    binary.AppendByteOrder
	implicit bool
}

func (w *dicomWriter) element(tag uint32, vr, value string) {
	if len(value)%2 == 1 {
		value += " "
	}
	w.header(tag, vr, uint32(len(value)))
	w.WriteString(value)
}

func (w *dicomWriter) header(tag uint32, vr string, length uint32) {
	b := w.order.AppendUint16(nil, uint16(tag>>16))
	b = w.order.AppendUint16(b, uint16(tag))
	switch {
	case w.implicit || tag>>16 == groupItems:
		b = w.order.AppendUint32(b, length)
	case vr == "SQ" || vr == "OB" || vr == "OW" || vr == "UN":
		b = w.order.AppendUint32(append(b, vr[0], vr[1], 0, 0), length)
	default:
		b = w.order.AppendUint16(append(b, vr...), uint16(length))
	}
	w.Write(b)
}

// dicomFile makes a small file with sequences of both kinds.
func dicomFile(syntax string) []byte {
	meta := dicomWriter{order: binary.LittleEndian}
	meta.element(0x00020010, "UI", syntax)
	file := dicomWriter{order: binary.LittleEndian}
	file.Write(make([]byte, 128))
	file.WriteString("DICM")
	file.header(0x00020000, "UL", 4)
	file.Write(binary.LittleEndian.AppendUint32(nil, uint32(meta.Len())))
	file.Write(meta.Bytes())

	w := dicomWriter{order: binary.LittleEndian, implicit: syntax == implicitLittleEndian}
	if syntax == explicitBigEndian {
		w.order = binary.BigEndian
	}
	w.element(0x00080005, "CS", "ISO_IR 100")
	w.element(0x00080020, "DA", "20190314")
	w.element(0x00080060, "CS", "CT")
	w.element(0x00080080, "LO", "Klinik M\xfcnchen")
	w.element(0x00081030, "LO", "Thorax")
	w.header(0x00081032, "SQ", undefinedLength) // procedure code sequence
	w.header(tagItem, "", undefinedLength)
	w.element(0x00080100, "SH", "P5-09024")
	w.element(0x00080102, "SH", "SRT")
	w.header(0xfffee00d, "", 0)
	w.header(0xfffee0dd, "", 0)
	w.element(0x00081050, "PN", "HOUSE^GREGORY^^Dr=x=y")
	w.element(0x00091001, "UN", "private \x00 bytes")
	w.element(0x00100010, "PN", "DOE^JANE")
	w.element(0x00100020, "LO", "PID-1")
	w.element(0x00100021, "LO", "Hospital")
	w.element(0x00100030, "DA", "19590203")
	var item dicomWriter
	item.order, item.implicit = w.order, w.implicit
	item.element(0x00080100, "SH", "22298006")
	item.element(0x00080102, "SH", "SCT")
	w.header(0x00400260, "SQ", uint32(item.Len()+8))
	w.header(tagItem, "", uint32(item.Len()))
	w.Write(item.Bytes())
	w.header(0x7fe00010, "OW", 1<<31)
	w.WriteString("pixels that are not all here")
	if syntax != deflatedLittleEndian {
		file.Write(w.Bytes())
		return file.Bytes()
	}
	z, err := flate.NewWriter(&file, 9)
	if err != nil {
		panic(err)
	}
	z.Write(w.Bytes())
	z.Close()
	return file.Bytes()
}

const dicomFacts = `dicom:CT application/dicom
patient Hospital|PID-1
born 1959-02-03
code SRT|P5-09024
code SCT|22298006
date 2019-03-14
author GREGORY HOUSE
author x
author y
org Klinik München
title Thorax
modality CT
`

func TestDICOM(t *testing.T) {
	for _, syntax := range []string{explicitLittleEndian, implicitLittleEndian, explicitBigEndian, deflatedLittleEndian} {
		doc, err := Extract(t.Context(), bytes.NewReader(dicomFile(syntax)))
		if err != nil || show(doc) != dicomFacts {
			t.Errorf("%s: %v\n%s", syntax, err, show(doc))
		}
	}
	whole := dicomFile(explicitLittleEndian)
	for n := range whole[:len(whole)-40] {
		doc, err := Extract(t.Context(), bytes.NewReader(whole[:n]))
		if err != nil || n > 200 && !strings.HasPrefix(doc.Kind, "dicom") {
			t.Fatalf("cut at %d: %v\n%s", n, err, show(doc))
		}
	}
}

// An element that claims gigabytes costs nothing.
func TestDICOMWildLength(t *testing.T) {
	w := dicomWriter{order: binary.LittleEndian}
	w.Write(dicomFile(explicitLittleEndian)[:132])
	w.element(0x00020010, "UI", implicitLittleEndian)
	w.implicit = true
	w.header(0x00100020, "", 0xfffffff0)
	w.WriteString("PID")
	peak := watch(t, func() {
		doc, err := Extract(t.Context(), &w.Buffer)
		if err != nil || len(doc.Warnings) != 1 || doc.Kind != "dicom" {
			t.Errorf("%v\n%s", err, show(doc))
		}
	})
	if peak > 8<<20 {
		t.Errorf("took %d MiB", peak>>20)
	}
}

// Our reader and a full parser agree on real files.
func TestDICOMAgreesWithParser(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/dicom/*.dcm")
	if len(files) == 0 {
		t.Skip("no sample files here; TestDICOM makes its own")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		set, err := dicom.Parse(bytes.NewReader(data), int64(len(data)), nil, dicom.SkipPixelData(), dicom.AllowMissingMetaElementGroupLength())
		if err != nil {
			t.Logf("%s: the parser gives up: %v", filepath.Base(file), err)
			continue
		}
		doc, err := Extract(t.Context(), bytes.NewReader(data))
		if err != nil || len(doc.Warnings) > 0 {
			t.Errorf("%s: %v %v", file, err, doc.Warnings)
		}
		value := func(tg tag.Tag) string {
			e, err := set.FindElementByTag(tg)
			if err != nil {
				return ""
			}
			if s, ok := e.Value.GetValue().([]string); ok && len(s) > 0 {
				return strings.TrimSpace(s[0])
			}
			return ""
		}
		if m := value(tag.Modality); m != "" && doc.Kind != "dicom:"+m {
			t.Errorf("%s: kind %s, modality %s", file, doc.Kind, m)
		}
		if id := value(tag.PatientID); id != "" && (len(doc.Patients) == 0 || doc.Patients[0].Value != id) {
			t.Errorf("%s: patients %v, want %s", file, doc.Patients, id)
		}
		if d := value(tag.StudyDate); len(d) == 8 {
			want := d[:4] + "-" + d[4:6] + "-" + d[6:]
			var got []string
			for _, x := range doc.Dates {
				got = append(got, x.String())
			}
			if !slices.Contains(got, want) {
				t.Errorf("%s: dates %v, want %s", file, got, want)
			}
		}
		// Every coded concept of every sequence.
		var walk func(elements []*dicom.Element)
		walk = func(elements []*dicom.Element) {
			code, scheme := "", ""
			for _, e := range elements {
				switch v := e.Value.GetValue().(type) {
				case []*dicom.SequenceItemValue:
					for _, item := range v {
						walk(item.GetValue().([]*dicom.Element))
					}
				case []string:
					if len(v) == 1 && e.Tag == tag.CodeValue {
						code = strings.TrimSpace(v[0])
					} else if len(v) == 1 && e.Tag == tag.CodingSchemeDesignator {
						scheme = strings.TrimSpace(v[0])
					}
				}
			}
			if code != "" && scheme != "" && !strings.Contains(show(doc), "code "+scheme+"|"+code+"\n") {
				t.Errorf("%s: no code %s of %s", file, code, scheme)
			}
		}
		walk(set.Elements)
	}
}
