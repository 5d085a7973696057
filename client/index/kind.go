package index

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A posting has five bytes for the kind of its record. All kinds that package emr makes
// of well-formed records fit exactly: one of up to five bytes stands there as it is, with
// zeros after it, and for a longer one the first byte says what the other four are.
const (
	kindSize  = 5
	kindNamed = 1 // the number of one of kindNames
	kindHL7   = 2 // the message and event of an HL7 v2 message, each up to three of kindDigits
	kindDICOM = 3 // a modality of up to six of kindDigits
	kindCut   = 4 // what a longer kind begins with: kindCut+i stands for kindFamilies[i]
)

// kindFamilies come before the first four bytes of a kind that was cut.
var kindFamilies = [4]string{"", "fhir:", "hl7v2:", "dicom:"}

// kindDigits are those of numbers to the base 37. The first one fills up: it stands for
// no character.
const kindDigits = "\x00ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// cutMark ends a kind that was cut.
const cutMark = "…"

// ClipKind is a kind as a posting holds it. One that does not fit is cut, and ends in
// "…": such as "Disc…" of "Discharge letter". Control characters and broken bytes are
// left out.
func ClipKind(kind string) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(kind, ""))
	clipped, err := decodeKind(encodeKind(text))
	if err != nil {
		panic(err) // what encodeKind makes can be read
	}
	return clipped
}

// isKind tells that a kind is text, as a posting needs it.
func isKind(kind string) bool {
	return utf8.ValidString(kind) && !strings.ContainsFunc(kind, unicode.IsControl)
}

// isClipped tells that the kind of a posting is only a beginning.
func isClipped(kind string) bool { return strings.HasSuffix(kind, cutMark) }

// encodeKind cuts a kind that does not fit. It is text.
func encodeKind(kind string) [kindSize]byte {
	with := func(form byte, argument uint32) (b [kindSize]byte) {
		b[0] = form
		binary.BigEndian.PutUint32(b[1:], argument)
		return b
	}
	if number, ok := kindNumbers[kind]; ok {
		return with(kindNamed, number)
	}
	if detail, ok := strings.CutPrefix(kind, "hl7v2:"); ok {
		message, event, both := strings.Cut(detail, "^")
		if number, ok := packKind(3, message, event); ok && message != "" && both == (event != "") {
			return with(kindHL7, number)
		}
	}
	if modality, ok := strings.CutPrefix(kind, "dicom:"); ok && modality != "" {
		if number, ok := packKind(6, modality); ok {
			return with(kindDICOM, number)
		}
	}
	start, cut := strings.CutSuffix(kind, cutMark)
	if !cut && len(kind) <= kindSize {
		var b [kindSize]byte
		copy(b[:], kind)
		return b
	}
	family := len(kindFamilies) - 1
	for !strings.HasPrefix(start, kindFamilies[family]) {
		family--
	}
	start = start[len(kindFamilies[family]):]
	end := min(len(start), kindSize-1)
	for end > 0 && end < len(start) && !utf8.RuneStart(start[end]) {
		end--
	}
	b := [kindSize]byte{kindCut + byte(family)}
	copy(b[1:], start[:end])
	return b
}

// decodeKind reads what encodeKind made. It may read more; a posting's canonical form is
// checked as a whole.
func decodeKind(b [kindSize]byte) (string, error) {
	number := binary.BigEndian.Uint32(b[1:])
	text := func(b []byte) string { return strings.TrimRight(string(b), "\x00") }
	switch form := b[0]; {
	case form >= ' ' || b == [kindSize]byte{}:
		return text(b[:]), nil
	case form == kindNamed && number >= 1 && number <= uint32(len(kindNames)):
		return kindNames[number-1], nil
	case form == kindHL7:
		both := unpackKind(number)
		if event := text(both[3:]); event != "" {
			return "hl7v2:" + text(both[:3]) + "^" + event, nil
		}
		return "hl7v2:" + text(both[:3]), nil
	case form == kindDICOM:
		modality := unpackKind(number)
		return "dicom:" + text(modality[:]), nil
	case form >= kindCut && int(form-kindCut) < len(kindFamilies):
		return kindFamilies[form-kindCut] + text(b[1:]) + cutMark, nil
	}
	return "", fmt.Errorf("kind %x: %w", b, ErrInvalid)
}

// packKind makes one number of words of kindDigits, each filled up to the width. It
// reports false for other words.
func packKind(width int, words ...string) (uint32, bool) {
	number := uint32(0) // six digits are below 2^32
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

// unpackKind gives the six digits of a number.
func unpackKind(number uint32) (digits [6]byte) {
	for i := range digits {
		digits[len(digits)-1-i] = kindDigits[number%uint32(len(kindDigits))]
		number /= uint32(len(kindDigits))
	}
	return digits
}
