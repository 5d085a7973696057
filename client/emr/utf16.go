package emr

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	unicodetext "golang.org/x/text/encoding/unicode"
)

func hasBOM(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))
}

// unmarkedUTF16 recognises UTF-16 without a byte order mark. In one of the two orders all
// its units are characters, and some are spaces or ASCII letters.
func unmarkedUTF16(head []byte) encoding.Encoding {
	head = head[:min(len(head), 512)&^1]
	if len(head) < 4 || bytes.IndexByte(head, 0) < 0 {
		return nil
	}
	for order, of := range map[binary.ByteOrder]unicodetext.Endianness{binary.LittleEndian: unicodetext.LittleEndian, binary.BigEndian: unicodetext.BigEndian} {
		if isText16(head, order) {
			return unicodetext.UTF16(of, unicodetext.IgnoreBOM)
		}
	}
	return nil
}

func isText16(b []byte, order binary.ByteOrder) bool {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	if utf16.IsSurrogate(rune(units[len(units)-1])) {
		units = units[:len(units)-1] // the other half is cut off
	}
	ascii := 0
	for _, r := range utf16.Decode(units) {
		switch {
		case r == unicode.ReplacementChar, r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\v' && r != 0x1c, !unicode.IsPrint(r) && !unicode.IsSpace(r) && r >= ' ':
			return false
		case r < 0x7f:
			ascii++
		}
	}
	return ascii*16 >= len(units)
}

// UTF16 returns the encoding of a text in UTF-16, by its first bytes. The decoder drops
// the byte order mark. It returns nil for other records.
func UTF16(head []byte) encoding.Encoding {
	switch {
	case isSigned(formats, head) || isGzip(head):
		return nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicodetext.UTF16(unicodetext.LittleEndian, unicodetext.UseBOM)
	}
	return unmarkedUTF16(head)
}
