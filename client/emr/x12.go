package emr

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
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
	x := &x12Reader{b: b, component: string(rune(component))}
	for {
		segment, long, err := readUntil(in, end)
		b.work.spend(priceToken)
		if long {
			b.partial("X12: a segment is longer than %d KiB: the rest of it was not read", maxField>>10)
		}
		f := strings.Split(strings.TrimSpace((*charset)(nil).text(segment, "")), string(rune(element)))
		b.work.spend(len(segment) + 2*len(f)*priceER7)
		x.segment(f)
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

// A x12Reader takes facts from segments. Each loop of a patient is a statement, and each
// claim in it another one.
type x12Reader struct {
	b         *builder
	component string
	loops     int
	person    string          // key of the patient of the loop
	names     map[string]bool // entities that are the patient (NM1-1)
	open      int             // statements
}

// x12Patients are the entities that are the patient, by the loop: the insured (IL) or the
// patient (QC). Elsewhere they are somebody else, such as the holder of the policy.
var x12Patients = map[string]map[string]bool{
	"ST": set("IL", "QC"), "22": set("IL", "QC"), "23": set("QC", "03"), "CLP": set("QC"), "INS": set("IL", "74"),
}

// loop begins what is about another patient.
func (x *x12Reader) loop(kind string) {
	for ; x.open > 0; x.open-- {
		x.b.close()
	}
	x.loops++
	x.person, x.names = "x12 "+strconv.Itoa(x.loops), x12Patients[kind]
	x.b.open()
	x.b.subject(x.person)
	x.open = 1
}

// claim begins a claim of the present patient. The insured persons in it are those of
// other policies.
func (x *x12Reader) claim() {
	if x.open > 1 {
		x.b.close()
		x.open--
	}
	x.b.open()
	x.open++
	if x.names["IL"] {
		x.names = set("QC")
	}
}

func (x *x12Reader) segment(f []string) {
	b := x.b
	at := func(n int) string {
		if n < len(f) {
			return f[n]
		}
		return ""
	}
	coded := func(n int) {
		qualifier, rest, _ := strings.Cut(at(n), x.component)
		if system := x12Systems[qualifier]; system != "" {
			code, _, _ := strings.Cut(rest, x.component)
			b.code(system, code)
		}
	}
	switch f[0] {
	case "ST":
		if b.doc.Kind == "x12" && at(1) != "" {
			b.doc.Kind += ":" + kindPart(at(1))
		}
		x.loop("ST")
	case "HL":
		switch at(3) {
		case "EV", "SS": // event and service of a patient
		default:
			x.loop(at(3))
		}
	case "CLP", "INS":
		x.loop(f[0])
	case "CLM":
		x.claim()
	case "HI":
		for n := 1; n < min(len(f), 13); n++ {
			coded(n)
		}
	case "SV1", "SV2", "SVC":
		coded(1)
		coded(2)
	case "NM1":
		switch at(1) {
		case "IL", "QC", "03", "74": // the insured, the patient, the dependent, the insured corrected
			key := x.person
			if !x.names[at(1)] {
				key = "x12 of another " + at(9)
			}
			b.identify(key, "", at(9))
		case "82", "71", "DN": // rendering, attending and referring
			b.author(strings.TrimSpace(at(4) + " " + at(3)))
		case "85", "77": // billing provider, service location
			b.organisation(at(3))
		}
	case "DMG":
		b.born(at(2))
	case "DTP":
		b.period(x12Period(at(3)))
	case "DTM":
		b.date(at(2))
	}
}

// x12Period returns the ends of a date or of two dates with a hyphen.
func x12Period(s string) (from, to string) {
	from, to, _ = strings.Cut(s, "-")
	return from, to
}
