package emr

import (
	"bufio"
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
)

const (
	maxField   = 64 << 10  // bytes of one field that are read; embedded documents are longer
	maxSegment = 256 << 10 // bytes of one segment that are read
)

// readSegment reads up to a carriage return or a line feed. It keeps the beginnings of a
// long field and of a long segment. The segment is valid until the next read.
func (h *hl7Reader) readSegment(in *bufio.Reader) ([]byte, error) {
	h.cut, h.long = h.cut[:0], false
	if segment, ok := bufferedSegment(in); ok {
		return segment, nil
	}
	var out []byte
	field, length := 0, 0
	sep := h.fieldSep
	for {
		c, err := in.ReadByte()
		if err != nil || c == '\r' || c == '\n' {
			return out, err
		}
		switch {
		case len(out) == 0 && strings.IndexByte(segmentSpace, c) >= 0:
			continue
		case len(out) == 3 && isHL7Header(string(out)):
			sep = c
		}
		if length++; len(out) >= 3 && c == sep {
			field, length = field+1, 0
		}
		switch {
		case len(out) >= maxSegment:
			h.long = true
		case length <= maxField:
			out = append(out, c)
		case len(h.cut) == 0 || h.cut[len(h.cut)-1] != field:
			h.cut = append(h.cut, field)
		}
	}
}

// segmentSpace may stand before a segment: white space, and the frame of a message.
const segmentSpace = "\v\x1c \t"

// bufferedSegment returns the next segment if it is short and already in the buffer, as
// most are.
func bufferedSegment(in *bufio.Reader) ([]byte, bool) {
	in.Peek(1) // fills an empty buffer
	text, _ := in.Peek(min(in.Buffered(), 4<<10))
	end := bytes.IndexByte(text, '\r')
	if end < 0 {
		end = len(text)
	}
	if i := bytes.IndexByte(text[:end], '\n'); i >= 0 {
		end = i
	}
	if end == len(text) {
		return nil, false
	}
	in.Discard(end + 1)
	return bytes.TrimLeft(text[:end], segmentSpace), true
}

// decode turns a segment into text. A segment that is not UTF-8 has the character set
// that the message names. Without a name it is Latin-1, which most such senders mean.
func (h *hl7Reader) decode(b []byte) string {
	if len(b) > 3 && string(b[:3]) == "MSH" {
		h.charset = nil
		h.b.work.spend(priceCharset)
		if fields := bytes.SplitN(b, b[3:4], 19); len(fields) > 17 {
			h.charset = hl7Charset(string(fields[17]))
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	charset := h.charset
	if charset == nil {
		charset = charmap.ISO8859_1
	}
	h.b.work.spend(priceCharset + 2*len(b))
	s, err := charset.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "")
	}
	return string(s)
}

// hl7Charset returns a character set by its name in HL7 table 0211, or by its IANA name,
// which some senders write. It returns nil for an unknown name. The first repetition
// counts.
func hl7Charset(name string) encoding.Encoding {
	name = strings.ToUpper(strings.TrimSpace(name))
	if i := strings.IndexAny(name, "~^"); i >= 0 {
		name = name[:i]
	}
	if part, ok := strings.CutPrefix(name, "8859/"); ok {
		name = "ISO-8859-" + part
	} else if iana, ok := map[string]string{"GB 18030-2000": "GB18030", "BIG-5": "BIG5", "KS X 1001": "EUC-KR"}[name]; ok {
		name = iana
	}
	charset, err := ianaindex.IANA.Encoding(name)
	if err != nil || strings.HasPrefix(name, "UTF-") { // a name of UTF-8 is wrong here
		return nil
	}
	return charset
}
