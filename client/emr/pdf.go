package emr

import (
	"bytes"
	"compress/zlib"
	"html"
	"io"
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

	pricePDFStream = 4 << 10 // to begin an object stream
	pricePDFByte   = 4       // of a dictionary
)

type pdfReader struct {
	b         *builder
	work      *budget
	encrypted bool
	flate     io.ReadCloser // used again for every object stream
	inflated  bytes.Buffer
}

func isPDF(head []byte) strength {
	if bytes.Contains(head[:min(1024, len(head))], []byte("%PDF-")) {
		return signature
	}
	return unlike
}

// readPDF declines a text in which the mark of a PDF is only mentioned: it begins no
// line, and there are no objects.
func readPDF(in *input, b *builder) error {
	begin, _ := in.Peek(inputSize)
	if i := bytes.Index(begin, []byte("%PDF-")); i > 0 && isText(begin[:i]) == plainText && strings.IndexByte(" \t\r\n", begin[i-1]) < 1 && !bytes.Contains(begin, []byte(" obj")) {
		return errDeclined
	}
	p := &pdfReader{b: b, work: in.work}
	buf := make([]byte, 0, pdfWindow)
	for {
		n, err := io.ReadFull(in, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		p.scan(buf, true)
		if err != nil {
			break
		}
		buf = append(buf[:0], buf[len(buf)-pdfOverlap:]...)
	}
	if p.encrypted { // and with it the strings
		b.discard()
		b.partial("PDF: encrypted: nothing could be read")
	}
	return nil
}

// scan takes facts from a window of the file or from an object stream. It ends early once
// the work is spent.
func (p *pdfReader) scan(buf []byte, file bool) {
	if file {
		p.xmp(buf)
	}
	done := 0 // end of the last dictionary
	for at := 0; !p.work.spent(); at++ {
		i := bytes.IndexByte(buf[at:], '/')
		if i < 0 {
			return
		}
		at += i
		p.work.spend(2)
		if at+1 < len(buf) && strings.IndexByte("PCMETA", buf[at+1]) < 0 { // most names
			continue
		}
		switch name := buf[at:]; {
		case isPDFInfoKey(name):
			if at < done {
				continue
			}
			if dict, end := p.dictAround(buf, max(done, at-pdfDict), at); dict != nil {
				p.info(dict)
				done = end
			}
		case !file:
		case isPDFKey(name, "/Encrypt"):
			// The trailer has it, or a stream in its place. Elsewhere it is a word.
			if dict, _ := p.dictAround(buf, max(0, at-pdfDict), at); dict != nil {
				for _, key := range []string{"Root", "Info", "Size"} {
					_, trailer := dict[key]
					p.encrypted = p.encrypted || trailer
				}
			}
		default:
			if n := pdfObjectStream(name); n > 0 {
				p.objectStream(buf[at+n:])
			}
		}
	}
}

// isPDFInfoKey reports whether a text begins with a key of the information dictionary
// that few other dictionaries have.
func isPDFInfoKey(b []byte) bool {
	for _, key := range []string{"/Producer", "/Creator", "/CreationDate", "/ModDate", "/Title", "/Author"} {
		if isPDFKey(b, key) {
			return true
		}
	}
	return false
}

// isPDFKey reports whether a text begins with a name.
func isPDFKey(b []byte, key string) bool {
	return len(b) >= len(key) && string(b[:len(key)]) == key && (len(b) == len(key) || !isWordByte(b[len(key)]))
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// pdfObjectStream returns the length of "/Type /ObjStm" if a text begins with it.
func pdfObjectStream(b []byte) int {
	rest, ok := bytes.CutPrefix(b, []byte("/Type"))
	if !ok {
		return 0
	}
	rest, ok = bytes.CutPrefix(trimPDFSpace(rest), []byte("/ObjStm"))
	if !ok || len(rest) > 0 && isWordByte(rest[0]) {
		return 0
	}
	return len(b) - len(rest)
}

// trimPDFSpace drops white space, as much as a writer would put between two names.
func trimPDFSpace(b []byte) []byte {
	n := 0
	for n < min(len(b), 256) && strings.IndexByte(" \t\r\n\f\x00", b[n]) >= 0 {
		n++
	}
	return b[n:]
}

// dictAround returns the dictionary around the key at a position, and its end.
func (p *pdfReader) dictAround(buf []byte, from, at int) (map[string]string, int) {
	before := at
	for range 8 { // dictionaries between, at most
		open := bytes.LastIndex(buf[from:before], []byte("<<"))
		p.work.spend((before - from - max(open, 0)) / 4)
		if open < 0 || p.work.spent() {
			return nil, 0
		}
		open += from
		dict, end := parsePDFDict(buf[open:min(len(buf), open+pdfDict)])
		p.work.spend(end * pricePDFByte)
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
	if i < 0 {
		return
	}
	p.work.spend(pricePDFStream)
	if p.work.check() != nil {
		return
	}
	packed := &deflated{bytes.NewReader(bytes.TrimLeft(rest[i+len("stream"):], "\r\n")), p.work}
	if p.flate == nil {
		z, err := zlib.NewReader(packed)
		if err != nil {
			return
		}
		p.flate = z
	} else if p.flate.(zlib.Resetter).Reset(packed, nil) != nil {
		return
	}
	p.inflated.Reset()
	p.inflated.ReadFrom(io.LimitReader(p.flate, pdfInflate+1)) // an incomplete one is scanned as far as it goes
	p.work.spend(p.inflated.Len())
	content := p.inflated.Bytes()
	if len(content) > pdfInflate {
		p.b.partial("PDF: only the first %d MiB of an object stream were read", pdfInflate>>20)
	}
	p.scan(content[:min(len(content), pdfInflate)], false)
}

// Facts of a kind that are taken from the XMP of a window.
const (
	xmpDates = 8
	xmpTexts = 2
)

// xmp takes facts from XMP, the metadata in XML.
func (p *pdfReader) xmp(buf []byte) {
	p.work.spend(len(buf))
	eachXMP(buf, "xmp:", xmpDates, xmpDate, p.b.date)
	eachXMP(buf, "<dc:title>", xmpTexts, xmpText("Alt"), p.b.title)
	eachXMP(buf, "<dc:creator>", xmpTexts, xmpText("Seq"), p.b.author)
}

// eachXMP calls each for values after a name.
func eachXMP(buf []byte, name string, most int, value func([]byte) string, each func(string)) {
	for most > 0 {
		i := bytes.Index(buf, []byte(name))
		if i < 0 {
			return
		}
		buf = buf[i+len(name):]
		if v := value(buf); v != "" {
			each(html.UnescapeString(v))
			most--
		}
	}
}

// xmpDate reads an attribute or the text of an element.
func xmpDate(b []byte) string {
	name, ok := bytes.CutPrefix(b, []byte("CreateDate"))
	if !ok {
		if name, ok = bytes.CutPrefix(b, []byte("ModifyDate")); !ok {
			return ""
		}
	}
	for _, open := range []string{">", `="`, "='"} {
		if rest, ok := bytes.CutPrefix(name, []byte(open)); ok {
			rest = rest[:min(len(rest), 41)]
			return string(rest[:max(0, bytes.IndexAny(rest, `<"'`))])
		}
	}
	return ""
}

// xmpText returns a reader for the first text of a list of texts.
func xmpText(list string) func([]byte) string {
	return func(b []byte) string {
		for _, want := range []string{"<rdf:" + list + ">", "<rdf:li"} {
			rest, ok := bytes.CutPrefix(trimPDFSpace(b), []byte(want))
			if !ok {
				return ""
			}
			b = rest
		}
		b = b[:min(len(b), maxValue+100)]
		_, b, _ = bytes.Cut(b, []byte(">"))
		text, rest, _ := bytes.Cut(b, []byte("<"))
		if !bytes.HasPrefix(rest, []byte("/rdf:li>")) {
			return ""
		}
		return string(text)
	}
}

// info takes facts from the information dictionary. Dictionaries of annotations, file
// attachments, layers, outlines and structures have dates, creators and titles too; other
// keys tell them apart.
func (p *pdfReader) info(dict map[string]string) {
	for _, key := range []string{"Type", "Subtype", "Size", "CheckSum", "F", "EF", "Rect", "Parent", "Dest", "A", "SE", "Next", "Prev", "S", "K", "P"} {
		if _, ok := dict[key]; ok {
			return
		}
	}
	p.b.title(dict["Title"])
	p.b.title(dict["Subject"])
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
