package importer_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/chartseal/chartseal/client/importer"
)

const labelRules = `
rules:
  - {name: very restricted, match: {confidentiality: V}, policy: 'HospitalA:role=head'}
  - {name: restricted, match: {confidentiality: R}, policy: 'HospitalA:role=psychiatrist'}
  - {name: psychiatry, match: {code: 'icd10:F'}, policy: 'HospitalA:role=psychiatrist'}
  - {name: ward, match: {department: Psychiatry}, policy: 'HospitalA:role=psychiatrist'}
  - {name: everybody, policy: 'HospitalA:role=doctor or HospitalB:role=doctor'}
`

// plan returns the row of each record, by its file.
func plan(t *testing.T, rules string, files map[string]string) map[string]importer.Row {
	t.Helper()
	rows := make(map[string]importer.Row)
	planJob(t, &importer.Job{Report: func(r importer.Row) error {
		rows[r.File] = r
		return nil
	}}, rules, files)
	if len(rows) != len(files) {
		t.Fatalf("%d rows for %d files", len(rows), len(files))
	}
	return rows
}

// planSplit splits bundles. It returns the row of each record by its file and, after a
// "#", its number there.
func planSplit(t *testing.T, rules string, files map[string]string) map[string]importer.Row {
	t.Helper()
	rows := make(map[string]importer.Row)
	planJob(t, &importer.Job{Split: true, Report: func(r importer.Row) error {
		rows[fmt.Sprintf("%s#%d", r.File, r.Part)] = r
		return nil
	}}, rules, files)
	return rows
}

func planJob(t *testing.T, j *importer.Job, rules string, files map[string]string) {
	t.Helper()
	var err error
	j.Rules, err = importer.ParseRules([]byte(rules))
	check(t, err)
	j.Source = tree(t, files)
	_, err = j.Plan(t.Context())
	check(t, err)
}

// stride is the distance between the bytes that a test damages, in the short suite. The
// long suite damages every byte.
func stride(short int) int {
	if testing.Short() {
		return short
	}
	return 1
}

// Label forms. V marks the place of the code.
const (
	v3URI  = `"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality",`
	coding = `{"system":"urn:oid:2.16.840.1.113883.5.25","code":"V"}`
	f32    = `{"system":"http://hl7.org/fhir/sid/icd-10","code":"F32.1"}`
)

func fhirRecord(meta string) string {
	return `{"resourceType":"Condition","id":"c","meta":{"security":[` + meta + `]},"subject":{"reference":"Patient/1"}}`
}

func cdaRecord(label, rest string) string {
	return `<ClinicalDocument xmlns="urn:hl7-org:v3"><title>T</title>` + label + `<recordTarget><patientRole><id extension="1"/></patientRole></recordTarget>` + rest + `</ClinicalDocument>`
}

const cdaLabel = `<confidentialityCode code="V" codeSystem="2.16.840.1.113883.5.25"/>`

func fhirXMLRecord(label string) string {
	return `<Condition xmlns="http://hl7.org/fhir"><id value="c"/><meta><security>` + label + `</security></meta><subject><reference value="Patient/1"/></subject></Condition>`
}

func hl7Record(segments ...string) string {
	return "MSH|^~\\&|A|B|C|D|20200101||MDM^T02|1|P|2.9\rPID|1||7^^^H\r" + strings.Join(segments, "\r") + "\r"
}

const txa = "TXA|1|CN|TX|||||||||||||||V"

// dicomElement writes one in explicit VR, little endian.
func dicomElement(tag uint32, vr, value string) string {
	if len(value)%2 == 1 {
		value += " "
	}
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(tag))
	if vr == "SQ" {
		return string(binary.LittleEndian.AppendUint32(append(b, "SQ\x00\x00"...), uint32(len(value)))) + value
	}
	return string(binary.LittleEndian.AppendUint16(append(b, vr...), uint16(len(value)))) + value
}

func dicomRecord(elements string) string {
	return dicomSyntax("1.2.840.10008.1.2.1", elements)
}

