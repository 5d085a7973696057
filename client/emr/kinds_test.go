package emr

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func utf16Of(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

const x12Claim = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *250302*1015*^*00501*000000001*0*P*:~" +
	"GS*HC*S*R*20250302*1015*1*X*005010X222A1~ST*837*0001*005010X222A1~NM1*85*2*ST ANNA*****XX*1234567893~" +
	"NM1*IL*1*MUSTER*VERA****MI*M-77~DMG*D8*19610704*F~HI*ABK:I214*ABF:E119~DTP*472*D8*20250301~SV1*HC:99213*100*UN*1~SE*9*0001~"

// A first character, or a word in the text, is only a hint: what does not go on like the
// format is text.
func TestFirstBytesAreHints(t *testing.T) {
	for in, want := range map[string]string{
		"[2025-03-02 10:15] Discharge letter\nDone 2025-03-04": "text text/plain\ndate 2025-03-02\ndate 2025-03-04\ntitle [2025-03-02 10:15] Discharge letter\n",
		"[1] First reference\n[2] Second":                      "text text/plain\ntitle [1] First reference\n",
		"[x] smoker [ ] drinker":                               "text text/plain\ntitle [x] smoker [ ] drinker\n",
		"[\"quoted\" he said]":                                 "text text/plain\ntitle [\"quoted\" he said]\n",
		"{Patient} was seen":                                   "text text/plain\ntitle {Patient} was seen\n",
		"{ \"quoted\" words }":                                 "text text/plain\ntitle { \"quoted\" words }\n",
		"<<< RADIOLOGY REPORT >>>\nStudy date 2025-03-02":      "text text/plain\ndate 2025-03-02\ntitle <<< RADIOLOGY REPORT\n",
		"<20 mg daily\n":                                       "text text/plain\ntitle <20 mg daily\n",
		"<Dr Muster> wrote on 2025-03-02":                      "text text/plain\ndate 2025-03-02\ntitle <Dr Muster> wrote on 2025-03-02\n",
		"<note> pulse < 60 on 2025-03-02":                      "text text/plain\ndate 2025-03-02\ntitle <note> pulse < 60 on 2025-03-02\n",
		"Letter\nThe file was sent as %PDF-1.4, see /Encrypt":  "text text/plain\ntitle Letter\n",
		"# Discharge letter\n\nOn 2025-03-02":                  "text text/plain\ndate 2025-03-02\ntitle Discharge letter\n",
		"-----\n===\nBefund":                                   "text text/plain\ntitle Befund\n",
		`[1, 2, "x"]`:                                          "json application/json\n" + bare,
		`[]`:                                                   "json application/json\n" + bare,
		`{}`:                                                   "json application/json\n" + bare,
		"<a><b/></a>":                                          "xml text/xml\n" + bare,
		"Отёк лёгких\nПоступил 2025-03-02\nЛечащий врач Иванова":                                "text text/plain\ndate 2025-03-02\ntitle Отёк лёгких\n",
		"Grüße\n" + strings.Repeat("ü", 4096):                                                   "text text/plain\ntitle Grüße\n",
		"Gr\xfc\xdfe\nÜberweisung":                                                              "text text/plain\ntitle Grüße\n",
		utf16Of("Überweisung\r\n2025-03-02", binary.LittleEndian):                               "text text/plain\ndate 2025-03-02\ntitle Überweisung\n",
		utf16Of("Отёк лёгких 2025-03-02", binary.BigEndian):                                     "text text/plain\ndate 2025-03-02\ntitle Отёк лёгких 2025-03-02\n",
		utf16Of(patient, binary.LittleEndian):                                                   "fhir:Patient application/fhir+json\npatient |p1\npatient http://hospital.example|MRN-7\npatient |123-45-6789\nborn 1959-02-03\norg General Hospital\n",
		utf16Of(strings.Replace(strings.Split(cda, "?>")[1], "\xf6", "ö", 1), binary.BigEndian): "ccda text/xml\n" + cdaFacts,
		utf16Of(oru, binary.LittleEndian):                                                       "hl7v2:ORU^R01 x-application/hl7-v2+er7\n" + oruFacts,
		gzipped(patient):                                                                        "fhir:Patient application/gzip\npatient |p1\npatient http://hospital.example|MRN-7\npatient |123-45-6789\nborn 1959-02-03\norg General Hospital\n",
		gzipped(strings.Repeat(patient+"\n", 9)):                                                "fhir:ndjson application/gzip\npatient |p1\npatient http://hospital.example|MRN-7\npatient |123-45-6789\nborn 1959-02-03\norg General Hospital\n",
		"PK\x03\x04\x14\x00\x00\x00\x08\x00" + strings.Repeat("x", 99):                          "binary application/zip\nwarning an archive, or compressed: its contents were not read; an import reads them\n",
	} {
		doc, err := Extract(t.Context(), strings.NewReader(in))
		if got := show(doc); err != nil || got != want {
			t.Errorf("%.40q: %v\n%s\nwant\n%s", in, err, got, want)
		}
	}
}

func TestDocumentsForPeople(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"RTF": {`{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}{\info{\title Arztbrief}{\author Dr. M\'fcller}{\creatim\yr2025\mo3\dy2\hr10}}` +
			`\pard\f0 Befund vom 2025-03-01\par Gr\u252\'fc\u223?e {\*\generator x;}\par}`,
			"rtf application/rtf\ndate 2025-03-02\ndate 2025-03-01\nauthor Dr. Müller\ntitle Arztbrief\ntitle Befund vom 2025-03-01\n"},
		"RTF in Cyrillic":  {`{\rtf1\ansi\ansicpg1251 \'cf\'e5\'f2\'f0}`, "rtf application/rtf\ntitle Петр\n"},
		"RTF in Shift-JIS": {`{\rtf1\ansi\ansicpg932 \'8d\'b2\'93\'a1}`, "rtf application/rtf\ntitle 佐藤\n"},
		"RTF cut off":      {`{\rtf1\ansi{\fonttbl{\f0 Arial;}} Befund`, "rtf application/rtf\ntitle Befund\nwarning RTF: malformed or cut off: the rest was not read\n"},
		"HTML": {`<!DOCTYPE html><html><head><title>Discharge &amp; letter</title><meta name="author" content="Dr. Muster"><meta name=date content=2025-03-02><script>var a = "2001-01-01"</script></head>` +
			`<body><h1>Befund</h1><p>seen 2025-03-01<p>never closed`,
			"html text/html\ndate 2025-03-02\ndate 2025-03-01\nauthor Dr. Muster\ntitle Discharge & letter\ntitle Befund\n"},
		"HTML in Latin-1": {"<html><head><meta charset=iso-8859-1><title>\xdcberweisung</title></head></html>", "html text/html\ntitle Überweisung\n"},
		"XHTML":           {`<?xml version="1.0"?><!-- x --><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Brief</title></head></html>`, "html text/html\ntitle Brief\n"},
	} {
		doc, err := Extract(t.Context(), strings.NewReader(c.in))
		if got := show(doc); err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
	}
}

