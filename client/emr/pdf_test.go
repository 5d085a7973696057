package emr

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
	"testing"
)

const pdfFile = `%PDF-1.4
5 0 obj << /Title (Chapter 1) /Parent 4 0 R >> endobj
6 0 obj << /Type /Annot /Subtype /Text /CreationDate (D:20000101) /T (someone) >> endobj
7 0 obj << /Type/Filespec /EF << /F 8 0 R >> /Params << /Size 5 /CreationDate (D:20010101) >> >> endobj
9 0 obj << /Kids [1 0 R] /Title (Report \(final\) \101\
B) /Author <FEFF004A00F60072006700000000> /Nested << /Title (no) >> /Producer (x)
/CreationDate (D:20190314103000+01'00') /ModDate (D:20200102) >> endobj
trailer << /Info 9 0 R /Size 10 >>
`

func TestPDF(t *testing.T) {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	fmt.Fprint(z, "9 0 10 80 << /Title (Packed) /Producer (pdfTeX) /CreationDate (D:2018) >> << /Other 1 >>")
	z.Close()
	far := strings.Repeat("stream of something else, not to be read at all\n", 50_000) // two megabytes
	for name, c := range map[string]struct{ in, want string }{
		"plain": {pdfFile, "date 2019-03-14\ndate 2020-01-02\nauthor Jörg\ntitle Report (final) AB\n"},
		"late":  {"%PDF-1.4\n" + far + pdfFile + far, "date 2019-03-14\ndate 2020-01-02\nauthor Jörg\ntitle Report (final) AB\n"},
		"object stream": {"%PDF-1.5\n1 0 obj << /Type /ObjStm /N 2 /First 9 /Filter /FlateDecode /Length " + fmt.Sprint(packed.Len()) + " >>\nstream\r\n" +
			packed.String() + "\nendstream endobj", "date 2018\ntitle Packed\n"},
		"XMP": {`%PDF-1.7 <x:xmpmeta><rdf:Description xmp:ModifyDate="2020-02-03T01:02:03Z"><xmp:CreateDate>2019-01-02</xmp:CreateDate>
			<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Fish &amp; Chips</rdf:li></rdf:Alt></dc:title></rdf:Description>`,
			"date 2020-02-03\ndate 2019-01-02\ntitle Fish & Chips\n"},
		"encrypted": {strings.Replace(pdfFile, "/Info", "/Encrypt 3 0 R /Info", 1), "warning PDF: encrypted: nothing could be read\n"},
		"broken":    {"%PDF-1.4\n<< /Title (never closed /Producer <", bare},
		"nothing":   {"junk first\n%PDF-1.4\n", bare},
	} {
		doc, err := Extract(t.Context(), strings.NewReader(c.in))
		if want := "pdf application/pdf\n" + c.want; err != nil || show(doc) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, show(doc), want)
		}
	}
}