func dicomSyntax(syntax, elements string) string {
	return strings.Repeat("\x00", 128) + "DICM" + dicomElement(0x00020010, "UI", syntax) + elements
}

func deflated(s string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

const dicomV = "\x40\x00\x08\x10LO\x02\x00V "

// Every format has a place for a confidentiality, or several. It is read from each.
func TestConfidentialityIsReadFromEveryFormat(t *testing.T) {
	files := map[string]string{
		"oid":                 fhirRecord(coding),
		"bare oid":            fhirRecord(`{"system":"2.16.840.1.113883.5.25","code":"V"}`),
		"uri":                 fhirRecord(`{` + v3URI + `"code":"V"}`),
		"old uri":             fhirRecord(`{"system":"http://hl7.org/fhir/v3/Confidentiality","code":"V"}`),
		"https, slash":        fhirRecord(`{"system":"https://terminology.hl7.org/CodeSystem/v3-Confidentiality/","code":"v"}`),
		"version":             fhirRecord(`{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality|2018-08-12","code":"V"}`),
		"no system":           fhirRecord(`{"code":"V"}`),
		"name only":           fhirRecord(`{` + v3URI + `"display":"very restricted"}`),
		"second":              fhirRecord(`{"system":"http://x","code":"HTEST"},` + coding),
		"contained":           `{"resourceType":"Condition","contained":[{"resourceType":"Basic","meta":{"security":[` + coding + `]}}]}`,
		"entry":               `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic","id":"1"}},{"resource":` + fhirRecord(coding) + `}]}`,
		"document reference":  `{"resourceType":"DocumentReference","securityLabel":[{"coding":[` + coding + `]}]}`,
		"composition":         `{"resourceType":"Composition","confidentiality":"V"}`,
		"XML":                 fhirXMLRecord(`<system value="urn:oid:2.16.840.1.113883.5.25"/><code value="V"/>`),
		"XML composition":     `<Composition xmlns="http://hl7.org/fhir"><confidentiality value="V"/></Composition>`,
		"C-CDA":               cdaRecord(cdaLabel, ""),
		"C-CDA section":       cdaRecord(`<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>`, `<component><section>`+cdaLabel+`</section></component>`),
		"C-CDA translation":   cdaRecord(`<confidentialityCode nullFlavor="OTH"><translation code="V" codeSystem="2.16.840.1.113883.5.25"/></confidentialityCode>`, ""),
		"TXA-18":              hl7Record(txa),
		"TXA-18 coded":        hl7Record(txa + "^Very restricted^HL70272"),
		"ORC-28":              hl7Record("TXA|1", "ORC|RE"+strings.Repeat("|", 27)+"V^very restricted^HL70177"),
		"PID":                 hl7Record("TXA|1", "PID|1||7^^^H||A^B|||||||||||||||V^^2.16.840.1.113883.5.25"),
		"ARV":                 hl7Record("TXA|1", "ARV|1|A|DEM||||V^^HL70952"),
		"MSH-26":              "MSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.9" + strings.Repeat("|", 14) + "V\rPID|1||7\r",
		"DICOM":               dicomRecord(dicomElement(0x00100020, "LO", "1") + dicomV),
		"DICOM constraint":    dicomRecord(dicomElement(0x00403001, "LO", "Very restricted")),
		"DICOM deflated":      dicomSyntax("1.2.840.10008.1.2.1.99", deflated(dicomV)),
		"DICOM in a sequence": dicomRecord(dicomElement(0x00321064, "SQ", "\xfe\xff\x00\xe0\x0a\x00\x00\x00"+dicomV)),
	}
	for name, row := range plan(t, labelRules, files) {
		if row.Status != importer.StatusSealed || row.Rule != "very restricted" {
			t.Errorf("%s: %s %s by rule %q: %s", name, row.Kind, row.Status, row.Rule, row.Reason)
		}
	}
}

// Labels whose rank is not known, and records that were not read in full, are not sealed
// for everybody.
func TestIncompleteRecordsFailClosed(t *testing.T) {
	many := func(format string) string {
		var b strings.Builder
		for i := range 9000 {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	codes := many(`{"system":"http://x","code":"%d"},`)
	files := map[string]string{
		"300 contained":         strings.Repeat(`{"resourceType":"Basic","contained":[`, 300) + fhirRecord(coding) + strings.Repeat(`]}`, 300),
		"after malformed":       `{"resourceType":"Condition","onset":2020-01-01x,"meta":{"security":[` + coding + `]}}`,
		"after bad escape":      `{"resourceType":"Condition","text":"\x","meta":{"security":[` + coding + `]}}`,
		"after garbage":         fhirRecord(`{"code":"N"}`) + "]" + fhirRecord(coding),
		"after 8192 codes":      `{"resourceType":"Condition","category":[{"coding":[` + codes + f32 + `]}]}`,
		"long code":             `{"resourceType":"Condition","serviceType":{"coding":[{"system":"x","code":"y","display":"` + strings.Repeat("x", 2000) + `Psychiatry"}]}}`,
		"code is a number":      fhirRecord(`{` + v3URI + `"code":5}`),
		"code is missing":       fhirRecord(`{` + v3URI + `"_code":{"extension":[]}}`),
		"code is twice":         fhirRecord(`{` + v3URI + `"code":"V","code":"N"}`),
		"label is null":         fhirRecord(`null`),
		"composition, null":     `{"resourceType":"Composition","confidentiality":null}`,
		"composition, list":     `{"resourceType":"Composition","confidentiality":["V"]}`,
		"composition, object":   `{"resourceType":"Composition","confidentiality":{"code":"V"}}`,
		"composition, number":   `{"resourceType":"Composition","confidentiality":5}`,
		"XML composition":       `<Composition xmlns="http://hl7.org/fhir"><confidentiality id="V"/></Composition>`,
		"label is unknown":      fhirRecord(`{` + v3URI + `"code":"TOP"}`),
		"no resource type":      `{"meta":{"security":[` + coding + `]}}`,
		"inside other JSON":     `{"data":{"x":{"resourceType":"Condition","code":{"text":"none"}}}}`,
		"FHIR without a brace":  fhirRecord(coding)[1:],
		"UTF-16 without a mark": strings.Join(strings.Split(fhirRecord(coding), ""), "\x00") + "\x00",
		"XML without namespace": strings.Replace(fhirXMLRecord(`<system value="urn:oid:2.16.840.1.113883.5.25"/><code value="V"/>`), ` xmlns="http://hl7.org/fhir"`, "", 1),
		"XML not closed":        `<Condition xmlns="http://hl7.org/fhir"><id value="c"><meta></id>` + cdaLabel,
		"C-CDA above 16 MiB":    cdaRecord("", strings.Repeat("<text>"+strings.Repeat("x", 1<<20)+"</text>", 17)+cdaLabel),
		"C-CDA in an envelope":  `<soap:Envelope xmlns:soap="x"><soap:Body>` + cdaRecord(cdaLabel, "") + `</soap:Body></soap:Envelope>`,
		"C-CDA without a code":  cdaRecord(`<confidentialityCode nullFlavor="MSK"/>`, ""),
		"C-CDA deep":            cdaRecord("", strings.Repeat("<component>", 300)+cdaLabel+strings.Repeat("</component>", 300)),
		"C-CDA many attributes": cdaRecord("", "<a "+many(`a%d="" `)+many(`b%d="" `)+many(`c%d="" `)+many(`d%d="" `)+many(`e%d="" `)+many(`f%d="" `)+many(`g%d="" `)+many(`h%d="" `)+"/>"+cdaLabel),
		"C-CDA entity":          cdaRecord(`<confidentialityCode code="&conf;"/>`, ""),
		"HL7 unknown":           hl7Record(txa + "X"),
		"HL7 long segment":      hl7Record("TXA|1|CN|" + strings.Repeat(strings.Repeat("x", 30<<10)+"|", 15) + "V"),
		"HL7 line break":        hl7Record("TXA|1|CN|TX|||||||two\nlines|||||||V"),
		"HL7 no header":         hl7Record(txa)[3:],
		"HL7 header lost":       hl7Record(txa)[strings.Index(hl7Record(txa), "PID"):],
		"HL7 TXA lost":          hl7Record("OBX|1|TX|1^T^L||x|"),
		"HL7 TXA cut off":       strings.TrimSuffix(hl7Record(txa), "|V\r"),
		"HL7 batch cut off":     "FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.9\rPID|1||7\r",
		"HL7 repetitions":       hl7Record("TXA|1", "DG1|1||"+strings.Repeat("1^a^L~", 300)+"F32^x^I10"),
		"DICOM without prefix":  strings.Replace(dicomRecord(dicomV), "DICM", "DICX", 1),
		"DICOM cut off":         dicomRecord(dicomElement(0x00100020, "LO", "1") + dicomV)[:132+30],
		"DICOM in a short item": dicomRecord(dicomElement(0x00321064, "SQ", "\xfe\xff\x00\xe0\x0a\x00\x00\x00"+dicomV))[:132+46],
		"DICOM bad VR":          dicomRecord("\x10\x00\x20\x00\x00\x00\x00\x00" + dicomV),
		"DICOM unknown":         dicomRecord(dicomElement(0x00401008, "LO", "ask Dr. House")),
		"archive":               "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + deflated(fhirRecord(coding)),
		"archive in bytes":      strings.Repeat("\x01\xff\x80", 1<<18) + zipped(t, "c.json", fhirRecord(coding)),
		"image of a disk":       strings.Repeat("\x00", 32<<10) + "\x01CD001\x01\x00" + strings.Repeat("\x00\x01", 1<<18) + fhirRecord(coding),
		"mail":                  "From: a@b\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(fhirRecord(coding))) + "\n",
		"signed":                "-----BEGIN PKCS7-----\n" + base64.StdEncoding.EncodeToString([]byte(fhirRecord(coding))) + "\n-----END PKCS7-----\n",
		"program in an archive": zipped(t, "META-INF/MANIFEST.MF", "x", "c.json", fhirRecord(coding)),
		"long text":             "A letter.\n" + strings.Repeat("word ", 300<<10),
	}
	for name, row := range plan(t, labelRules, files) {
		if row.Status != importer.StatusFailed && row.Rule != "very restricted" || row.Status == importer.StatusFailed && !strings.Contains(row.Reason, "not read in full") {
			t.Errorf("%s: %s %s by rule %q: %s", name, row.Kind, row.Status, row.Rule, row.Reason)
		}
	}
	// An older code is restricted at least. It may be very restricted.
	hiv := hl7Record("TXA|1", "ORC|RE"+strings.Repeat("|", 27)+"HIV")
	if row := plan(t, labelRules, map[string]string{"hiv": hiv})["hiv"]; row.Status != importer.StatusFailed || !strings.Contains(row.Reason, "restricted would take it") {
		t.Errorf("%+v", row)
	}
	both := "rules: [{name: a, match: {confidentiality: [R, V]}, policy: A:x}, {policy: A:y}]"
	if row := plan(t, both, map[string]string{"hiv": hiv})["hiv"]; row.Rule != "a" {
		t.Errorf("%+v", row)
	}
	// A rule that takes incomplete records takes them all.
	taken := strings.Replace(labelRules, "{name: everybody,", "{name: everybody, incomplete: true,", 1)
	for name, row := range plan(t, taken, files) {
		if row.Status != importer.StatusSealed {
			t.Errorf("%s: %s: %s", name, row.Status, row.Reason)
		}
	}
	// Rules that do not look at content need no complete record.
	for name, row := range plan(t, "rules: [{match: {path: '*'}, policy: A:x}, {policy: A:y}]", files) {
		if row.Status != importer.StatusSealed || row.Rule != "rule 1" {
			t.Errorf("%s: %s: %s", name, row.Status, row.Reason)
		}
	}
}

// Wherever a record is cut off or one byte is damaged, it is sealed as its label asks, or
// not at all.
func TestDamagedRecordsKeepTheirPolicy(t *testing.T) {
	records := map[string]string{
		"FHIR":       fhirRecord(`{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}`),
		"FHIR XML":   fhirXMLRecord(`<system value="http://terminology.hl7.org/CodeSystem/v3-Confidentiality"/><code value="V"/>`),
		"C-CDA":      cdaRecord(cdaLabel, ""),
		"HL7 TXA-18": hl7Record(txa),
	}
	for format, text := range records {
		files := make(map[string]string)
		for at := 1; at < len(text); at += stride(5) {
			if format == "HL7 TXA-18" { // its fields are told by their place alone
				if at > 8 {
					files[fmt.Sprintf("%04d cut", at)] = text[:at]
				}
				if at <= strings.Index(text, "TXA") {
					files[fmt.Sprintf("%04d lost", at)] = text[at:]
				}
				continue
			}
			files[fmt.Sprintf("%04d cut", at)] = text[:at]
			if at < strings.LastIndex(text, "V") {
				files[fmt.Sprintf("%04d lost", at)] = text[at:]
			}
			for _, c := range "x\x00\"<" {
				files[fmt.Sprintf("%04d %x", at, c)] = text[:at] + string(c) + text[at+1:]
			}
			files[fmt.Sprintf("%04d gone", at)] = text[:at] + text[at+1:]
		}
		wide := 0
		for name, row := range plan(t, labelRules, files) {
			if row.Status == importer.StatusSealed && row.Rule != "very restricted" {
				if wide++; wide < 40 {
					t.Errorf("%s %s: rule %q: %.300q", format, name, row.Rule, files[name])
				}
			}
		}
		t.Logf("%s: %d of %d damaged records got a wider policy", format, wide, len(files))
	}
}

// A bundle's own label reaches the entries that are split off, wherever the bundle is
// damaged. The stricter label of bundle and entry counts.
func TestSplitKeepsTheBundlesLabel(t *testing.T) {
	bundle := func(meta string, entries ...string) string {
		return `{"resourceType":"Bundle",` + meta + `"type":"collection","entry":[{"resource":` + strings.Join(entries, `},{"resource":`) + `}]}`
	}
	labelled := func(label string) string { return `"meta":{"security":[{` + v3URI + `"code":"` + label + `"}]},` }
	plain, normal, restricted := `{"resourceType":"Basic","id":"1"}`, fhirRecord(`{"code":"N"}`), fhirRecord(`{"code":"R"}`)
	after := strings.TrimSuffix(bundle("", plain), "}") + `,"meta":{"security":[` + coding + `]}}`
	rows := planSplit(t, labelRules, map[string]string{
		"label":          bundle(labelled("V"), plain, normal, restricted),
		"label at last":  after,
		"line.ndjson":    bundle(labelled("V"), plain) + "\n" + bundle(labelled("R"), plain) + "\n" + plain + "\n",
		"weaker":         bundle(labelled("N"), restricted, plain),
		"oid":            bundle(`"meta":{"security":[`+coding+`]},`, normal),
		"an inner one":   bundle("", bundle(labelled("V"), plain)),
		"not a code":     bundle(`"meta":{"security":[null]},`, plain, restricted),
		"unknown":        bundle(labelled("TOP"), plain),
		"of its entries": bundle("", plain, fhirRecord(coding)),
	})
	const very, r, all, failed = "very restricted", "restricted", "everybody", ""
	for file, want := range map[string][]string{
		"label": {very, very, very}, "label at last": {very}, "line.ndjson": {very, r, all}, "weaker": {r, all}, "oid": {very}, "an inner one": {very},
		"not a code": {failed, failed}, "unknown": {failed}, "of its entries": {all, very},
	} {
		for i, rule := range want {
			row := rows[fmt.Sprintf("%s#%d", file, i+1)]
			if rule == failed && row.Status != importer.StatusFailed || rule != failed && row.Rule != rule {
				t.Errorf("%s, entry %d: %s by rule %q: %s", file, i+1, row.Status, row.Rule, row.Reason)
			}
		}
	}
	files := make(map[string]string)
	for name, text := range map[string]string{"before": bundle(labelled("V"), plain, normal), "after": after} {
		for at := 1; at < len(text); at += stride(17) {
			files[fmt.Sprintf("%s %04d cut", name, at)] = text[:at]
			if at < strings.LastIndex(text, "V") {
				files[fmt.Sprintf("%s %04d lost", name, at)] = text[at:]
			}
			for _, c := range "x\x00\"<{}" {
				files[fmt.Sprintf("%s %04d %x", name, at, c)] = text[:at] + string(c) + text[at+1:]
			}
			files[fmt.Sprintf("%s %04d gone", name, at)] = text[:at] + text[at+1:]
		}
	}
	for name, row := range planSplit(t, labelRules, files) {
		file, _, _ := strings.Cut(name, "#")
		if row.Status == importer.StatusSealed && row.Rule != very {
			t.Errorf("%s: rule %q: %q", name, row.Rule, files[file])
		}
	}
}

// A file of several resources is taken apart in every encoding, or there is a warning.
func TestSplitInEveryEncoding(t *testing.T) {
	condition := func(code string) string {
		return `{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"` + code + `"}],"text":"Größe"}}`
	}
	batch := "BHS|^~\\&|A\rMSH|^~\\&|a|b\rPID|1||7\rDG1|1||F32.1^Größe^I10\rMSH|^~\\&|a|b\rPID|1||8\rDG1|1||I21.4^x^I10\rBTS|2\r"
	texts := map[string]string{
		"a.ndjson":    condition("F32.1") + "\n" + condition("I21.4") + "\n",
		"lines.json":  condition("F32.1") + "\n" + condition("I21.4") + "\n",
		"array.json":  "[\n" + condition("F32.1") + ",\n" + condition("I21.4") + "]",
		"bundle.json": `{"resourceType":"Bundle","entry":[{"resource":` + condition("F32.1") + `},{"resource":` + condition("I21.4") + `}]}`,
		"cr.hl7":      batch,
		"lf.hl7":      strings.ReplaceAll(batch, "\r", "\n"),
	}
	const xml = `<Bundle xmlns="http://hl7.org/fhir"><entry><resource><Condition/></resource></entry></Bundle>`
	files := make(map[string]string)
	encode := func(name, text string) {
		big, little := "", ""
		for _, u := range utf16.Encode([]rune(text)) {
			big += string([]byte{byte(u >> 8), byte(u)})
			little += string([]byte{byte(u), byte(u >> 8)})
		}
		for encoding, text := range map[string]string{"plain": text, "marked": "\ufeff" + text, "big": "\xfe\xff" + big, "little": "\xff\xfe" + little, "unmarked": little} {
			files[encoding+"-"+name] = text
		}
	}
	for name, text := range texts {
		encode(name, text)
	}
	encode("bundle.xml", xml)
	rows := planSplit(t, "rules:\n  - name: sad\n    match: {code: [\"icd10:F\"]}\n    policy: "+nurses+"\n  - name: rest\n    policy: "+doctors+"\n", files)
	for file := range files {
		if strings.HasSuffix(file, ".xml") {
			if row := rows[file+"#0"]; len(row.Warnings) != 1 || !strings.Contains(row.Warnings[0], "sealed whole") {
				t.Errorf("%s: %+v", file, row)
			}
			continue
		}
		if one, two := rows[file+"#1"], rows[file+"#2"]; one.Rule != "sad" || two.Rule != "rest" || rows[file+"#0"].File != "" {
			t.Errorf("%s: %+v, %+v", file, one, two)
		}
	}
}
