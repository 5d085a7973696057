package emr

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// fill repeats a text up to a size.
func fill(head, text string, size int) *endless { return &endless{head: head, text: text, left: size} }

func deflatedWith(z io.WriteCloser, content io.Reader) {
	io.Copy(z, content)
	z.Close()
}

// pdfStreams makes a PDF of object streams that inflate to a text of a size.
func pdfBomb(streams int, text string, size int) io.Reader {
	var packed bytes.Buffer
	deflatedWith(zlib.NewWriter(&packed), fill("", text, size))
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	for i := range streams {
		fmt.Fprintf(&b, "%d 0 obj << /Type /ObjStm /N 2 /First 9 /Filter /FlateDecode >>\nstream\r\n%sendstream endobj\n", i, packed.String())
	}
	return &b
}

func dicomHead(syntax string) string {
	w := dicomWriter{order: binary.LittleEndian}
	w.Write(make([]byte, 128))
	w.WriteString("DICM")
	w.element(0x00020010, "UI", syntax)
	return w.String()
}

func dicomBomb(text string, size int) io.Reader {
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, 9)
	deflatedWith(z, fill("", text, size))
	return io.MultiReader(strings.NewReader(dicomHead(deflatedLittleEndian)), &packed)
}

// numbered writes a text for each number, up to a size.
func numbered(head, format string, size int) io.Reader {
	return &numbers{format: format, ready: []byte(head), left: size}
}

type numbers struct {
	format  string
	ready   []byte
	n, left int
}