func TestX12(t *testing.T) {
	doc, err := Extract(t.Context(), strings.NewReader(x12Claim))
	want := "x12:837 application/edi-x12\npatient |M-77\nborn 1961-07-04\ncode ICD-10-CM|I214\ncode ICD-10-CM|E119\ncode CPT|99213\ndate 2025-03-01\norg ST ANNA\n"
	if err != nil || show(doc) != want {
		t.Errorf("%v\n%s", err, show(doc))
	}
}

func TestHealthCard(t *testing.T) {
	for in, want := range map[string]string{
		"shlink:/eyJ1cmwiOiJodHRwczovL2V4YW1wbGUub3JnIn0":          "smart-health-card application/smart-health-card\nwarning a SMART health link: what it links to was not read\n",
		`{"verifiableCredential":["a.b.c"]}`:                       "smart-health-card application/smart-health-card\nwarning SMART health card: malformed or cut off: the rest was not read\n",
		"shc:/12":                                                  "smart-health-card application/smart-health-card\nwarning SMART health card: malformed or cut off: the rest was not read\n",
		`{"verifiableCredential":["` + healthCard(patient) + `"]}`: "smart-health-card application/smart-health-card\npatient |p1\npatient http://hospital.example|MRN-7\npatient |123-45-6789\nborn 1959-02-03\norg General Hospital\n",
		healthCardCode(healthCard(patient)):                        "smart-health-card application/smart-health-card\npatient |p1\npatient http://hospital.example|MRN-7\npatient |123-45-6789\nborn 1959-02-03\norg General Hospital\n",
	} {
		doc, err := Extract(t.Context(), strings.NewReader(in))
		if got := show(doc); err != nil || got != want {
			t.Errorf("%.40q: %v\n%s\nwant\n%s", in, err, got, want)
		}
	}
}

