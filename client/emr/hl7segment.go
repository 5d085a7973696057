package emr

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"strings"
)

const (
	maxField   = 64 << 10  // bytes of one field that are read; embedded documents are longer
	maxSegment = 256 << 10 // bytes of one segment that are read
)

// readSegment reads up to a carriage return or a line feed. It keeps the beginnings of a
// long field and of a long segment. The segment is valid until the next read.
func (h *hl7Reader) readSegment(in *bufio.Reader) ([]byte, error) {
	h.cut, h.long = h.cut[:0], false
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark { // of a file that was put into a batch
		in.Discard(len(mark))
	}
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

const byteOrderMark = "\ufeff"

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

// decode turns a segment into text. Its character sets are those of MSH-18: the first one
// for all bytes, the others after escapes of ISO 2022 or HL7.
func (h *hl7Reader) decode(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > 8 && string(b[:3]) == "MSH" {
		h.charset = nil
		h.b.work.spend(priceCharset)
		repetition, escape := b[5], b[6]
		if fields := bytes.SplitN(b, b[3:4], 19); len(fields) > 17 {
			h.charset = newCharset(strings.Split(string(fields[17]), string(rune(repetition))))
		}
		b = escapedSets(b, escape)
	} else {
		b = escapedSets(b, h.escape)
	}
	if isASCII(b) {
		return string(b)
	}
	h.b.work.spend(priceCharset + 2*len(b) + priceEscape*bytes.Count(b, []byte{0x1b}))
	return h.charset.text(b, "")
}

// escapedSets replaces the escapes of HL7 that choose a character set, such as \C2842\
// and \M2442\, by the escape sequences of ISO 2022 that they stand for.
func escapedSets(b []byte, escape byte) []byte {
	if escape <= ' ' || bytes.IndexByte(b, escape) < 0 || !bytes.Contains(b, []byte{escape, 'C'}) && !bytes.Contains(b, []byte{escape, 'M'}) {
		return b
	}
	var out []byte
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 || i+1 == len(b) {
			return append(out, b...)
		}
		out, b = append(out, b[:i]...), b[i:]
		end := 0
		if b[1] == 'C' || b[1] == 'M' {
			if end = bytes.IndexByte(b[1:min(len(b), 10)], escape) + 1; end > 0 {
				var set [3]byte
				if n, err := hex.Decode(set[:], b[2:end]); err == nil && n >= 2 {
					out = append(append(out, 0x1b), set[:n]...)
				} else {
					end = 0
				}
			}
		}
		if end == 0 {
			out, b = append(out, escape), b[1:]
		} else {
			b = b[end+1:]
		}
	}
}
