package emr

import (
	"bytes"
	"compress/zlib"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// A PDF is scanned, not parsed. The scan finds the information dictionary by its keys, in
// the file or in an object stream, and XMP by its elements. So it does not need cross
// references, and runs in constant memory.
const (
	pdfWindow  = 1 << 20
	pdfOverlap = 256 << 10 // of two windows
	pdfDict    = 16 << 10  // bytes of a dictionary that are read
	pdfInflate = 1 << 20   // bytes of an inflated object stream
	pdfStreams = 256       // object streams that are inflated
)

type pdfReader struct {
	b         *builder
	encrypted bool
	streams   int
}

func isPDF(head []byte) strength {
	if bytes.Contains(head[:min(1024, len(head))], []byte("%PDF-")) {
		return signature
	}
	return unlike
}

func readPDF(in *input, b *builder) error {
	p := &pdfReader{b: b}
	buf := make([]byte, 0, pdfWindow)
	for {
		n, err := io.ReadFull(in, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		p.scan(buf, true)
		p.encrypted = p.encrypted || bytes.Contains(buf, []byte("/Encrypt"))
		if err != nil {
			break
		}
		buf = append(buf[:0], buf[len(buf)-pdfOverlap:]...)
	}
	if p.encrypted { // and with it the strings
		b.discard()
		b.warn("PDF: encrypted: nothing could be read")
	}
	return nil
}

var (
	pdfInfoKey   = regexp.MustCompile(`/(Producer|Creator|CreationDate|ModDate)\b`)
	pdfObjStream = regexp.MustCompile(`/Type\s*/ObjStm\b`)
	pdfXMPDate   = regexp.MustCompile(`xmp:(?:CreateDate|ModifyDate)(?:>|=["'])([^<"']{4,40})[<"']`)
	pdfXMPTitle  = regexp.MustCompile(`<dc:title>\s*<rdf:Alt>\s*<rdf:li[^>]{0,80}>([^<]{1,1000})</rdf:li>`)
	pdfXMPAuthor = regexp.MustCompile(`<dc:creator>\s*<rdf:Seq>\s*<rdf:li[^>]{0,80}>([^<]{1,1000})</rdf:li>`)
)

// scan takes facts from a window of the file or from an object stream.
func (p *pdfReader) scan(buf []byte, file bool) {
	done := 0 // end of the last dictionary
	for _, at := range pdfInfoKey.FindAllIndex(buf, -1) {
		if at[0] >= done {
			if dict, end := dictAround(buf, max(done, at[0]-pdfDict), at[0]); dict != nil {
				p.info(dict)
				done = end
			}
		}
	}
	if !file {
		return
	}
	for _, m := range pdfXMPDate.FindAllSubmatch(buf, 8) {
		p.b.date(string(m[1]))
	}
	for _, m := range pdfXMPTitle.FindAllSubmatch(buf, 2) {
		p.b.title(html.UnescapeString(string(m[1])))
	}
	for _, m := range pdfXMPAuthor.FindAllSubmatch(buf, 2) {
		p.b.author(html.UnescapeString(string(m[1])))
	}
	for _, at := range pdfObjStream.FindAllIndex(buf, -1) {
		p.objectStream(buf[at[1]:])
	}
}

// dictAround returns the dictionary around the key at a position, and its end.
func dictAround(buf []byte, from, at int) (map[string]string, int) {
	before := at
	for range 8 { // dictionaries between, at most
		open := bytes.LastIndex(buf[from:before], []byte("<<"))
		if open < 0 {
			return nil, 0
		}
		open += from
		dict, end := parsePDFDict(buf[open:min(len(buf), open+pdfDict)])
		if end += open; end > at {
			return dict, end
		}
		before = open
	}
	return nil, 0
}

// objectStream inflates and scans the stream whose dictionary goes on at rest.
func (p *pdfReader) objectStream(rest []byte) {
	i := bytes.Index(rest[:min(len(rest), 1024)], []byte("stream"))
	if i < 0 || p.streams >= pdfStreams {
		return
	}
	p.streams++
	z, err := zlib.NewReader(bytes.NewReader(bytes.TrimLeft(rest[i+len("stream"):], "\r\n")))
	if err != nil {
		return
	}
	content, _ := io.ReadAll(io.LimitReader(z, pdfInflate)) // an incomplete one is scanned as far as it goes
	p.scan(content, false)
}

// info takes facts from the information dictionary. Dictionaries of annotations, file
// attachments and layers have dates and creators too; other keys tell them apart.
func (p *pdfReader) info(dict map[string]string) {
	for _, key := range []string{"Type", "Subtype", "Size", "CheckSum", "F", "EF", "Rect"} {
		if _, ok := dict[key]; ok {
			return
		}
	}
	p.b.title(dict["Title"])
	p.b.author(dict["Author"])
	p.b.date(strings.TrimPrefix(dict["CreationDate"], "D:"))
	p.b.date(strings.TrimPrefix(dict["ModDate"], "D:"))
}

// parsePDFDict reads the dictionary at the start of b and returns its end. Values that
// are not strings become "".
func parsePDFDict(b []byte) (dict map[string]string, end int) {
	dict = make(map[string]string)
	key, depth := "", 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case bytes.HasPrefix(b[i:], []byte("<<")):
			depth++
			i += 2
		case bytes.HasPrefix(b[i:], []byte(">>")):
			if depth--; depth <= 0 {
				return dict, i + 2
			}
			i += 2
		case c == '(' || c == '<':
			var s string
			var n int
			if c == '(' {
				s, n = pdfLiteral(b[i:])
			} else {
				s, n = pdfHex(b[i:])
			}
			if depth == 1 && key != "" {
				dict[key] = s
			}
			key = ""
			i += n
		case c == '/':
			j := i + 1
			for j < len(b) && !strings.ContainsRune(" \t\r\n\f\x00/<>[]()%", rune(b[j])) {
				j++
			}
			name := string(b[i+1 : j])
			if key == "" && depth == 1 {
				key = name
				dict[key] = ""
			} else {
				key = "" // a name as value
			}
			i = max(j, i+1)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == 0:
			i++
		default: // a number, a reference, an array
			key = ""
			i++
		}
	}
	return dict, len(b)
}

