package emr

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// isX12 looks for the interchange header, which has a fixed length.
func isX12(head []byte) strength {
	start := trimHead(head)
	if len(start) < 106 || !bytes.HasPrefix(start, []byte("ISA")) || !isPunctuation(start[3]) || start[6] != start[3] || start[17] != start[3] || start[103] != start[3] {
		return unlike
	}
	return signature
}

// x12Systems are the qualifiers of codes (HI, SV1, SV2), by the code systems.
var x12Systems = map[string]string{
	"ABK": "ICD-10-CM", "ABF": "ICD-10-CM", "ABJ": "ICD-10-CM", "ABN": "ICD-10-CM", "APR": "ICD-10-CM", "BK": "ICD-9-CM", "BF": "ICD-9-CM",
	"BJ": "ICD-9-CM", "PR": "ICD-9-CM", "BBR": "ICD-10-PCS", "BBQ": "ICD-10-PCS", "HC": "CPT", "N4": "NDC",
}

// readX12 reads health care transactions in X12: diagnoses and procedures, persons with
// their identifiers, service dates.
func readX12(in *input, b *builder) error {
	head, _ := in.Peek(256)
	in.Discard(len(head) - len(trimHead(head)))
	isa, err := in.Peek(106)
	if err != nil {
		return err
	}
	element, component, end := isa[3], isa[104], isa[105]
	for {
		segment, long, err := readUntil(in, end)
		b.work.spend(priceToken)
		if long {
			b.partial("X12: a segment is longer than %d KiB: the rest of it was not read", maxField>>10)
		}
		f := strings.Split(strings.TrimSpace(string(segment)), string(rune(element)))
		b.work.spend(len(segment) + 2*len(f)*priceER7)
		b.x12(f, string(rune(component)))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readUntil reads up to an end, and keeps the beginning.
func readUntil(in *input, end byte) (out []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice(end)
		room := max(0, maxField-len(out))
		long = long || len(part) > room
		out = append(out, part[:min(len(part), room)]...)
		if err == nil {
			return bytes.TrimSuffix(out, []byte{end}), long, nil
		}
		if err != bufio.ErrBufferFull {
			return out, long, err
		}
	}
}

func (b *builder) x12(f []string, component string) {
	at := func(n int) string {
		if n < len(f) {
			return f[n]
		}
		return ""
	}
	coded := func(n int) {
		qualifier, rest, _ := strings.Cut(at(n), component)
		if system := x12Systems[qualifier]; system != "" {
			code, _, _ := strings.Cut(rest, component)
			b.code(system, code)
		}
	}
	switch f[0] {
	case "ST":
		if b.doc.Kind == "x12" && at(1) != "" {
			b.doc.Kind += ":" + kindPart(at(1))
		}
	case "HI":
		for n := 1; n < min(len(f), 13); n++ {
			coded(n)
		}
	case "SV1", "SV2":
		coded(1)
		coded(2)
	case "NM1":
		switch at(1) {
		case "IL", "QC": // the insured, the patient
			b.patient("", at(9))
		case "82", "71", "DN": // rendering, attending and referring
			b.author(strings.TrimSpace(at(4) + " " + at(3)))
		case "85", "77": // billing provider, service location
			b.organisation(at(3))
		}
	case "DMG":
		b.born(at(2))
	case "DTP":
		from, to, _ := strings.Cut(at(3), "-")
		b.date(from)
		b.date(to)
	}
}
