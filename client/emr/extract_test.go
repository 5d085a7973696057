package emr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"
)

// show writes a document in one line a fact, to compare with.
func show(d Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", d.Kind, d.MediaType)
	for _, p := range d.Patients {
		fmt.Fprintf(&b, "patient %s|%s\n", p.System, p.Value)
	}
	for _, x := range d.Born {
		fmt.Fprintf(&b, "born %s\n", x)
	}
	for _, c := range d.Codes {
		fmt.Fprintf(&b, "code %s|%s\n", c.System, c.Code)
	}
	for _, x := range d.Dates {
		fmt.Fprintf(&b, "date %s\n", x)
	}
	for name, list := range map[string][]string{"author": d.Authors} {
		for _, s := range list {
			fmt.Fprintf(&b, "%s %s\n", name, s)
		}
	}
	for _, s := range d.Organisations {
		fmt.Fprintf(&b, "org %s\n", s)
	}
	for _, s := range d.Titles {
		fmt.Fprintf(&b, "title %s\n", s)
	}
	for _, s := range d.Modalities {
		fmt.Fprintf(&b, "modality %s\n", s)
	}
	for _, s := range d.Confidentiality {
		fmt.Fprintf(&b, "confidentiality %s\n", s)
	}
	for _, s := range d.Warnings {
		fmt.Fprintf(&b, "warning %s\n", s)
	}
	return b.String()
}

// bare is the warning of a document with nothing but a kind.
const bare = "warning nothing was found in it but its kind: a search finds it by that only, and by keywords that are given\n"

const observation = `{
  "resourceType": "Observation", "id": "o1",
  "meta": {"lastUpdated": "2001-01-01T00:00:00Z", "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]},
  "identifier": [{"system": "urn:lab", "value": "2000-01-01"}],
  "code": {"coding": [{"code": "8480-6", "system": "http://loinc.org", "display": "Systolic"}, {"code": "orphan"}], "text": "BP"},
  "subject": {"reference": "https://ehr.example/fhir/Patient/p%31/_history/3"},
  "performer": [{"reference": "Practitioner/9", "display": "Dr Jane Smith"}],
  "effectiveDateTime": "2019-03-14T10:00:00-05:00", "issued": "2019",
  "valueQuantity": {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
  "component": [null, true, -1.5e3, {}, []]
}`

const observationFacts = `code http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R
code http://loinc.org|8480-6
code |orphan
date 2019-03-14
date 2019
author Dr Jane Smith
confidentiality R
`

const patient = `{"birthDate":"1959-02-03","identifier":[{"value":"MRN-7","system":"http://hospital.example","period":{"start":"2011-05-06"}},{"value":"123-45-6789"}],
 "managingOrganization":{"display":"General Hospital"},"id":"p1","resourceType":"Patient"}`

const cda = `<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/>
 <title>Discharge
   Summary</title>
 <effectiveTime value="20190314103000-0500"/>
 <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
 <recordTarget><patientRole>
  <id root="2.16.840.1.113883.4.1" extension="444222222"/><id root="1.2.3.4"/>
  <patient><name><given>Eve</given></name><birthTime value="19750501"/></patient>
  <providerOrganization><id root="9.9" extension="no"/><name>Good Health</name></providerOrganization>
 </patientRole></recordTarget>
 <author><time value="2018"/><assignedAuthor><id root="8.8" extension="no"/><assignedPerson><name><prefix>Dr</prefix><given>J` + "\xf6" + `rg</given><family>M</family></name></assignedPerson></assignedAuthor></author>
 <component><section><title>Problems</title><text>patient &nbsp; text</text><entry><observation>
  <effectiveTime><low value="20170102"/><high nullFlavor="UNK"/></effectiveTime>
  <value code="I21.4" codeSystem="2.16.840.1.113883.6.90"><translation code="401303003" codeSystem="2.16.840.1.113883.6.96"/></value>
  <referenceRange><low value="2000"/></referenceRange>
 </observation></entry></section></component>
</ClinicalDocument>`