// healthCard makes an unsigned credential.
func healthCard(bundle string) string {
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, 9)
	if err != nil {
		panic(err)
	}
	deflatedWith(z, strings.NewReader(`{"iss":"x","vc":{"credentialSubject":{"fhirBundle":`+bundle+`}}}`))
	return "e30." + base64.RawURLEncoding.EncodeToString(packed.Bytes()) + ".AA"
}

// healthCardCode makes the text of a QR code.
func healthCardCode(card string) string {
	var b strings.Builder
	b.WriteString("shc:/")
	for _, c := range []byte(card) {
		fmt.Fprintf(&b, "%02d", c-45)
	}
	return b.String()
}

func TestXDSMetadata(t *testing.T) {
	const metadata = `<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><RegistryObjectList>
<ExtrinsicObject id="d1" mimeType="text/xml" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">
<Slot name="creationTime"><ValueList><Value>20250302</Value></ValueList></Slot><Slot name="serviceStartTime"><ValueList><Value>20250228</Value></ValueList></Slot>
<Slot name="sourcePatientId"><ValueList><Value>7^^^HospA&amp;1.2.3&amp;ISO</Value></ValueList></Slot><Name><LocalizedString value="Letter"/></Name>
<Classification classificationScheme="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d" classifiedObject="d1" nodeRepresentation=""><Slot name="authorPerson"><ValueList><Value>^Meier^Eva</Value></ValueList></Slot><Slot name="authorInstitution"><ValueList><Value>St Anna^^^^^&amp;1.2&amp;ISO</Value></ValueList></Slot></Classification>
<Classification classificationScheme="urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4" classifiedObject="d1" nodeRepresentation="F32.1"><Slot name="codingScheme"><ValueList><Value>2.16.840.1.113883.6.3</Value></ValueList></Slot><Name><LocalizedString value="Depression"/></Name></Classification>
<Classification classificationScheme="urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f" classifiedObject="d1" nodeRepresentation="R"><Slot name="codingScheme"><ValueList><Value>2.16.840.1.113883.5.25</Value></ValueList></Slot></Classification>
<ExternalIdentifier identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427" value="9^^^&amp;1.2.9&amp;ISO"><Name><LocalizedString value="XDSDocumentEntry.patientId"/></Name></ExternalIdentifier>
</ExtrinsicObject></RegistryObjectList></lcm:SubmitObjectsRequest>`
	doc, err := Extract(t.Context(), strings.NewReader(metadata))
	if want := "xds-metadata text/xml\npatient 1.2.9|9\npatient HospA|7\npatient 1.2.3|7\ncode 2.16.840.1.113883.6.3|F32.1\ndate 2025-03-02\ndate 2025-02-28\n" +
		"author Eva Meier\norg St Anna\ntitle Letter\nconfidentiality R\n"; err != nil || show(doc) != want || len(doc.Incomplete) > 0 {
		t.Errorf("%v %q\n%s", err, doc.Incomplete, show(doc))
	}
	for _, damage := range []string{"<Slot", "ExtrinsicObject", "Classification ", "f4f85eac", "nodeRepresentation=\"R\"", "RegistryObjectList", "Value>2.16.840.1.113883.5.25<"} {
		at := strings.LastIndex(metadata, damage) + len(damage)/2
		doc, _ := Extract(t.Context(), strings.NewReader(metadata[:at]+metadata[at+1:]))
		if len(doc.Incomplete) == 0 && len(doc.Confidentiality) == 0 {
			t.Errorf("%s: the label is lost", damage)
		}
	}
}

func TestAppleHealth(t *testing.T) {
	doc, err := Extract(t.Context(), strings.NewReader(`<?xml version="1.0"?><!DOCTYPE HealthData [<!ELEMENT HealthData ANY>]><HealthData locale="de_DE"><ExportDate value="2025-04-01 10:00:00 +0100"/>`+
		`<Me HKCharacteristicTypeIdentifierDateOfBirth="1961-07-04"/><Record type="HKQuantityTypeIdentifierHeartRate" startDate="2025-03-02 10:15:00 +0100" endDate="2025-03-02 10:16:00 +0100" creationDate="2025-03-09 10:00:00 +0100"/></HealthData>`))
	if want := "apple-health text/xml\nborn 1961-07-04\ncode apple-health|HKQuantityTypeIdentifierHeartRate\ndate 2025-03-02\n"; err != nil || show(doc) != want {
		t.Errorf("%v\n%s", err, show(doc))
	}
}
