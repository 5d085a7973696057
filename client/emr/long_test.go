package emr

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// long repeats the middle of a record up to a size.
func long(begin, middle, end string, size int) io.Reader {
	return io.MultiReader(strings.NewReader(begin), &endless{text: middle, left: size / len(middle) * len(middle)}, strings.NewReader(end))
}

// A record that is long, and ordinary otherwise, is read to its end, where its label is.
// "make test-long" reads longer ones.
func TestLongRecordsAreReadInFull(t *testing.T) {
	const words = "The patient was seen in the ward and is well. No further measures are needed for now. "
	section := "<text>" + strings.Repeat("<paragraph>"+words+"</paragraph>", 6) + "</text>" + cda[strings.Index(cda, "<component>"):strings.LastIndex(cda, "</ClinicalDocument>")]
	for name, make := range map[string]func(size int) io.Reader{
		"FHIR bundle": func(size int) io.Reader {
			return long(`{"resourceType":"Bundle","entry":[`, `{"resource":`+observation+`,"fullUrl":"`+words+words+`"},`, `{}],"meta":{"security":[{"code":"V"}]}}`, size)
		},
		"FHIR attachment": func(size int) io.Reader {
			return long(`{"resourceType":"Binary","data":"`, "QUJDREVG", `","meta":{"security":[{"code":"V"}]}}`, size)
		},
		"FHIR in XML": func(size int) io.Reader {
			return long(`<Binary xmlns="http://hl7.org/fhir"><data value="`, "QUJDREVG", `"/><meta><security><code value="V"/></security></meta></Binary>`, size)
		},
		"HL7 v2 batch": func(size int) io.Reader {
			return long("FHS|^~\\&|A\rBHS|^~\\&|A\r", oru+strings.Repeat("NTE|1||"+words+"\rOBX|3|NM|30180-4^BASOPHILS^LN||0.4|10*3/uL|0-1|N|||F\r", 12), "PID|1||7\rTXA|1"+strings.Repeat("|", 17)+"V\rBTS|1\rFTS|1\r", size)
		},
		"C-CDA": func(size int) io.Reader {
			return long(`<ClinicalDocument>`, section, `<confidentialityCode code="V"/></ClinicalDocument>`, size)
		},
		"C-CDA with a document": func(size int) io.Reader {
			return long(`<ClinicalDocument><text mediaType="application/pdf" representation="B64">`, "QUJDREVG", `</text><confidentialityCode code="V"/></ClinicalDocument>`, size)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var doc Document
			var err error
			peak := watch(t, func() { doc, err = Extract(t.Context(), make(fileSize(t, longSize))) })
			if err != nil || len(doc.Incomplete) > 0 || !slices.Contains(doc.Confidentiality, "V") {
				t.Errorf("%v, %q, %q", err, doc.Confidentiality, doc.Incomplete)
			}
			if peak > 64<<20 {
				t.Errorf("took %d MiB", peak>>20)
			}
		})
	}
}
