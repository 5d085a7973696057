package emr

import (
	"math"
	"strconv"
	"strings"
)

const maxRepeats = 256 // of one field

// cutByte is strings.Cut at a byte.
func cutByte(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// appendSplit appends the parts between separators, up to most of them. The last one has
// the rest.
func appendSplit(to []string, s string, sep byte, most int) []string {
	for n := 1; n < most; n++ {
		before, after, ok := cutByte(s, sep)
		if !ok {
			break
		}
		to, s = append(to, before), after
	}
	return append(to, s)
}

// split returns the fields of a segment. They are valid until the next call.
func (h *hl7Reader) split(segment string) []string {
	h.fields = h.fields[:0]
	if isHL7Header(segment[:3]) { // the separator is field 1
		h.fields = append(h.fields, segment[:3], segment[3:4])
		segment = segment[4:]
	}
	h.fields = appendSplit(h.fields, segment, h.fieldSep, math.MaxInt)
	return h.fields
}

// repeats returns the repetitions of a field. They are valid until the next call.
func (h *hl7Reader) repeats(field string) []string {
	h.repetitions = h.repetitions[:0]
	switch {
	case field == "":
		return nil
	case h.repetitionSep <= ' ':
		h.repetitions = append(h.repetitions, field)
		return h.repetitions
	}
	h.repetitions = appendSplit(h.repetitions, field, h.repetitionSep, maxRepeats+1)
	h.b.work.spend(len(h.repetitions) * 4 * priceER7)
	if len(h.repetitions) > maxRepeats {
		h.b.partial("HL7 v2: a field is repeated more than %d times: the rest was not read", maxRepeats)
	}
	return h.repetitions[:min(len(h.repetitions), maxRepeats)]
}

// raw returns a component, counted from 0.
func (h *hl7Reader) raw(field string, n int) string {
	if h.repetitionSep > ' ' {
		field, _, _ = cutByte(field, h.repetitionSep)
	}
	for ; n > 0; n-- {
		_, field, _ = cutByte(field, h.componentSep)
	}
	field, _, _ = cutByte(field, h.componentSep)
	return field
}

// part returns the value of a component, counted from 0.
func (h *hl7Reader) part(field string, n int) string { return h.value(h.raw(field, n)) }

// value returns the first subcomponent of a component, unescaped. Two quotes mean that
// there is no value.
func (h *hl7Reader) value(component string) string {
	if h.subcomponentSep > ' ' {
		component, _, _ = cutByte(component, h.subcomponentSep)
	}
	if component == `""` {
		return ""
	}
	return h.unescape(component)
}

func (h *hl7Reader) unescape(s string) string {
	if h.escape <= ' ' || strings.IndexByte(s, h.escape) < 0 {
		return s
	}
	h.b.work.spend(2 * len(s))
	var out strings.Builder
	for out.Len() <= maxValue { // longer ones are cut
		before, rest, ok := cutByte(s, h.escape)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		code, after, ok := cutByte(rest, h.escape)
		if !ok {
			out.WriteString(rest)
			return out.String()
		}
		switch {
		case code == "F":
			out.WriteByte(h.fieldSep)
		case code == "S":
			out.WriteByte(h.componentSep)
		case code == "T":
			out.WriteByte(h.subcomponentSep)
		case code == "R":
			out.WriteByte(h.repetitionSep)
		case code == "E":
			out.WriteByte(h.escape)
		case strings.HasPrefix(code, "X"):
			var text []byte
			text, after = h.hexBytes(code, after)
			out.WriteString(h.charset.text(text, ""))
		default: // formatting
			out.WriteByte(' ')
		}
		s = after
	}
	return out.String()
}

// hexBytes returns the bytes of an escape such as \XC3\, and of those that follow it at
// once: together they may be a character.
func (h *hl7Reader) hexBytes(code, after string) ([]byte, string) {
	var out []byte
	for {
		for i := 1; i+1 < len(code); i += 2 {
			if n, err := strconv.ParseUint(code[i:i+2], 16, 8); err == nil {
				out = append(out, byte(n))
			}
		}
		if len(after) < 2 || after[0] != h.escape || after[1] != 'X' || len(out) > maxValue {
			return out, after
		}
		next, rest, ok := cutByte(after[1:], h.escape)
		if !ok {
			return out, after
		}
		code, after = next, rest
	}
}
