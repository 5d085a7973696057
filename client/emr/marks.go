package emr

import (
	"bytes"
	"slices"
)

// marks are texts of medical records in known formats: names that every FHIR or CDA
// document has, and the roots of the OIDs of HL7 and DICOM. A record of another kind that
// has one is a damaged record, or has one inside. Its labels were not read.
var marks = [][]byte{
	[]byte("resourceType"), []byte("ClinicalDocument"), []byte("confidentialityCode"), []byte("v3-Confidentiality"), []byte("</security>"),
	[]byte("hl7-org:"), []byte("hl7.org/fhir"), []byte("2.16.840.1.113883."), []byte("1.2.840.10008."),
	[]byte("Content-Transfer-Encoding"), []byte("Content-transfer-encoding"), []byte("-----BEGIN PKCS7"), []byte("-----BEGIN CMS"), // around encoded ones
}

// zipMarks begin the files in a ZIP archive, with the versions that are usual. They are
// looked for in bytes of no known format, such as an archive that unpacks itself.
var zipMarks = [][]byte{[]byte("PK\x03\x04\x14"), []byte("PK\x03\x04\x0a"), []byte("PK\x03\x04\x2d")}

// hl7Segments are segments that begin a line of an HL7 v2 message.
var hl7Segments = set("MSH", "FHS", "BHS", "EVN", "PID", "PD1", "PV1", "PV2", "ORC", "OBR", "OBX", "TXA", "ARV", "DG1", "NK1", "AL1")

func set[T comparable](values ...T) map[T]bool {
	m := make(map[T]bool)
	for _, v := range values {
		m[v] = true
	}
	return m
}

// findMarks notes that the extraction is incomplete if a part of the record has a mark of
// another format, or one of more.
func (b *builder) findMarks(part []byte, more ...[]byte) {
	b.work.spend(len(part) * priceMarks)
	if bytes.IndexByte(part, 0) >= 0 { // UTF-16 without a mark, among others
		part = bytes.ReplaceAll(part, []byte{0}, nil)
	}
	for _, m := range slices.Concat(marks, more) {
		if bytes.Contains(part, m) {
			b.inside()
			return
		}
	}
	for line := part; len(line) > 0 && !b.work.spent(); {
		b.work.spend(priceLine)
		line = bytes.TrimLeft(line, " \t\r\n\v\x1c")
		if len(line) > 4 && hl7Segments[string(line[:3])] && isPunctuation(line[3]) {
			b.inside()
			return
		}
		end := bytes.IndexAny(line, "\r\n")
		if end < 0 {
			return
		}
		line = line[end:]
	}
}

// endsLikeMarkup reports whether a text ends as JSON and XML do. Its beginning may be
// lost.
func endsLikeMarkup(text []byte) bool {
	text = bytes.TrimRight(text, " \t\r\n")
	end := text[max(0, len(text)-256):]
	return bytes.HasSuffix(end, []byte("}")) ||
		bytes.HasSuffix(end, []byte(">")) && (bytes.Contains(end, []byte("</")) || bytes.Contains(end, []byte("/>")))
}

func (b *builder) inside() {
	b.unread("it looks like a medical record of a format that could not be recognised")
}

// markOverlap is more than the length of a mark in UTF-16.
const markOverlap = 64

// findMarksInRest reads the rest of a record for marks.
func (b *builder) findMarksInRest(in *input, more ...[]byte) error {
	overlap := 0
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf[overlap:])
		have := buf[:overlap+n]
		b.findMarks(have, more...)
		if err != nil || len(b.doc.Incomplete) > 0 {
			return ignoreEOF(err)
		}
		overlap = copy(buf, have[max(0, len(have)-markOverlap):])
	}
}