func (s *numbers) Read(p []byte) (int, error) {
	if len(s.ready) == 0 {
		if s.left <= 0 {
			return 0, io.EOF
		}
		s.ready = fmt.Appendf(s.ready[:0:cap(s.ready)], s.format, s.n)
		s.left -= len(s.ready)
		s.n++
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// hostile are files made to take time or memory. Each maker gets a size in bytes.
var hostile = map[string]func(size int) io.Reader{
	"PDF object streams of keys":         func(int) io.Reader { return pdfBomb(250, "/Producer", 1<<20) },
	"PDF object streams of dictionaries": func(int) io.Reader { return pdfBomb(250, "<</Producer", 1<<20) },
	"PDF object streams of nothing":      func(int) io.Reader { return pdfBomb(2000, "\x00", 1<<20) },
	"PDF large object streams":           func(int) io.Reader { return pdfBomb(300, "<</A(", 4<<20) },
	"PDF nested object streams":          func(int) io.Reader { return pdfBomb(1000, "<< /Type /ObjStm >> stream\r\n", 1<<20) },
	"PDF keys":                           func(n int) io.Reader { return fill("%PDF-1.4\n", "<</Producer<</ModDate", n) },
	"PDF keys after strings":             func(n int) io.Reader { return fill("%PDF-1.4\n", "<<(((<<<<((/Producer", n) },
	"PDF names":                          func(n int) io.Reader { return fill("%PDF-1.4\n", "/", 4*n) },
	"PDF stream names":                   func(n int) io.Reader { return fill("%PDF-1.4\n", "/Type /ObjStm stream\n", n) },
	"PDF types":                          func(n int) io.Reader { return fill("%PDF-1.4\n", "/Type      ", n) },
	"PDF objects": func(n int) io.Reader {
		return numbered("%PDF-1.4\n", "%d 0 obj << /Kids [1 0 R] /Count 9 >> endobj\n", n)
	},
	"PDF page tree":  func(n int) io.Reader { return fill("%PDF-1.4\n", "<< /Type /Pages /Kids [ ", n) },
	"PDF XMP titles": func(n int) io.Reader { return fill("%PDF-1.4\n", "<dc:title><rdf:Alt><rdf:li a", n) },
	"PDF XMP spaces": func(n int) io.Reader { return fill("%PDF-1.4\n<dc:title>", "   <dc:title>   ", n) },
	"PDF XMP texts": func(n int) io.Reader {
		return fill("%PDF-1.4\n", "<dc:title><rdf:Alt><rdf:li>"+strings.Repeat("a", 999), n)
	},
	"PDF XMP dates": func(n int) io.Reader { return fill("%PDF-1.4\n", "xmp:CreateDate>xmp:", n) },

	"XML attributes":       func(n int) io.Reader { return numbered(`<ClinicalDocument><a `, `a%d="" `, min(n, 15<<20)) },
	"XML empty attributes": func(n int) io.Reader { return fill(`<ClinicalDocument><a `, `a="" `, min(n, 15<<20)) },
	"XML namespaces":       func(n int) io.Reader { return numbered(`<ClinicalDocument`, ` xmlns:a%d="b"`, min(n, 15<<20)) },
	"XML open namespaces": func(n int) io.Reader {
		return fill(`<ClinicalDocument>`, `<a `+strings.Repeat(`xmlns:a="b" `, 5000)+`>`, n)
	},
	"XML in another charset": func(n int) io.Reader {
		return fill(`<?xml version="1.0" encoding="ISO-8859-1"?><ClinicalDocument><a `, `a="" `, min(n, 15<<20))
	},
	"XML in UTF-16": func(n int) io.Reader { return fill("\xff\xfe<\x00a\x00 \x00", "a\x00=\x00'\x00'\x00 \x00", n) },
	"XML elements":  func(n int) io.Reader { return fill(`<ClinicalDocument>`, `<a/>`, n) },
	"XML ids": func(n int) io.Reader {
		return fill(`<ClinicalDocument>`+strings.Repeat("<a>", 240)+`<recordTarget><patientRole>`, `<id root="1"/>`, n)
	},
	"XML different ids": func(n int) io.Reader {
		return numbered(`<ClinicalDocument><recordTarget><patientRole>`, `<id root="%d"/>`, n)
	},
	"XML codes": func(n int) io.Reader { return numbered(`<ClinicalDocument>`, `<a code="%d" codeSystem="1"/>`, n) },
	"XML depth": func(n int) io.Reader { return fill(`<ClinicalDocument>`, `<a>`, n) },
	"XML open and close": func(n int) io.Reader {
		return fill(`<ClinicalDocument>`, strings.Repeat("<a>", 200)+strings.Repeat("</a>", 200), n)
	},
	"XML entities": func(n int) io.Reader {
		return fill(`<!DOCTYPE a [<!ENTITY a "`+strings.Repeat("a", 1<<20)+`">]><ClinicalDocument><title>`, `&a;`, n)
	},
	"XML known entities": func(n int) io.Reader { return fill(`<ClinicalDocument><title>`, `&nbsp;`, n) },
	"XML declarations":   func(n int) io.Reader { return fill(`<!DOCTYPE a [`, `<!ENTITY a "a">`, n) },
	"XML comment":        func(n int) io.Reader { return fill(`<ClinicalDocument><!--`, `a=`, n) },
	"XML names":          func(n int) io.Reader { return fill(`<ClinicalDocument>`, `<`+strings.Repeat("a", 60<<10)+`>`, n) },
	"FHIR in XML":        func(n int) io.Reader { return fill(`<Basic xmlns="http://hl7.org/fhir">`, `<code value=""/>`, n) },
	"other XML":          func(n int) io.Reader { return fill(`<a>`, `<Clinical`, n) },

	"JSON depth":        func(n int) io.Reader { return fill(`{"resourceType":"Basic"`, `,"a":[{"b":1`, n) },
	"JSON objects":      func(n int) io.Reader { return fill(`{"resourceType":"Basic","a":[`, `{},`, n) },
	"JSON arrays":       func(n int) io.Reader { return fill(`[`, strings.Repeat("[", 200)+strings.Repeat("]", 200)+",", n) },
	"JSON string":       func(n int) io.Reader { return fill(`{"resourceType":"Basic","a":"`, `a`, n) },
	"JSON escapes":      func(n int) io.Reader { return fill(`{"resourceType":"Basic","a":"`, `\ud83d\ude00`, n) },
	"JSON keys":         func(n int) io.Reader { return numbered(`{"resourceType":"Basic"`, `,"%d":""`, n) },
	"JSON the same key": func(n int) io.Reader { return fill(`{"resourceType":"Basic"`, `,"code":"a"`, n) },
	"JSON codes": func(n int) io.Reader {
		return numbered(`{"resourceType":"Basic","a":[`, `{"system":"a","code":"%d"},`, n)
	},
	"JSON long codes": func(n int) io.Reader {
		return numbered(`{"resourceType":"Basic","a":[`, `{"system":"`+strings.Repeat("é", 500)+`","code":"%d`+strings.Repeat("é ", 300)+`"},`, n)
	},
	"JSON long facts": func(n int) io.Reader { return longFacts(n) },
	"JSON identifiers": func(n int) io.Reader {
		return numbered(`{"resourceType":"Patient","identifier":[`, `{"system":"`+strings.Repeat("s", 1000)+`","value":"%d"},`, n)
	},
	"JSON dates":     func(n int) io.Reader { return fill(`{"resourceType":"Basic","a":[`, `"2020-01-01",`, n) },
	"JSON numbers":   func(n int) io.Reader { return fill(`[`, `1,`, n) },
	"JSON spaces":    func(n int) io.Reader { return fill(`[`, ` `, n) },
	"JSON resources": func(n int) io.Reader { return fill(``, `{"resourceType":"Basic"}`, n) },
	"JSON labels":    func(n int) io.Reader { return fill(`{"resourceType":"Basic","meta":{"security":[`, `{"code":"V"},`, n) },

	"HL7 v2 segments":        func(n int) io.Reader { return fill(oru, "OBX|\r", n) },
	"HL7 v2 lines":           func(n int) io.Reader { return fill(oru, "A\r", n) },
	"HL7 v2 fields":          func(n int) io.Reader { return fill(oru+"OBX", "|", n) },
	"HL7 v2 small fields":    func(n int) io.Reader { return fill(oru, "OBX"+strings.Repeat("|^", 1000)+"\r", n) },
	"HL7 v2 components":      func(n int) io.Reader { return fill(oru, "PID|1||"+strings.Repeat("^", 60<<10)+"\r", n) },
	"HL7 v2 repetitions":     func(n int) io.Reader { return fill(oru, "PID|1||"+strings.Repeat("1~", 250)+"\r", n) },
	"HL7 v2 codes":           func(n int) io.Reader { return fill(oru, "DG1|1||"+strings.Repeat("1^^L~", 250)+"\r", n) },
	"HL7 v2 escapes":         func(n int) io.Reader { return fill(oru, `OBX|1|CWE|`+strings.Repeat(`\T\`, 20000)+"^^L\r", n) },
	"HL7 v2 unclosed":        func(n int) io.Reader { return fill(oru, `OBX|1|CWE|`+strings.Repeat(`\X`, 30000)+"^^L\r", n) },
	"HL7 v2 headers":         func(n int) io.Reader { return fill(oru, "MSH|^~\\&|A|B\r", n) },
	"HL7 v2 facts that hold": func(n int) io.Reader { return numbered(oru, "PID|1||%d|||"+strings.Repeat("x", 60<<10)+"\r", n) },
	"HL7 v2 systems":         func(n int) io.Reader { return numbered(oru, "OBX|1|CWE|1^x^%d"+strings.Repeat("y", 60<<10)+"\r", n) },
	"HL7 v2 charset": func(n int) io.Reader {
		return fill("MSH|^~\\&|A|B|||||ORU^R01|1|P|2.3||||||ISO-2022-JP\r", "OBX|\xff\x1b$B\r", n)
	},

	"DICOM elements": func(n int) io.Reader { return fill(dicomHead(explicitLittleEndian), "\x09\x00\x10\x00LO\x00\x00", n) },
	"DICOM sequences": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", n)
	},
	"DICOM implicit": func(n int) io.Reader {
		return fill(dicomHead(implicitLittleEndian), "\x08\x00\x40\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", n)
	},
	"DICOM codes": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x08\x00\x00\x01SH\x02\x001 \x08\x00\x02\x01SH\x02\x00L ", n)
	},
	"DICOM charsets": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x08\x00\x05\x00CS\x0a\x00ISO_IR 100\x08\x00\x80\x00LO\x02\x00\xe4 ", n)
	},
	"DICOM many values": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x08\x00\x22\x00DA\xe8\x03"+strings.Repeat(`\`, 1000), n)
	},
	"DICOM wild lengths": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x09\x00\x10\x00OB\x00\x00\xf0\xff\xff\xff", n)
	},
	"DICOM deflated":       func(int) io.Reader { return dicomBomb("\x09\x00\x10\x00LO\x00\x00", 128<<20) },
	"DICOM deflated facts": func(int) io.Reader { return dicomBomb("\x08\x00\x80\x00LO\x02\x00ab", 128<<20) },

	"text dates":    func(n int) io.Reader { return fill("", "2020-01-01 ", n) },
	"text lines":    func(n int) io.Reader { return fill("a", "\n", n) },
	"text segments": func(n int) io.Reader { return fill("a", "\nMS", n) },
	"binary":        func(n int) io.Reader { return fill("\x00", "\x00MSH", n) },
}

// longFacts fills every list of facts with long values.
func longFacts(size int) io.Reader {
	long := strings.Repeat("x", 1000)
	return numbered(`[`, `{"resourceType":"Organization","name":"%[1]d`+long+`","title":"%[1]d`+long+`","author":{"display":"%[1]d`+long+`"},`+
		`"patient":{"reference":"Patient/%[1]d`+long+`"},"serviceType":[{"system":"s","code":"%[1]d`+long+`","display":"%[1]d`+long+`"}]},`, size)
}

// hostileSize is enough to show work that grows faster than the size.
const hostileSize = min(largeSize, 8<<20)

// No file takes more than two seconds or 150 MiB. The time here is generous, because
// other programs run beside the test; the work that is counted has the real bound.
func TestHostileFiles(t *testing.T) {
	for name, make := range hostile {
		t.Run(name, func(t *testing.T) {
			r := make(hostileSize)
			var doc Document
			var err error
			start := time.Now()
			peak := watch(t, func() { doc, err = Extract(t.Context(), r) })
			took := time.Since(start)
			if err != nil || doc.Kind == "" {
				t.Errorf("%v, %+v", err, doc)
			}
			if peak > 100<<20 {
				t.Errorf("took %d MiB", peak>>20)
			}
			if took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			t.Logf("%v, %d MiB, %q", took, peak>>20, doc.Incomplete)
		})
	}
}

// Counted work stops extraction, and says so.
func TestBudget(t *testing.T) {
	for _, name := range []string{"PDF object streams of keys", "XML attributes", "JSON objects"} {
		one, err := Extract(t.Context(), hostile[name](64<<20))
		if err != nil || len(one.Incomplete) == 0 || len(one.Warnings) == 0 {
			t.Errorf("%s: %v, %q, %q", name, err, one.Incomplete, one.Warnings)
		}
		two, err := Extract(t.Context(), hostile[name](64<<20))
		if err != nil || show(one) != show(two) {
			t.Errorf("%s: two extractions differ: %v", name, err)
		}
	}
}

// An impatient context ends after it was asked that often.
type impatient struct {
	context.Context
	left int
}

func (p *impatient) Err() error {
	if p.left--; p.left < 0 {
		return context.Canceled
	}
	return nil
}

// A caller that gives up stops every reader, also one that inflates what it has read.
func TestCancel(t *testing.T) {
	for _, name := range []string{"PDF names", "PDF object streams of nothing", "XML elements", "JSON objects", "HL7 v2 segments",
		"DICOM elements", "DICOM deflated", "text dates"} {
		doc, err := Extract(&impatient{t.Context(), 4}, hostile[name](4<<20))
		if !errors.Is(err, context.Canceled) || len(doc.Incomplete) == 0 {
			t.Errorf("%s: %v, %q", name, err, doc.Incomplete)
		}
	}
}
