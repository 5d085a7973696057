package index

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A posting has five bytes for the kind of its record. A kind of up to five bytes is
// stored as it is, with zeros after it. For a longer one, the first byte names a form and
// the other four are the form's argument. All kinds that package emr makes of well-formed
// records fit without loss.
const kindSize = 5

// A kindForm is a line of the table of forms: a way to store kinds in four bytes.
type kindForm struct {
	prefix string // of its kinds, such as "dicom:"

	// pack stores the rest of a kind. It reports false for a rest that does not fit.
	pack func(rest string) (uint32, bool)
	// unpack reverses pack. It reports false for a value that this version does not know.
	unpack func(argument uint32) (rest string, ok bool)

	cut bool // stores the first bytes of a kind, which cutMark follows
}

// kindForms is the table of forms, by first byte. A kind takes the first form that stores
// it whole. A kind that none does is cut, by the form with the longest prefix.
//
// A format that is added later needs no new layout. The table has room for 31 forms, and
// kindNames for 2^32-1 names. New ones go to the end, and no line ever changes: then
// every stored kind keeps its bytes. A version that does not know a line shows the kinds
// that it stores as unknown, see unknownKind.
var kindForms = []kindForm{
	1: nameForm(kindNames),
	2: {"hl7v2:", packMessage, unpackMessage, false},
	3: {"dicom:", packModality, unpackModality, false},
	4: {"", packStart, unpackStart, true},
	5: {"fhir:", packStart, unpackStart, true},
	6: {"hl7v2:", packStart, unpackStart, true},
	7: {"dicom:", packStart, unpackStart, true},
}

const firstCharacter = ' ' // a first byte from here on belongs to a kind without a form

// cutMark ends a kind that was cut.
const cutMark = "…"

// ClipKind returns a kind as a posting stores it. A kind that does not fit is cut and
// ends in "…": "Discharge letter" becomes "Disc…". Control characters and broken bytes
// are left out.
func ClipKind(kind string) string { return clipKind(kindForms, kind) }

func clipKind(forms []kindForm, kind string) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(kind, ""))
	clipped, err := decodeKind(forms, encodeKind(forms, text))
	if err != nil {
		panic(err) // encodeKind makes only bytes that decodeKind reads
	}
	return clipped
}

// isKind reports whether a kind is text without control characters.
func isKind(kind string) bool {
	return utf8.ValidString(kind) && !strings.ContainsFunc(kind, unicode.IsControl)
}

// isClipped reports whether the kind of a posting may be only the beginning of the
// record's kind.
func isClipped(kind string) bool { return strings.HasSuffix(kind, cutMark) }

// encodeKind stores a kind, which is text. It cuts a kind that does not fit.
func encodeKind(forms []kindForm, kind string) [kindSize]byte {
	if b, ok := storeKind(forms, kind); ok {
		return b
	}
	start, prefix := strings.TrimSuffix(kind, cutMark), ""
	for _, f := range forms {
		if f.cut && len(f.prefix) > len(prefix) && strings.HasPrefix(start, f.prefix) {
			prefix = f.prefix
		}
	}
	b, ok := storeKind(forms, prefix+cutText(start[len(prefix):], kindSize-1)+cutMark)
	if !ok {
		panic("index: a kind that was cut does not fit")
	}
	return b
}

// storeKind stores a kind that fits whole, in the first form that takes it.
func storeKind(forms []kindForm, kind string) (b [kindSize]byte, ok bool) {
	start, isCut := strings.CutSuffix(kind, cutMark)
	if !isCut && len(kind) <= kindSize {
		copy(b[:], kind)
		return b, true
	}
	for i, f := range forms {
		if f.pack == nil || f.cut != isCut {
			continue
		}
		if rest, ok := strings.CutPrefix(start, f.prefix); ok {
			if argument, ok := f.pack(rest); ok {
				b[0] = byte(i)
				binary.BigEndian.PutUint32(b[1:], argument)
				return b, true
			}
		}
	}
	b, ok = parseUnknownKind(kind)
	if _, known := unpackKind(forms, b); !ok || known {
		return [kindSize]byte{}, false
	}
	return b, true
}

// decodeKind reads a stored kind. It may accept bytes that encodeKind does not make;
// decodePosting refuses these.
func decodeKind(forms []kindForm, b [kindSize]byte) (string, error) {
	switch {
	case b[0] >= firstCharacter || b == [kindSize]byte{}:
		return strings.TrimRight(string(b[:]), "\x00"), nil
	case b[0] == 0:
		return "", fmt.Errorf("kind %x: %w", b, ErrInvalid)
	}
	if kind, ok := unpackKind(forms, b); ok {
		return kind, nil
	}
	return unknownKind(b), nil
}