const cdaFacts = `patient 2.16.840.1.113883.4.1|444222222
patient |1.2.3.4
born 1975-05-01
code 2.16.840.1.113883.6.1|34133-9
code 2.16.840.1.113883.5.25|N
code 2.16.840.1.113883.6.90|I21.4
code 2.16.840.1.113883.6.96|401303003
date 2019-03-14
date 2018
date 2017-01-02
author Dr Jörg M
org Good Health
title Discharge Summary
confidentiality N
`

const oru = "MSH|^~\\&|LAB|St \\T\\ Mary|EHR|X|20190314103000+0100||ORU^R01^ORU_R01|1|P|2.5\r" +
	"PID|1|ext1|10006579^^^ADT&1.2.3&ISO^MR~777^^^LOCAL||DUCK^DONALD^D||19241010|M||||||||||acc|123121234\r" +
	"PV1|1|I|||||1234^HOUSE^GREGORY|||||||||||||||||||||||||||||||||||||200801011200|\"\"\r" +
	"OBR|1|||26464-8^Differential^LN|||20190313\r" +
	"OBX|1|CWE|30180-4^BASOPHILS^LN^X1^alt^L||I21.4^MI^I10~22298006^MI^SCT||||||F|||20190312\r" +
	"DG1|1||250.00^Diabetes^I9C|||A\r" +
	"OBX|2|ED|PDF^report^L||^application^pdf^Base64^QUJD\r"

const oruFacts = `patient 1.2.3|10006579
patient ADT|10006579
patient LOCAL|777
patient |ext1
patient |123121234
patient SS|123121234
born 1924-10-10
code LN|26464-8
code LN|30180-4
code L|X1
code I10|I21.4
code SCT|22298006
code I9C|250.00
code L|PDF
date 2008-01-01
date 2019-03-13
date 2019-03-12
author GREGORY HOUSE
org St & Mary
`

