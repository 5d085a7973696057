package emr

import (
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/extraction.md")

const extractionPage = "../../docs/extraction.md"

// docTable compares a table of the page with that of the code, or writes it.
func docTable(t *testing.T, name string, rows []string) {
	t.Helper()
	page, err := os.ReadFile(extractionPage)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- table "+name+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(page), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table %s", extractionPage, name)
	}
	want := strings.Join(rows, "\n") + "\n"
	if *update {
		if err := os.WriteFile(extractionPage, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the table %s of %s differs from the code; 'go test ./client/emr -run TestDocs -update' writes it\n%s", name, extractionPage, want)
	}
}

// The page lists the fields that are read, each is read as the page says, and no other
// field is read as a date, a person or an identifier.
func TestDocsHL7(t *testing.T) {
	rows := []string{"| segment | fields |", "|---|---|"}
	for _, segment := range slices.Sorted(maps.Keys(hl7Table)) {
		var uses []hl7Use
		fields := make(map[hl7Use][]string)
		for _, f := range hl7Table[segment] {
			if fields[f.use] == nil {
				uses = append(uses, f.use)
			}
			number := fmt.Sprint(f.number)
			if f.to > 0 {
				number += fmt.Sprintf(" (to %d)", f.to)
			}
			fields[f.use] = append(fields[f.use], number)
		}
		var cells []string
		for _, u := range uses {
			cells = append(cells, strings.Join(fields[u], ", ")+": "+string(u))
		}
		rows = append(rows, fmt.Sprintf("| %s | %s |", segment, strings.Join(cells, "; ")))
	}
	docTable(t, "hl7v2", rows)

	const day = "20110203"
	terms := func(segment string, field int, value string) []string {
		line := segment + strings.Repeat("|", field) + value
		header := "MSH|^~\\&|A|B|||||ADT^A08|1|P|2.5\r"
		if segment == "OBX" {
			line = strings.Replace(line, "OBX||", "OBX|1|DT", 1)
		}
		if isHL7Header(segment) {
			header, line = "", segment+"|^~\\&"+strings.Repeat("|", field-2)+value
		}
		doc, err := Extract(t.Context(), strings.NewReader(header+line+"\r"))
		if err != nil {
			t.Fatal(err)
		}
		found := termsOf(doc)
		for _, c := range doc.Confidentiality {
			found = append(found, "confidentiality:"+c)
		}
		for _, d := range doc.Departments {
			found = append(found, "department:"+d)
		}
		return found
	}
	for segment, table := range hl7Table {
		read := make(map[int]bool)
		for _, f := range table {
			read[f.number], read[f.to] = true, true
			probe := map[hl7Use][2]string{
				hl7Identifier: {"probe-1", "patient:probe-1"}, hl7Born: {day, "born:2011-02-03"}, hl7Date: {day, "date:2011-02-03"}, hl7From: {day, "date:2011-02-03"},
				hl7Range: {day + "^20120304", "date:2012-03-04"}, hl7Code: {"I21.4^Herz^I10", "icd10:I21.4"}, hl7Text: {"probe", "word:probe"}, hl7Title: {"probe", "word:probe"},
				hl7Person: {"1^Probe^Vera", "author:probe"}, hl7Organisation: {"probe", "org:probe"}, hl7Department: {"probe", "department:probe"}, hl7Label: {"V", "confidentiality:V"},
				hl7Value: {day, "date:2011-02-03"},
			}[f.use]
			switch {
			case f.use == hl7Context || f.use == hl7Message || segment == "OBX" && f.number < 4: // TestHL7Contexts has them
				continue
			case f.kind == timingKind:
				probe[0] = "^^^" + day + "^20120304"
			case f.kind == interpreterKind:
				probe[0] = "1&Probe&Vera^" + day
			case f.kind == protectionKind:
				probe = [2]string{"Y", "confidentiality:R"}
			}
			if segment == "OBX" && f.number == 5 {
				probe[0] = day
			}
			if !slices.ContainsFunc(terms(segment, f.number, probe[0]), func(term string) bool { return term == probe[1] || strings.HasSuffix(term, ":"+probe[1]) }) {
				t.Errorf("%s-%d is not read as %s", segment, f.number, f.use)
			}
		}
		for n := 3; n < 60; n++ {
			if read[n] || isHL7Header(segment) && n < 3 {
				continue
			}
			for _, value := range []string{day, "1^Probe^Vera"} {
				for _, term := range terms(segment, n, value) {
					if strings.Contains(term, "2011") || strings.Contains(term, "probe") {
						t.Errorf("%s-%d is read (%s), and the page does not say so", segment, n, term)
					}
				}
			}
		}
	}
}

