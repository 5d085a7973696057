package emr

import (
	"slices"
	"strings"
	"testing"
)

// hl7Terms are the terms of a message of one patient.
func hl7Terms(t *testing.T, segments ...string) []string {
	t.Helper()
	text := "MSH|^~\\&|A|B|||20250302101500||ADT^A08|1|P|2.5\rPID|1||P-1^^^ANNA\r" + strings.Join(segments, "\r") + "\r"
	doc, err := Extract(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return termsOf(doc)
}

// A segment says how its codes are meant.
func TestHL7Contexts(t *testing.T) {
	for segment, want := range map[string]string{
		`DG1|1||I26.9^PE^I10||20250301|A`:                                "icd10:I26.9",
		`DG1|1||I26.9^PE^I10||20250301|W`:                                "icd10:I26.9",
		`DG1|1||I26.9^PE^I10||20250301|A` + pipes(15) + `D`:              "error:icd10:I26.9",
		`DG1|1||I26.9^PE^I10||20250301|RO^Ruled out`:                     "refuted:icd10:I26.9",
		`DG1|1||I26.9^PE^I10||20250301|^Ausschluss`:                      "refuted:icd10:I26.9",
		`DG1|1||I26.9^PE^I10||20250301|V`:                                "icd10:I26.9 suspected:icd10:I26.9",
		`DG1|1||I26.9A^PE^I10GM2025`:                                     "refuted:icd10:I26.9",
		`DG1|1||I26.9 V^PE^ICD-10-GM`:                                    "icd10:I26.9 suspected:icd10:I26.9",
		`DG1|1||I26.9GL^PE^I10G2025`:                                     "icd10:I26.9",
		`DG1|1||I26.9Z^PE^I10GM`:                                         "historic:icd10:I26.9 icd10:I26.9",
		`DG1|1||S72.001A^Fracture^I10C`:                                  "icd10:S72.001A",
		`DG1|1||I26.9^PE^I10^A^excluded^Diagnosesicherheit`:              "refuted:icd10:I26.9",
		`PR1|1||5-470^Appendectomy^OPS||20250301` + pipes(15) + `D`:      "error:ops:5-470",
		`IAM|1||I26.9^x^I10|||D`:                                         "error:icd10:I26.9",
		`IAM|1||I26.9^x^I10|||A` + pipes(11) + `E`:                       "error:icd10:I26.9",
		`IAM|1||I26.9^x^I10|||A` + pipes(11) + `I`:                       "historic:icd10:I26.9 icd10:I26.9",
		`PRB|DE|20250301|I26.9^PE^I10`:                                   "error:icd10:I26.9",
		`PRB|AD|20250301|I26.9^PE^I10|1|||||||||RO^Ruled out`:            "refuted:icd10:I26.9",
		`PRB|AD|20250301|I26.9^PE^I10|1||||||||||Resolved`:               "historic:icd10:I26.9 icd10:I26.9",
		`OBX|1|CE|X^Y^L||I26.9^PE^I10||||||W`:                            "error:icd10:I26.9",
		`OBX|1|CE|X^Y^L||I26.9^PE^I10||||||X`:                            "not-done:icd10:I26.9",
		`OBX|1|CE|I26.9^PE^I10||2667000^Absent^SCT||||||F`:               "refuted:icd10:I26.9 snomed:2667000",
		`OBX|1|CE|I26.9^PE^I10||52101004^Present^SCT||||||F`:             "icd10:I26.9 snomed:52101004",
		`OBX|1|CE|10157-6^Family^LN||I26.9^PE^I10||||||F`:                "family:icd10:I26.9",
		"OBR|1|||54114-4^Family^LN\rOBX|1|CE|X^Y^L||I26.9^PE^I10||||||F": "family:icd10:I26.9",
		"ORC|CA\rOBR|1|||I26.9^x^I10":                                    "not-done:icd10:I26.9",
		"ORC|NW\rOBR|1|||I26.9^x^I10":                                    "icd10:I26.9",
		`OBR|1|||I26.9^x^I10` + pipes(21) + `X`:                          "not-done:icd10:I26.9",
		`RXA|0|1|20250301||208^COVID^CVX` + pipes(15) + `RE`:             "not-done:cvx:208",
		`RXA|0|1|20250301||208^COVID^CVX` + pipes(15) + `CP`:             "cvx:208",
		`RXA|0|1|20250301||208^COVID^CVX` + pipes(15) + `CP|D`:           "error:cvx:208",
		"SCH|1||||||I26.9^x^I10|||||" + pipes(13) + "Booked":             "planned:icd10:I26.9",
		"SCH|1" + pipes(24) + "Cancelled\rAIS|1|A|I26.9^x^I10":           "not-done:icd10:I26.9",
		"SCH|1\rAIS|1|A|I26.9^x^I10|20250301" + pipes(6) + "Complete":    "icd10:I26.9",
	} {
		var got []string
		for _, term := range hl7Terms(t, segment) {
			for _, system := range []string{"icd10:I26.9", "icd10:S72.001A", "cvx:208", "ops:5-470", "snomed:2667000", "snomed:52101004"} {
				if context, ok := strings.CutSuffix(term, system); ok && !strings.Contains(term, "&") {
					got = append(got, context+system)
				}
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", segment, got, want)
		}
	}
}

func pipes(n int) string { return strings.Repeat("|", n) }

// Dates and patients go with the codes of their own segment, order and message.
func TestHL7Statements(t *testing.T) {
	const header = "MSH|^~\\&|A|B|||20250302101500||ADT^A01|1|P|2.5\r"
	for name, c := range map[string]struct {
		in         string
		pairs, not string
	}{
		"a batch": {"BHS|^~\\&\r" + header + "PID|1||A^^^X\rDG1|1||I21.4^x^I10||20250301|A\r" + header + "PID|1||B^^^X\rDG1|1||F20.0^x^I10||20250401|A\rBTS|2\r",
			"pair:patient:a&icd10:I21.4 pair:patient:b&icd10:F20.0 month:icd10:I21.4&2025-03 month:icd10:F20.0&2025-04",
			"pair:patient:a&icd10:F20.0 pair:patient:b&icd10:I21.4 month:icd10:I21.4&2025-04 month:icd10:F20.0&2025-03"},
		"two patients in a message": {header + "PID|1||A\rOBR|1|||I21.4^x^I10|||20250301\rPID|2||B\rOBR|1|||F20.0^x^I10|||20250401\r",
			"pair:patient:a&icd10:I21.4 pair:patient:b&icd10:F20.0", "pair:patient:a&icd10:F20.0 pair:patient:b&icd10:I21.4"},
		"a link": {strings.Replace(header, "A01", "A24", 1) + "PID|1||A\rPID|2||B\rDG1|1||I21.4^x^I10\r",
			"pair:patient:a&icd10:I21.4 pair:patient:b&icd10:I21.4", ""},
		"a merge": {header + "PID|1||A^^^X\rMRG|B^^^X\rDG1|1||I21.4^x^I10\r", "pair:patient:a&icd10:I21.4 pair:patient:b&icd10:I21.4 patient:x|b", ""},
		"orders": {header + "PID|1||A\rORC|RE\rOBR|1|||24331-1^x^LN|||20250301\rOBX|1|CE|8480-6^x^LN||I21.4^x^I10\rORC|RE\rOBR|2|||24332-9^x^LN|||20250401\rOBX|1|CE|8462-4^x^LN||F20.0^x^I10|||||||||20250501\r",
			"month:loinc:24331-1&2025-03 month:loinc:8480-6&2025-03 month:icd10:I21.4&2025-03 month:loinc:24332-9&2025-04 month:icd10:F20.0&2025-05",
			"month:loinc:24331-1&2025-04 month:icd10:I21.4&2025-04 month:icd10:F20.0&2025-04 month:icd10:F20.0&2025-03"},
		"a stay":         {header + "PID|1||A\rPV1|1|I" + pipes(42) + "20250110|20250620\rDG1|1||I21.4^x^I10\r", "date:2025-01-10 date:2025-06-20 during:2025-03 month:icd10:I21.4&2025-03", "date:2025-03-02"},
		"a death":        {header + "PID|1||A" + pipes(26) + "20250501\rDG1|1||I21.4^x^I10||20250301\r", "date:2025-05-01 month:icd10:I21.4&2025-03", "month:icd10:I21.4&2025-05 born:2025"},
		"a specimen":     {header + "PID|1||A\rSPM|1|||119297000^Blood^SCT" + pipes(13) + "20250110^20250620\r", "date:2025-01-10 date:2025-06-20", ""},
		"an appointment": {header + "SCH|1" + pipes(10) + "^^^20250110^20250111\rPID|1||A\r", "date:2025-01-10 date:2025-01-11 patient:a", ""},
		"timing": {header + "PID|1||A\rORC|NW||||||^^^20250110^20250111\rTQ1|1||||||20250210|20250211\rRXE|^^^20250310^20250311|313782^x^RXNORM\r",
			"date:2025-01-10 date:2025-01-11 date:2025-02-10 date:2025-02-11 date:2025-03-10 date:2025-03-11 rxnorm:313782", "date:2025-03-02"},
		"types":           {header + "PID|1||A^^^^MR~B^^^^SS~C^^^^NI\r", "patient:mr|a patient:ss|b patient:ni|c patient:a", ""},
		"an interpreter":  {header + "PID|1||A\rOBR|1" + pipes(31) + "77&Muster&Vera^20250301~88^Kurz^Otto\r", "author:vera author:muster author:otto", ""},
		"triplets":        {header + "PID|1||A\rDG1|1||A^Eins^L^B^Zwei^L^^^Urtext^I21.4^Drei^I10\r", "code:A code:B icd10:I21.4 word:eins word:zwei word:drei word:urtext", ""},
		"OIDs":            {header + "PID|1||A\rDG1|1||I21.4^^XYZ^F20.0^^^^^^E11.9" + strings.Repeat("^", 4) + "2.16.840.1.113883.6.90^^^2.16.840.1.113883.6.3^^^2.16.840.1.113883.6.90\r", "icd10:I21.4 icd10:F20.0 icd10:E11.9", ""},
		"a system beside": {header + "PID|1||A\rDG1|1|I10|I21.4|Acute infarction\rPR1|1|I10P|5A1935Z|Ventilation\r", "icd10:I21.4 icd10pcs:5A1935Z word:infarction word:ventilation", ""},
	} {
		doc, err := Extract(t.Context(), strings.NewReader(c.in))
		if err != nil {
			t.Fatal(err)
		}
		terms := termsOf(doc)
		for _, want := range strings.Fields(c.pairs) {
			if !slices.Contains(terms, want) {
				t.Errorf("%s: no %s in %q", name, want, terms)
			}
		}
		for _, not := range strings.Fields(c.not) {
			if slices.Contains(terms, not) {
				t.Errorf("%s: %s is there", name, not)
			}
		}
	}
}

// Texts are read in the character sets of MSH-18, also those in escapes of HL7.
func TestHL7Charsets(t *testing.T) {
	for in, want := range map[string]string{
		"8859/1\rPID|1||1\rOBR|1" + pipes(15) + `77^M\XFC\ller^J\XF6\rg`:                    "Jörg Müller",
		"UNICODE UTF-8\rPID|1||1\rOBR|1" + pipes(15) + `77^M\XC3BC\ller^J\XC3\\XB6\rg`:      "Jörg Müller",
		"~ISO IR87\rPID|1||1\rOBR|1" + pipes(15) + "77^\x1b$B:4F#\x1b(B^\x1b$B7r\x1b(B":     "健 佐藤",
		"~ISO IR87\rPID|1||1\rOBR|1" + pipes(15) + `77^\M2442\:4F#\C2842\^\M2442\7r\C2842\`: "健 佐藤",
		"GB 18030-2000\rPID|1||1\rOBR|1" + pipes(15) + "77^\xcd\xf5^\xd0\xa1\xb6\xab":       "小东 王",
		"KS X 1001\rPID|1||1\rOBR|1" + pipes(15) + "77^\xb1\xe8^\xb9\xce\xbc\xf6":           "민수 김",
		"8859/1~ISO IR87\rPID|1||1\rOBR|1" + pipes(15) + "77^M\xfcller^\x1b$B7r\x1b(B":      "健 Müller",
		"8859/1\rPID|1||1\rOBR|1" + pipes(15) + "77^Müller^Jörg":                            "Jörg Müller",
	} {
		doc, err := Extract(t.Context(), strings.NewReader("MSH|^~\\&|A|B|||20250302||ORU^R01|1|P|2.5||||||"+in+"\r"))
		if got := strings.Join(doc.Authors, ", "); err != nil || got != want {
			t.Errorf("%q: %v %q, want %q", in, err, got, want)
		}
	}
}