func TestExtract(t *testing.T) {
	utf16le := func(s string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	fhirHead := "fhir:Observation application/fhir+json\npatient |p%31\n"
	bundle := `{"entry":[{"fullUrl":"urn:uuid:p1","resource":` + patient + `},{"resource":` + observation + `}],"type":"collection","resourceType":"Bundle"}`
	patientFacts := "patient |p1\npatient http://hospital.example|MRN-7\npatient |123-45-6789\nborn 1959-02-03\n"
	for name, c := range map[string]struct{ in, want string }{
		"FHIR":               {observation, fhirHead + observationFacts},
		"FHIR with BOM":      {"\xef\xbb\xbf\r\n\t " + observation, fhirHead + observationFacts},
		"FHIR in UTF-16":     {utf16le(observation), fhirHead + observationFacts},
		"FHIR patient":       {patient, "fhir:Patient application/fhir+json\n" + patientFacts + "org General Hospital\n"},
		"FHIR bundle":        {bundle, "fhir:Bundle application/fhir+json\n" + strings.Replace(patientFacts, "born", "patient |p%31\nborn", 1) + strings.Replace(observationFacts, "confid", "org General Hospital\nconfid", 1)},
		"NDJSON":             {`{"resourceType":"Basic","subject":{"reference":"Patient/1"}}` + "\n" + `{"resourceType":"Basic","subject":{"reference":"urn:uuid:2"}}` + "\n", "fhir:ndjson application/fhir+ndjson\npatient |1\npatient |2\n"},
		"array of FHIR":      {`[{"resourceType":"Basic","patient":{"type":"Patient","identifier":{"system":"s","value":"7"}}}]`, "fhir:ndjson application/fhir+ndjson\npatient s|7\n"},
		"FHIR cut off":       {observation[:strings.Index(observation, `"issued"`)], fhirHead + strings.Replace(observationFacts, "date 2019\n", "", 1) + "warning JSON: malformed or cut off: the rest was not read\n"},
		"escapes":            {`{"resourceType":"Patient","id":"\u0041\u00e9\ud83d\ude00\"\\\/\n","x":"\ud83d"}`, "fhir:Patient application/fhir+json\npatient |Aé😀\"\\/\n"},
		"JSON":               {`{"code":"x","system":"y","patient":{"reference":"Patient/1"}}`, "json application/json\n" + bare},
		"JSON malformed":     {`{"a":1}}`, "json application/json\nwarning JSON: malformed or cut off: the rest was not read\n"},
		"JSON bad escape":    {`{"a":"\x"}`, "json application/json\nwarning JSON: malformed or cut off: the rest was not read\n"},
		"JSON deep":          {strings.Repeat(`{"a":[`, 1000), "json application/json\nwarning JSON: nested more than 256 deep: the rest was not read\n"},
		"FHIR date too wild": {`{"resourceType":"Basic","created":"0001-01-01","onsetDateTime":"2019-02-30","d":"2019-03-1"}`, "fhir:Basic application/fhir+json\n" + bare},
		"timing":             {`{"resourceType":"Basic","timing":{"event":["2019-03-14","x"]}}`, "fhir:Basic application/fhir+json\ndate 2019-03-14\n"},
		"CDA":                {cda, "ccda text/xml\n" + cdaFacts},
		"CDA cut off":        {cda[:strings.Index(cda, "<component>")], "ccda text/xml\n" + strings.Replace(strings.Replace(strings.Replace(cdaFacts, "code 2.16.840.1.113883.6.90|I21.4\n", "", 1), "code 2.16.840.1.113883.6.96|401303003\n", "", 1), "date 2017-01-02\n", "", 1) + "warning XML: malformed or cut off: the rest was not read\n"},
		"FHIR in XML":        {`<Condition xmlns="http://hl7.org/fhir"><code><coding><system value="http://snomed.info/sct"/><code value="44054006"/></coding></code><subject><reference value="Patient/5"/></subject><onsetDateTime value="2012"/></Condition>`, "fhir:Condition application/fhir+xml\npatient |5\ncode http://snomed.info/sct|44054006\ndate 2012\n"},
		"XML":                {`<a><b code="1" codeSystem="2"/></a>`, "xml text/xml\n" + bare},
		"XML 1.1":            {`<?xml version='1.1' encoding="UTF-8"?><ClinicalDocument version="1.1"><title>Note</title></ClinicalDocument>`, "ccda text/xml\ntitle Note\n"},
		"XML deep":           {"<ClinicalDocument>" + strings.Repeat("<a>", 5000), "ccda text/xml\nwarning XML: nested more than 256 deep: the rest was not read\n"},
		"XML entity bomb":    {bomb(), "ccda text/xml\nwarning XML: malformed or cut off: the rest was not read\n"},
		"HL7 v2":             {oru, "hl7v2:ORU^R01 x-application/hl7-v2+er7\n" + oruFacts},
		"HL7 v2 line feeds":  {"\v" + strings.ReplaceAll(oru, "\r", "\r\n") + "\x1c\r", "hl7v2:ORU^R01 x-application/hl7-v2+er7\n" + oruFacts},
		"HL7 v2 batch":       {"FHS|^~\\&|a|b\rBHS|^~\\&|a\r" + oru + strings.ReplaceAll(oru, "ORU^R01", "ADT^A01"), "hl7v2:ORU^R01 x-application/hl7-v2+er7\n" + oruFacts},
		"HL7 v2 other marks": {strings.NewReplacer("|", "#", "^", "*").Replace(oru), "hl7v2:ORU^R01 x-application/hl7-v2+er7\n" + oruFacts},
		"HL7 v2 few marks": {"MSH|^~|LAS|LAB|||20190314||ORU^R01|1|P|2.3\rPID|1||MRLA7^^^CLAS A\rDG1|1||I21.4^LASA^I10\r",
			"hl7v2:ORU^R01 x-application/hl7-v2+er7\npatient CLAS A|MRLA7\ncode I10|I21.4\norg LAB\n"},
		"HL7 v2 Latin-2": {"MSH|^~\\&||Dvo\xf8\xe1k|||||ORU^R01|1|P|2.3||||||8859/2\rOBR|1|||||||||||||||1^\xe8ern\xfd^Ji\xf8\xed\r",
			"hl7v2:ORU^R01 x-application/hl7-v2+er7\nauthor Jiří černý\norg Dvořák\n"},
		"HL7 v2 mislabelled": {"MSH|^~\\&||Dvořák|||||ORU^R01|1|P|2.3||||||8859/2\r",
			"hl7v2:ORU^R01 x-application/hl7-v2+er7\norg Dvořák\n"},
		"HL7 v2 odd charset": {"MSH|^~\\&||Z\xfcrich|||||ORU^R01|1|P|2.3||||||MARTIAN\r",
			"hl7v2:ORU^R01 x-application/hl7-v2+er7\norg Zürich\n"},
		"HL7 v2 header only":  {"MSH|^~\\&|", "hl7v2 x-application/hl7-v2+er7\n" + bare},
		"text":                {"\n\n  Letter of referral \nSeen on 2019-03-14, again 2019-02-30 and 12019-03-15.\n", "text text/plain\ndate 2019-03-14\ntitle Letter of referral\n"},
		"text times":          {"Log\n2019-03-14T10:22:00Z, 2019-03-15T1, 2019-03-16Tea\n", "text text/plain\ndate 2019-03-14\ntitle Log\n"},
		"text Latin-1":        {"Grippe \xe0 la maison, depuis longtemps d\xe9j\xe0 sans am\xe9lioration notable", "text text/plain\ntitle Grippe à la maison, depuis longtemps déjà sans amélioration notable\n"},
		"empty":               {"", "binary application/octet-stream\n" + bare},
		"binary":              {"\x00\x01\x02\x03\xff\xfe\xfd", "binary application/octet-stream\n" + bare},
		"PNG":                 {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary image/png\n" + bare},
		"looks like a header": {"MSHello there, this is text", "text text/plain\ntitle MSHello there, this is text\n"},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := Extract(t.Context(), strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(doc); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			slow, err := Extract(t.Context(), iotest.OneByteReader(strings.NewReader(c.in)))
			if err != nil || show(slow) != c.want {
				t.Errorf("byte by byte: %v\n%s", err, show(slow))
			}
		})
	}
}

// bomb is the billion laughs.
func bomb() string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE lolz [<!ENTITY l0 \"lol\">")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "<!ENTITY l%d \"%s\">", i, strings.Repeat(fmt.Sprintf("&l%d;", i-1), 10))
	}
	b.WriteString("]><ClinicalDocument><title>&l11;</title></ClinicalDocument>")
	return b.String()
}