func TestDocsDICOM(t *testing.T) {
	list := func(tags map[uint32]bool) string {
		var out []string
		for _, tag := range slices.Sorted(maps.Keys(tags)) {
			out = append(out, fmt.Sprintf("(%04X,%04X)", tag>>16, tag&0xffff))
		}
		return strings.Join(out, " ")
	}
	groups := []struct {
		as          string
		tags        map[uint32]bool
		value, term string
	}{
		{"identifier of the patient, with its issuer", set[uint32](tagPatientID, tagIssuer, tagIssuerEntity, tagOtherIDs), "probe", "patient:probe"},
		{"date of birth", set[uint32](tagBirthDate), "20110203", "born:2011-02-03"},
		{"code and its text, in any sequence", set[uint32](tagCodeValue, tagLongCodeValue, tagURNCodeValue, tagCodeScheme, tagCodeMeaning), "", ""},
		{"date", dicomDates, "20110203", "date:2011-02-03"},
		{"author, all groups of the name", dicomAuthors, "Probe^Vera", "author:probe"},
		{"words", dicomTitles, "probe", "word:probe"},
		{"kind and modality", set[uint32](tagModality, tagModalities), "CT", "modality:ct"},
		{"organisation", set[uint32](tagInstitution, tagVerifyingOrg), "probe", "org:probe"},
		{"department", set[uint32](tagDepartment), "", ""},
		{"confidentiality", set[uint32](tagConfidentiality, tagConfidentialityConstraint), "", ""},
		{"how the others are written", set[uint32](tagTransferSyntax, tagCharset), "", ""},
	}
	rows := []string{"| read as | elements |", "|---|---|"}
	all := make(map[uint32]bool)
	for _, g := range groups {
		rows = append(rows, fmt.Sprintf("| %s | %s |", g.as, list(g.tags)))
		for tag := range g.tags {
			all[tag] = true
			if g.term == "" || tag == tagIssuer || tag == tagIssuerEntity {
				continue
			}
			w := dicomWriter{order: binary.LittleEndian}
			w.WriteString(dicomFileHead(explicitLittleEndian))
			w.element(tag, "LO", g.value)
			doc, err := Extract(t.Context(), &w.Buffer)
			if err != nil || !slices.Contains(termsOf(doc), g.term) {
				t.Errorf("(%04X,%04X) is not read as %s: %v\n%s", tag>>16, tag&0xffff, g.as, err, show(doc))
			}
		}
	}
	if !maps.Equal(all, wantedDICOM) {
		t.Error("elements are read that no row of the table has")
	}
	docTable(t, "dicom", rows)
}

func TestDocsCDA(t *testing.T) {
	entry := func(content string) string {
		return `<entry><observation classCode="OBS" moodCode="EVN">` + content + `</observation></entry>`
	}
	rows := []string{"| element | read as |", "|---|---|"}
	for _, c := range []struct{ element, as, xml, term string }{
		{"`recordTarget/patientRole/id`", "identifier of the patient: root, name of the authority, extension", cdaWith(""), "patient:anna|p-1"},
		{"`recordTarget/patientRole/patient/birthTime`", "date of birth", cdaWith(""), "born:1961-07-04"},
		{"`sdtc:deceasedTime`", "date", cdaWith(""), "date:2025-06-01"},
		{"`ClinicalDocument/title`", "title", cdaWith(""), "word:t"},
		{"`effectiveTime`, `time`: `@value`, `center`", "date", cdaWith(entry(`<effectiveTime value="20110203"/>`)), "date:2011-02-03"},
		{"`low`, `high` of any time", "period", cdaWith(entry(`<effectiveTime><low value="20110103"/><high value="20110503"/></effectiveTime>`)), "during:2011-03"},
		{"any element with `@code` and `@codeSystem` or `@codeSystemName`", "code", cdaWith(entry(`<interpretationCode code="I21.4" codeSystem="2.16.840.1.113883.6.90"/>`)), "icd10:I21.4"},
		{"`code`, `value`, `translation` without a system", "code", cdaWith(entry(`<value code="I21.4"/>`)), "code:I21.4"},
		{"`@displayName` of these three", "words", cdaWith(entry(`<code code="I21.4" codeSystem="2.16.840.1.113883.6.90" displayName="Probe"/>`)), "word:probe"},
		{"`originalText`, or the passage of the narrative that it refers to", "words", cdaWith(entry(`<value nullFlavor="OTH"><originalText>Probe</originalText></value>`)), "word:probe"},
		{"text of a `value`, or the passage that it refers to, unless the observation's code is one of LOINC", "words", cdaWith(entry(`<value xsi:type="ST">Probe</value>`)), "word:probe"},
		{"the passage to which the `text` of an act refers, without a code and the texts above", "words", cdaWith(`<text><content ID="a">Probe</content></text>` + entry(`<text><reference value="#a"/></text>`)), "word:probe"},
		{"`section/text`, if the section has no entry", "words, as `mentioned:`", cdaWith(`<text>No <content>probe</content></text>`), "mentioned:word:probe"},
		{"`author`, `legalAuthenticator`: `assignedPerson/name`", "author", `<ClinicalDocument><author><assignedAuthor><assignedPerson><name>Vera Probe</name></assignedPerson></assignedAuthor></author></ClinicalDocument>`, "author:probe"},
		{"`representedOrganization`, `representedCustodianOrganization`, `providerOrganization`, `serviceProviderOrganization`: `name`", "organisation", `<ClinicalDocument><custodian><representedCustodianOrganization><name>Probe</name></representedCustodianOrganization></custodian></ClinicalDocument>`, "org:probe"},
	} {
		doc, err := Extract(t.Context(), strings.NewReader(c.xml))
		if err != nil || !slices.Contains(termsOf(doc), c.term) {
			t.Errorf("%s is not read as %s: %v\n%s", c.element, c.as, err, show(doc))
		}
		rows = append(rows, fmt.Sprintf("| %s | %s |", c.element, c.as))
	}
	docTable(t, "cda", rows)
}
