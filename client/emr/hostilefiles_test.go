package emr

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
)

// fill repeats a text up to a size.
func fill(head, text string, size int) *endless { return &endless{head: head, text: text, left: size} }

func deflatedWith(z io.WriteCloser, content io.Reader) {
	io.Copy(z, content)
	z.Close()
}

// pdfBomb makes a PDF of object streams that inflate to a text of a size. The short suite
// makes do with a tenth of them.
func pdfBomb(streams int, text string, size int) io.Reader {
	if testing.Short() {
		streams /= 10
	}
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
	"PDF names":                          func(n int) io.Reader { return fill("%PDF-1.4\n", "/", n) },
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
	"DICOM deflated":       func(int) io.Reader { return dicomBomb("\x09\x00\x10\x00LO\x00\x00", bombSize) },
	"DICOM deflated facts": func(int) io.Reader { return dicomBomb("\x08\x00\x80\x00LO\x02\x00ab", bombSize) },

	"text in UTF-16 without a mark": func(n int) io.Reader { return fill("", "a\x00\n\x00", n) },
	"text not UTF-8":                func(n int) io.Reader { return fill("text ", "\xfc\n", n) },
	"RTF groups":                    func(n int) io.Reader { return fill(`{\rtf1`, `{`, n) },
	"RTF open and close":            func(n int) io.Reader { return fill(`{\rtf1`, `{}`, n) },
	"RTF words":                     func(n int) io.Reader { return fill(`{\rtf1`, `\u1`, n) },
	"RTF bytes":                     func(n int) io.Reader { return fill(`{\rtf1\ansicpg932`, `\'8d{}`, n) },
	"RTF code pages":                func(n int) io.Reader { return fill(`{\rtf1`, `\ansicpg1251 a`, n) },
	"HTML elements":                 func(n int) io.Reader { return fill(`<html>`, `<p>`, n) },
	"HTML attributes":               func(n int) io.Reader { return numbered(`<html><meta `, `a%d `, n) },
	"HTML metadata":                 func(n int) io.Reader { return numbered(`<html>`, `<meta name=author content=%d>`, n) },
	"HTML entities":                 func(n int) io.Reader { return fill(`<html>`, `&amp;`, n) },
	"HTML comment":                  func(n int) io.Reader { return fill(`<html><!--`, `-`, n) },
	"HTML titles":                   func(n int) io.Reader { return fill(`<html>`, `<title>a`, n) },
	"X12 segments":                  func(n int) io.Reader { return fill(x12Claim, "HI~", n) },
	"X12 elements":                  func(n int) io.Reader { return fill(x12Claim+"HI", "*", n) },
	"X12 codes":                     func(n int) io.Reader { return fill(x12Claim, "HI"+strings.Repeat("*ABK:I214", 12)+"~", n) },
	"X12 components":                func(n int) io.Reader { return fill(x12Claim, "HI*ABK"+strings.Repeat(":", 60<<10)+"~", n) },
	"health cards":                  func(n int) io.Reader { return fill(`{"verifiableCredential":["`, healthCard("{}")+`","`, n) },
	"health card that inflates": func(int) io.Reader {
		return strings.NewReader(`{"verifiableCredential":["` + healthCard(`"`+strings.Repeat(" ", bombSize)+`"`) + `"]}`)
	},
	"openEHR objects": func(n int) io.Reader {
		return fill(`{"_type":"COMPOSITION","archetype_node_id":"x","a":[`, `{"value":"2020-01-01"},`, n)
	},
	"openEHR depth": func(n int) io.Reader {
		return fill(`{"_type":"COMPOSITION","archetype_node_id":"x"`, `,"a":{"b":{}`, n)
	},
	"openEHR codes": func(n int) io.Reader {
		return numbered(`{"_type":"COMPOSITION","archetype_node_id":"x","a":[`, `{"defining_code":{"code_string":"%d"}},`, n)
	},
	"HL7 v2 in XML": func(n int) io.Reader {
		return fill(`<ADT_A01 xmlns="urn:hl7-org:v2xml">`, `<PID><PID.3><CX.1>1</CX.1><CX.4><HD.2>1</HD.2></CX.4></PID.3></PID>`, n)
	},
	"HL7 v2 in XML, fields": func(n int) io.Reader {
		return fill(`<ADT_A01 xmlns="urn:hl7-org:v2xml"><PID>`, `<PID.256>x</PID.256>`, n)
	},
	"HL7 v2 in XML, components": func(n int) io.Reader {
		return fill(`<ADT_A01 xmlns="urn:hl7-org:v2xml"><PID><PID.3>`, `<CX.64><HD.64/></CX.64>`, n)
	},
	"gzip of nothing": func(int) io.Reader { return strings.NewReader(gzipped(strings.Repeat("\x00", bombSize))) },
	"gzip of JSON":    func(int) io.Reader { return strings.NewReader(gzipped(strings.Repeat("[", bombSize))) },
	"gzip of XML": func(int) io.Reader {
		return strings.NewReader(gzipped("<ClinicalDocument>" + strings.Repeat("<a/>", bombSize/4)))
	},
	"gzip members":       func(n int) io.Reader { return fill("", gzipped(""), n) },
	"gzip, stored":       func(n int) io.Reader { return fill("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", emptyStored, n) },
	"gzip, code tables":  func(n int) io.Reader { return fill("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", emptyDynamic, n) },
	"XML probe":          func(n int) io.Reader { return fill("<a>", "<b c='d'/>", min(n, inputSize-1)) },
	"JSON probe":         func(n int) io.Reader { return fill("[", "1,", min(n, inputSize-1)) },
	"HL7 v2 charset set": func(n int) io.Reader { return fill(oru, "OBX|1|CWE|\x1b$B!!\x1b(B\xe4^^L\r", n) },
	"HL7 v2 hex escapes": func(n int) io.Reader { return fill(oru, `OBX|1|CWE|`+strings.Repeat(`\XFC\`, 10000)+"^^L\r", n) },
	"HL7 v2 set escapes": func(n int) io.Reader { return fill(oru, `OBX|1|CWE|`+strings.Repeat(`\C2842\`, 8000)+"^^L\r", n) },
	"HL7 v2 orders": func(n int) io.Reader {
		return numbered(oru, "ORC|RE\rOBR|1|||%d^x^L|||20250301\rOBX|1|CE|1^x^L||2^y^L\r", n)
	},
	"HL7 v2 patients": func(n int) io.Reader { return numbered(oru, "PID|1||%d\rDG1|1||I21.4^x^I10||20250301\r", n) },
	"HL7 v2 triplets": func(n int) io.Reader {
		return fill(oru, "DG1|1||"+strings.Repeat("1^a^L^2^b^L^^^c^3^d^L~", 250)+"\r", n)
	},
	"HL7 v2 periods": func(n int) io.Reader {
		return fill(oru, "PV1|1"+strings.Repeat("|", 43)+"20250101~20250102|20260101\r", n)
	},
	"XML acts": func(n int) io.Reader {
		return fill(`<ClinicalDocument><component><section><entry>`, `<act negationInd="true"><effectiveTime><low value="2019"/><high value="2020"/></effectiveTime><code code="1" codeSystem="2" displayName="a b"/></act>`, n)
	},
	"XML acts of a document of many dates": func(n int) io.Reader {
		return io.MultiReader(numbered(`<ClinicalDocument>`, `<time value="19%06d"/>`, n/2), numbered(`<section>`, `<act><code code="1"/><time value="20%06d"/></act>`, n))
	},
	"XML open acts": func(n int) io.Reader { return fill(`<ClinicalDocument><section>`, `<act>`, n) },
	"XML passages":  func(n int) io.Reader { return numbered(`<ClinicalDocument><section>`, `<a ID="%d">text</a>`, n) },
	"XML references": func(n int) io.Reader {
		return fill(`<ClinicalDocument><section><a ID="a">`+strings.Repeat("b ", 500)+`</a>`, `<originalText><reference value="#a"/></originalText>`, n)
	},
	"DICOM escapes": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian)+"\x08\x00\x05\x00CS\x10\x00\\ISO 2022 IR 149", "\x08\x00\x80\x00LO\xe8\x03"+strings.Repeat("\x1b$)C\xb1\xe8\x1b-A", 100), n)
	},
	"DICOM items": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian)+"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff", "\xfe\xff\x00\xe0\x00\x00\x00\x00", n)
	},
	"DICOM odd elements": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x09\x00\x10\x00??\x00\x00", n)
	},
	"DICOM sequences in UN": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x09\x00\x10\x00UN\x00\x00\x08\x00\x00\x00\xfe\xff\x00\xe0\x00\x00\x00\x00", n)
	},
	"text dates":    func(n int) io.Reader { return fill("", "2020-01-01 ", n) },
	"text lines":    func(n int) io.Reader { return fill("a", "\n", n) },
	"text segments": func(n int) io.Reader { return fill("a", "\nMS", n) },
	"binary":        func(n int) io.Reader { return fill("\x00", "\x00MSH", n) },

	// Deflated data may take long and yield nothing.
	"PDF object streams in each other":  func(n int) io.Reader { return fill("%PDF-1.5\n", nestedStreams(190, emptyStored), n) },
	"PDF object streams of code tables": func(n int) io.Reader { return fill("%PDF-1.5\n", nestedStreams(80, emptyDynamic), n) },
	"PDF object stream in every window": func(n int) io.Reader {
		return fill("%PDF-1.5\n/Type/ObjStm stream\r\n\x78\x9c"+strings.Repeat(emptyDynamic, 40<<10), " /Type/ObjStm stream\r\n\x78\x9c"+strings.Repeat(emptyDynamic, 40<<10), n)
	},
	"DICOM deflated to nothing":   func(n int) io.Reader { return fill(dicomHead(deflatedLittleEndian), emptyStored, n) },
	"DICOM deflated, code tables": func(n int) io.Reader { return fill(dicomHead(deflatedLittleEndian), emptyDynamic, n) },
	"DICOM deflated, one code table": func(n int) io.Reader {
		return fill(dicomHead(deflatedLittleEndian), strings.Repeat("\x00", 1)+emptyDynamic, n)
	},
	"PDF dictionaries that do not end": func(n int) io.Reader { return fill("%PDF-1.4\n", "<</A/B/Producer(", n) },
	"PDF strings that do not end": func(n int) io.Reader {
		return fill("%PDF-1.4\n", "<</Title("+strings.Repeat("(", 15<<10)+"/ModDate", n)
	},
	"PDF hexadecimal strings": func(n int) io.Reader {
		return fill("%PDF-1.4\n", "<</Title<"+strings.Repeat("fe ff ", 2000)+">/ModDate()>>", n)
	},
	"PDF information":  func(n int) io.Reader { return numbered("%PDF-1.4\n", "<</Title(%d)/Producer(x)>>", n) },
	"PDF XMP names":    func(n int) io.Reader { return fill("%PDF-1.4\n", "xmp:", n) },
	"PDF XMP creators": func(n int) io.Reader { return fill("%PDF-1.4\n", "<dc:creator>"+strings.Repeat(" ", 250), n) },
	"PDF escapes": func(n int) io.Reader {
		return fill("%PDF-1.4\n", "<</Author("+strings.Repeat(`\377`, 3000)+")/ModDate()>>", n)
	},

	"XML declarations of charsets": func(n int) io.Reader {
		return fill(`<?xml version="1.0" encoding="ISO-8859-1"?>`, `<?xml version="1.0" encoding="GB18030"?>`, n)
	},
	"XML instructions":            func(n int) io.Reader { return fill(`<ClinicalDocument>`, `<?a?>`, n) },
	"XML comments":                func(n int) io.Reader { return fill(`<ClinicalDocument>`, `<!---->`, n) },
	"XML comments of dashes":      func(n int) io.Reader { return fill(`<ClinicalDocument>`, `<!--`+strings.Repeat("- ", 2000)+`-->`, n) },
	"XML CDATA sections":          func(n int) io.Reader { return fill(`<ClinicalDocument><title>`, `<![CDATA[]]>`, n) },
	"XML CDATA that does not end": func(n int) io.Reader { return fill(`<ClinicalDocument><title><![CDATA[`, `]]`, n) },
	"XML CDATA in small pieces":   func(n int) io.Reader { return fill(`<ClinicalDocument><title>`, `<![CDATA[confidentialityCod]]>`, n) },
	"XML brackets":                func(n int) io.Reader { return fill(`<!DOCTYPE a [`, `<`, n) },
	"XML comments in brackets":    func(n int) io.Reader { return fill(`<!DOCTYPE a [`, `<!---->`, n) },
	"XML different names":         func(n int) io.Reader { return numbered(`<ClinicalDocument>`, `<a%d/>`, n) },
	"XML long different names":    func(n int) io.Reader { return numbered(`<ClinicalDocument>`, `<`+strings.Repeat("é", 500)+`%d/>`, n) },
	"XML numbers of characters":   func(n int) io.Reader { return fill(`<ClinicalDocument><title>`, `&#x1F600;`, n) },
	"XML entities in values": func(n int) io.Reader {
		return fill(`<ClinicalDocument>`, `<code code="`+strings.Repeat("&lt;", 500)+`"/>`, n)
	},
	"XML characters": func(n int) io.Reader { return fill(`<ClinicalDocument><title>`, `é`, n) },
	"XML titles":     func(n int) io.Reader { return numbered(`<ClinicalDocument>`, `<title>%d</title>`, n) },
	"XML names of people": func(n int) io.Reader {
		return numbered(`<ClinicalDocument>`+strings.Repeat("<a>", 240)+`<assignedPerson>`, `<name>%d</name>`, n)
	},
	"XML times":  func(n int) io.Reader { return numbered(`<ClinicalDocument>`, `<time value="%08d"/>`, n) },
	"XML labels": func(n int) io.Reader { return numbered(`<ClinicalDocument>`, `<confidentialityCode code="%d"/>`, n) },
	"other XML of mark beginnings": func(n int) io.Reader {
		return fill(`<a>`, `resourceTypClinicalDocumenconfidentialityCod</securit2.16.840.1.113883`, n)
	},
	"other XML of lines": func(n int) io.Reader { return fill(`<a>`, "MSH\n", n) },
	"other XML of zeros": func(n int) io.Reader { return fill(`<a>`, "\x00MS\x00\n", n) },

	"JSON identifiers within each other": func(n int) io.Reader {
		return fill(`[`, strings.Repeat(`{"identifier":[`, 100)+strings.Repeat(`{"value":"1"},`, 64)+`1`+strings.Repeat("]}", 100)+",", n)
	},
	"JSON arrays of identifiers": func(n int) io.Reader {
		return fill(`[`, `{"identifier":`+strings.Repeat("[", 240)+strings.Repeat(`{"value":"1"},`, 64)+`1`+strings.Repeat("]", 240)+"},", n)
	},
	"JSON patients with identifiers": func(n int) io.Reader {
		return fill(`[`, `{"resourceType":"Patient","identifier":[`+strings.Repeat(`{"value":"1"},`, 64)+"1]},", n)
	},
	"JSON number":        func(n int) io.Reader { return fill(`[`, `1`, n) },
	"JSON empty strings": func(n int) io.Reader { return fill(`[`, `"",`, n) },
	"JSON records":       func(n int) io.Reader { return fill(`1`, "\x1e1", n) },
	"JSON in UTF-16":     func(n int) io.Reader { return fill("\xff\xfe[\x00", "{\x00}\x00,\x00", n) },
	"JSON departments": func(n int) io.Reader {
		return numbered(`[`, `{"specialty":[{"system":"a","code":"b","display":"%d"}]},`, n)
	},
	"JSON references": func(n int) io.Reader { return fill(`[`, `{"reference":"`+strings.Repeat("Patient/", 120)+`"},`, n) },
	"JSON security labels": func(n int) io.Reader {
		return numbered(`{"resourceType":"Basic","meta":{"security":[`, `{"system":"x/v3-Confidentiality","code":"%d"},`, n)
	},
	"JSON half escapes": func(n int) io.Reader { return fill(`["`, `\ud800`, n) },

	"HL7 v2 headers of charsets": func(n int) io.Reader {
		return numbered(oru, "MSH|^~\\&|A|B|||||ORU^R01|1|P|2.3||||||X%d\rOBX|\xff\r", n)
	},
	"HL7 v2 long lines":            func(n int) io.Reader { return fill(oru, "OBX|1|TX|"+strings.Repeat("x", 5000)+"\r", n) },
	"HL7 v2 long line ends":        func(n int) io.Reader { return fill(strings.ReplaceAll(oru, "\r", "\n"), "OBX|1\n", n) },
	"HL7 v2 messages":              func(n int) io.Reader { return numbered("", "MSH|^~\\&|A|B|||||MDM^T02|%d|P|2.3\rTXA|1\r", n) },
	"HL7 v2 names":                 func(n int) io.Reader { return numbered(oru, "A%02d|1\r", n) },
	"HL7 v2 authors":               func(n int) io.Reader { return fill(oru, "PV1|1||||||"+strings.Repeat("^A^B~", 250)+"\r", n) },
	"HL7 v2 dates":                 func(n int) io.Reader { return fill(oru, "ACC|"+strings.Repeat("2020~", 250)+"\r", n) },
	"HL7 v2 separators in letters": func(n int) io.Reader { return fill(oru, "MSH|aaaa|a|a|a|aaaaaaaaaaaa\rOBX|aaaaaa\r", n) },
	"HL7 v2 systems of labels": func(n int) io.Reader {
		return numbered(oru, "OBX|1|CWE|%d^x^"+strings.Repeat("y", 240)+"confidentiality\r", n)
	},
	"HL7 v2 frames": func(n int) io.Reader { return fill(oru, "\v\x1c\r", n) },

	"DICOM labels": func(n int) io.Reader { return fill(dicomHead(explicitLittleEndian), "\x40\x00\x08\x10LO\x02\x00Q ", n) },
	"DICOM icons": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\xe0\x7f\x10\x00OB\x00\x00\x00\x00\x00\x00", n)
	},
	"DICOM empty items": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\xfe\xff\x00\xe0\x00\x00\x00\x00", n)
	},
	"DICOM names": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x08\x00\x90\x00PN\xe8\x03"+strings.Repeat(`a^b=\`, 200), n)
	},
	"DICOM modalities": func(n int) io.Reader {
		return fill(dicomHead(explicitLittleEndian), "\x08\x00\x61\x00CS\xe8\x03"+strings.Repeat(`A\`, 500), n)
	},

	"zip": func(n int) io.Reader { return fill("PK\x03\x04", "PK\x01\x02\x00\x00", n) },
	"gzip": func(n int) io.Reader {
		return fill("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "\x00\x00\x00\xff\xff", n)
	},
}

// Deflated blocks without content: stored ones, and a pair that has code tables, in 23
// bytes.
const emptyStored = "\x00\x00\x00\xff\xff"

var emptyDynamic = func() string {
	var bits []byte
	put := func(n, value int) {
		for i := range n {
			bits = append(bits, byte(value>>i&1))
		}
	}
	for range 2 {
		put(3, 0b100)       // not the last one, with code tables
		put(14, 14<<10)     // 257 literals, 1 distance, 18 lengths of codes
		for i := range 18 { // in the order 16, 17, 18, 0, ..., 1
			put(3, map[int]int{2: 1, 3: 2, 17: 2}[i])
		}
		put(1, 0) // zeros, 138 and 118
		put(7, 138-11)
		put(1, 0)
		put(7, 118-11)
		put(2, 0b11) // 1: the end of a block
		put(2, 0b01) // 0: no distance
		put(1, 0)    // the end
	}
	out := make([]byte, len(bits)/8)
	for i := range out {
		for k := range 8 {
			out[i] |= bits[8*i+k] << k
		}
	}
	return string(out)
}()

// nestedStreams is a part of a chain of object streams. Each is in a stored block of the
// one before, and each goes on to the end of the chain.
func nestedStreams(empty int, block string) string {
	const begin = " /Type/ObjStm stream\r\n\x78\x9c"
	return "\x00" + string([]byte{byte(len(begin)), 0, ^byte(len(begin)), 0xff}) + begin + strings.Repeat(block, empty)
}

// longFacts fills every list of facts with long values.
func longFacts(size int) io.Reader {
	long := strings.Repeat("x", 1000)
	return numbered(`[`, `{"resourceType":"Organization","name":"%[1]d`+long+`","title":"%[1]d`+long+`","author":{"display":"%[1]d`+long+`"},`+
		`"patient":{"reference":"Patient/%[1]d`+long+`"},"serviceType":[{"system":"s","code":"%[1]d`+long+`","display":"%[1]d`+long+`"}]},`, size)
}