func TestReaderError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, in := range []string{observation[:500], cda[:900], oru[:200], "%PDF-1.4\n", "some text", string(dicomFile(explicitLittleEndian))[:200], "\x00\x01"} {
		doc, err := Extract(t.Context(), io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || doc.Kind == "" || doc.MediaType == "" || len(doc.Warnings) == 0 {
			t.Errorf("%.10q: %v, %+v", in, err, doc)
		}
	}
}

func TestSink(t *testing.T) {
	for _, in := range []string{observation, cda, oru, "", strings.Repeat("x\x00", 3<<20), "text"} {
		want, err := Extract(t.Context(), strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		s := NewSink(t.Context())
		n, err := io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{strings.NewReader(in)}, make([]byte, 1000))
		if err != nil || n != int64(len(in)) {
			t.Fatalf("%d of %d bytes, %v", n, len(in), err)
		}
		if got := s.Close(); show(got) != show(want) {
			t.Errorf("got\n%s\nwant\n%s", show(got), show(want))
		}
	}
}

// endless repeats a text up to a size.
type endless struct {
	head, text string
	left, at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), e.left)], e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= n
	return n, nil
}

// However large a record is, and wherever its bytes are, extraction takes little memory.
func TestLargeRecordsTakeLittleMemory(t *testing.T) {
	filler := strings.Repeat("QUJDREVG", 128)
	for name, r := range map[string]*endless{
		"JSON string":     {head: `{"resourceType":"Binary","id":"b","data":"`, text: filler},
		"JSON resources":  {text: strings.ReplaceAll(observation, "\n", " ") + "\n"},
		"JSON nothing":    {head: "[", text: "      "},
		"XML text":        {head: `<ClinicalDocument><title>T</title><text>`, text: filler},
		"XML attribute":   {head: `<ClinicalDocument><title>T</title><a b="`, text: filler},
		"XML elements":    {head: `<ClinicalDocument>`, text: `<a x="y"/>`},
		"HL7 v2 segment":  {head: oru + "OBX|9|ED|X^Y^L||", text: filler},
		"HL7 v2 segments": {head: oru, text: "OBX|1|NM|30180-4^BASOPHILS^LN||0\r"},
		"text":            {text: "A line of text, 2019-03-14.\n"},
		"one line":        {text: filler},
		"PDF":             {head: "%PDF-1.4\n", text: "1 0 obj << /Length 5 >> stream (((( /Title (x \n"},
		"DICOM":           {head: string(dicomFile(explicitLittleEndian)) + "\x09\x00\x10\x00OB\x00\x00\xff\xff\xff\x7f", text: filler},
		"binary":          {text: "\x00\x01\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			r.left = fileSize(t, largeSize)
			peak := watch(t, func() {
				doc, err := Extract(t.Context(), r)
				if err != nil || doc.Kind == "" {
					t.Errorf("%+v, %v", doc, err)
				}
			})
			if peak > 64<<20 {
				t.Errorf("took %d MiB", peak>>20)
			}
		})
	}
}