// unpackKind reads a kind that has a form. It reports false for a kind that only a later
// version knows.
func unpackKind(forms []kindForm, b [kindSize]byte) (string, bool) {
	if int(b[0]) >= len(forms) || forms[b[0]].unpack == nil {
		return "", false
	}
	f := forms[b[0]]
	rest, ok := f.unpack(binary.BigEndian.Uint32(b[1:]))
	if f.cut {
		rest += cutMark
	}
	return f.prefix + rest, ok
}

// unknownKind shows a kind that only a later version knows: "#", its bytes in hexadecimal
// and cutMark, as in "#0100000109…". It stores to the same bytes. As it counts as cut, a
// query for a kind does not trust it and looks the record up by the term of the kind.
func unknownKind(b [kindSize]byte) string { return "#" + hex.EncodeToString(b[:]) + cutMark }

func parseUnknownKind(kind string) (b [kindSize]byte, ok bool) {
	digits, ok := strings.CutPrefix(strings.TrimSuffix(kind, cutMark), "#")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != kindSize {
		return b, false
	}
	b = [kindSize]byte(raw)
	return b, b[0] > 0 && b[0] < firstCharacter && unknownKind(b) == kind
}

// nameForm stores the names of a list by their number, from 1.
func nameForm(names []string) kindForm {
	numbers := make(map[string]uint32, len(names))
	for i, name := range names {
		numbers[name] = uint32(i + 1)
	}
	return kindForm{
		pack: func(name string) (uint32, bool) {
			number, ok := numbers[name]
			return number, ok
		},
		unpack: func(number uint32) (string, bool) {
			if number == 0 || number > uint32(len(names)) {
				return "", false
			}
			return names[number-1], true
		},
	}
}

// packMessage stores an HL7 v2 message and event, as in "ORU^R01": up to three of
// kindDigits each. The event may be missing.
func packMessage(rest string) (uint32, bool) {
	message, event, both := strings.Cut(rest, "^")
	if message == "" || both != (event != "") {
		return 0, false
	}
	return packDigits(3, message, event)
}

func unpackMessage(number uint32) (string, bool) {
	digits := unpackDigits(number)
	message, event := strings.TrimRight(digits[:3], "\x00"), strings.TrimRight(digits[3:], "\x00")
	if event != "" {
		message += "^" + event
	}
	return message, true
}

// packModality stores up to six of kindDigits.
func packModality(rest string) (uint32, bool) {
	if rest == "" {
		return 0, false
	}
	return packDigits(6, rest)
}

func unpackModality(number uint32) (string, bool) {
	return strings.TrimRight(unpackDigits(number), "\x00"), true
}

// packStart stores up to four bytes of text.
func packStart(rest string) (uint32, bool) {
	if len(rest) > 4 {
		return 0, false
	}
	var b [4]byte
	copy(b[:], rest)
	return binary.BigEndian.Uint32(b[:]), true
}

func unpackStart(argument uint32) (string, bool) {
	b := binary.BigEndian.AppendUint32(nil, argument)
	return strings.TrimRight(string(b), "\x00"), true
}

// cutText returns up to size bytes of text, cut at a character.
func cutText(text string, size int) string {
	end := min(len(text), size)
	for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// kindDigits are those of numbers to the base 37. The first one fills up: it stands for
// no character.
const kindDigits = "\x00ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// packDigits makes one number of words of kindDigits, each filled up to the width. It
// reports false for other words. Six digits are below 2^32.
func packDigits(width int, words ...string) (number uint32, ok bool) {
	for _, word := range words {
		if len(word) > width {
			return 0, false
		}
		for i := range width {
			digit := 0
			if i < len(word) {
				if digit = strings.IndexByte(kindDigits, word[i]); digit <= 0 {
					return 0, false
				}
			}
			number = number*uint32(len(kindDigits)) + uint32(digit)
		}
	}
	return number, true
}

// unpackDigits gives the six digits of a number.
func unpackDigits(number uint32) string {
	var digits [6]byte
	for i := range digits {
		digits[len(digits)-1-i] = kindDigits[number%uint32(len(kindDigits))]
		number /= uint32(len(kindDigits))
	}
	return string(digits[:])
}