// pdfLiteral reads a string in parentheses and returns its length in b.
func pdfLiteral(b []byte) (string, int) {
	var out []byte
	depth := 0
	i := 0
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '(':
			if depth++; depth == 1 {
				continue
			}
		case c == ')':
			if depth--; depth == 0 {
				return pdfText(out), i + 1
			}
		case c == '\\' && i+1 < len(b):
			i++
			switch e := b[i]; {
			case e >= '0' && e <= '7':
				n := 1
				for n < 3 && i+n < len(b) && b[i+n] >= '0' && b[i+n] <= '7' {
					n++
				}
				v, _ := strconv.ParseUint(string(b[i:i+n]), 8, 16)
				out = append(out, byte(v))
				i += n - 1
			case e == '\r' || e == '\n': // the string goes on
			case strings.IndexByte("nrtbf", e) >= 0:
				out = append(out, ' ')
			default:
				out = append(out, e)
			}
			continue
		}
		out = append(out, c)
	}
	return "", i // not closed
}

// pdfHex reads a string in angle brackets.
func pdfHex(b []byte) (string, int) {
	end := bytes.IndexByte(b, '>')
	if end < 0 {
		return "", len(b)
	}
	digits := strings.Join(strings.Fields(string(b[1:end])), "")
	if len(digits)%2 == 1 {
		digits += "0"
	}
	var out []byte
	for i := 0; i < len(digits); i += 2 {
		v, err := strconv.ParseUint(digits[i:i+2], 16, 8)
		if err != nil {
			return "", end + 1
		}
		out = append(out, byte(v))
	}
	return pdfText(out), end + 1
}

// pdfText decodes UTF-16 or UTF-8 with a byte order mark, and otherwise PDFDocEncoding,
// as Latin-1: they hardly differ.
func pdfText(b []byte) string {
	if rest, ok := bytes.CutPrefix(b, []byte("\xfe\xff")); ok {
		var units []uint16
		for i := 0; i+1 < len(rest); i += 2 {
			units = append(units, uint16(rest[i])<<8|uint16(rest[i+1]))
		}
		return string(utf16.Decode(units))
	}
	if rest, ok := bytes.CutPrefix(b, []byte("\xef\xbb\xbf")); ok {
		return string(rest)
	}
	s, err := charmap.ISO8859_1.NewDecoder().Bytes(b)
	if err != nil {
		return ""
	}
	return string(s)
}