// watch runs f and returns by how much the heap grew at most, as far as sampling shows.
func watch(t *testing.T, f func()) uint64 {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m) // stops the world: not too often
	base, peak := m.HeapInuse, uint64(0)
	done := make(chan struct{})
	go func() { f(); close(done) }()
	for {
		select {
		case <-done:
			return peak
		default:
			runtime.ReadMemStats(&m)
			if m.HeapInuse > base {
				peak = max(peak, m.HeapInuse-base)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{observation, patient, cda, oru, "%PDF-1.4\n", "text 2019-01-01", bomb(), pdfFile, `[{"resourceType":"X"}]`,
		x12Claim, gzipped(patient), utf16Of(patient, binary.LittleEndian), healthCardCode(healthCard(patient)), `{\rtf1\ansi{\info{\title x}}\u252\'fc}`, "<html><title>x</title>",
		`<ADT_A01 xmlns="urn:hl7-org:v2xml"><MSH><MSH.9><MSG.1>ADT</MSG.1></MSH.9></MSH></ADT_A01>`, cdaWith(`<entry><act negationInd="true"><value code="1"/></act></entry>`),
		"MSH|^~\\&||||||||1|P|2.5||||||~ISO IR87\rOBR|1|||1^x^LN\rDG1|1||I21.4V^x^I10GM||2025||||||||||||||||D\r"} {
		f.Add([]byte(s))
	}
	for _, syntax := range []string{explicitLittleEndian, implicitLittleEndian, explicitBigEndian, deflatedLittleEndian} {
		f.Add(dicomFile(syntax))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := Extract(t.Context(), bytes.NewReader(data))
		if err != nil || doc.Kind == "" || doc.MediaType == "" {
			t.Fatalf("%+v, %v", doc, err)
		}
		for _, item := range doc.Facts().Items([16]byte{1}, 1, 1) {
			if item.Term == "" {
				t.Error("empty term")
			}
		}
	})
}
