package emr

import (
	"slices"
	"strings"
	"testing"
)

// cdaWith is a document with a section.
func cdaWith(section string) string {
	return `<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc"><title>T</title>` +
		`<recordTarget><patientRole><id root="1.2.3" extension="P-1" assigningAuthorityName="Anna"/><patient><name><given>V</given><validTime><low value="19990101"/></validTime></name>` +
		`<birthTime value="19610704"/><sdtc:deceasedTime value="20250601"/></patient></patientRole></recordTarget>` +
		`<component><structuredBody><component><section>` + section + `</section></component></structuredBody></component></ClinicalDocument>`
}

const cdaDisease = `<value xsi:type="CD" code="I21.4" codeSystem="2.16.840.1.113883.6.90"/>`

// An act says how its codes are meant, and so do the acts and the section around it.
func TestCDAContexts(t *testing.T) {
	entry := func(act string) string { return "<entry>" + act + "</entry>" }
	observation := func(attributes, content string) string {
		return `<observation classCode="OBS" moodCode="EVN" ` + attributes + `>` + content + cdaDisease + `</observation>`
	}
	const problem = `<templateId root="2.16.840.1.113883.10.20.22.4.4"/>`
	for in, want := range map[string]string{
		entry(observation("", "")):                                                                                   "icd10:I21.4",
		entry(observation(`negationInd="true"`, "")):                                                                 "refuted:icd10:I21.4",
		entry(observation(`negationInd="false"`, "")):                                                                "icd10:I21.4",
		entry(observation("", `<statusCode code="completed"/>`)):                                                     "icd10:I21.4",
		entry(observation("", `<statusCode code="cancelled"/>`)):                                                     "not-done:icd10:I21.4",
		entry(observation("", `<statusCode code="nullified"/>`)):                                                     "error:icd10:I21.4",
		entry(observation("", `<uncertaintyCode code="UN"/>`)):                                                       "icd10:I21.4 suspected:icd10:I21.4",
		entry(observation("", `<subject><relatedSubject classCode="PRS"/></subject>`)):                               "family:icd10:I21.4",
		entry(observation("", problem+`<effectiveTime><low value="2019"/><high value="2020"/></effectiveTime>`)):     "historic:icd10:I21.4 icd10:I21.4",
		entry(observation("", problem+`<effectiveTime><low value="2019"/><high nullFlavor="UNK"/></effectiveTime>`)): "icd10:I21.4",
		`<code code="10157-6" codeSystem="2.16.840.1.113883.6.1"/>` + entry(observation("", "")):                     "family:icd10:I21.4",
		`<code code="11348-0" codeSystem="2.16.840.1.113883.6.1"/>` + entry(observation("", "")):                     "historic:icd10:I21.4 icd10:I21.4",
		entry(`<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/><component>` + observation("", `<effectiveTime value="2019"/>`) + `</component></organizer>`):                 "family:icd10:I21.4",
		entry(`<organizer classCode="CLUSTER" moodCode="EVN"><subject><relatedSubject/></subject><component>` + observation("", `<effectiveTime value="2019"/>`) + `</component></organizer>`):                                 "family:icd10:I21.4",
		entry(`<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><statusCode code="completed"/><entryRelationship typeCode="SUBJ">` + observation("", "") + `</entryRelationship></act>`): "historic:icd10:I21.4 icd10:I21.4",
		entry(`<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><statusCode code="active"/><entryRelationship typeCode="SUBJ">` + observation("", "") + `</entryRelationship></act>`):    "icd10:I21.4",
		entry(`<act classCode="ACT" moodCode="RQO">` + cdaDisease + `</act>`):                                                                                                                              "planned:icd10:I21.4",
		entry(`<procedure classCode="PROC" moodCode="EVN" negationInd="true">` + cdaDisease + `</procedure>`):                                                                                              "not-done:icd10:I21.4",
		entry(`<substanceAdministration classCode="SBADM" moodCode="INT">` + cdaDisease + `</substanceAdministration>`):                                                                                    "icd10:I21.4",
		`<code code="18776-5"/>` + entry(`<substanceAdministration classCode="SBADM" moodCode="INT">`+cdaDisease+`</substanceAdministration>`):                                                             "planned:icd10:I21.4",
		entry(`<substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="true"><entryRelationship typeCode="RSON">` + observation("", "") + `</entryRelationship></substanceAdministration>`): "icd10:I21.4",
		entry(strings.Replace(observation("", ""), "<value", `<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><value code="413322009" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship><value`, 1)): "historic:icd10:I21.4 icd10:I21.4",
		entry(`<observation classCode="OBS" moodCode="EVN"><code code="I21.4" codeSystem="2.16.840.1.113883.6.90"/><value code="2667000" codeSystem="2.16.840.1.113883.6.96"/></observation>`):                                                                                                                    "refuted:icd10:I21.4",
		entry(observation("", "") + observation(`negationInd="true"`, "")): "icd10:I21.4 refuted:icd10:I21.4",
		entry(strings.Replace(observation("", ""), `113883.6.90"/>`, `113883.6.90"><qualifier><value code="A" codeSystem="2.16.840.1.113883.3.7.1.8"/></qualifier></value>`, 1)): "refuted:icd10:I21.4",
	} {
		doc, err := Extract(t.Context(), strings.NewReader(cdaWith(in)))
		if err != nil || len(doc.Warnings) > 0 {
			t.Fatalf("%s: %v %q", in, err, doc.Warnings)
		}
		var got []string
		for _, term := range termsOf(doc) {
			if strings.HasSuffix(term, "icd10:I21.4") && !strings.Contains(term, "&") {
				got = append(got, term)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", in, got, want)
		}
	}
}

func TestCDAFacts(t *testing.T) {
	act := func(code, time string) string {
		return `<entry><observation classCode="OBS" moodCode="EVN"><effectiveTime>` + time + `</effectiveTime><value code="` + code + `" codeSystem="2.16.840.1.113883.6.90" displayName="Display ` + code + `"/></observation></entry>`
	}
	doc, err := Extract(t.Context(), strings.NewReader(cdaWith(`<text><paragraph ID="p1">Takotsubo <content>cardiomyopathy</content></paragraph><paragraph ID="p2">other</paragraph></text>`+
		act("I21.4", `<low value="20250110"/><high value="20250620"/>`)+act("F20.0", `<low value="20240401"/>`)+
		`<entry><observation classCode="OBS" moodCode="EVN"><value nullFlavor="OTH"><originalText><reference value="#p1"/></originalText></value></observation></entry>`+
		`<entry><observation classCode="OBS" moodCode="EVN"><value nullFlavor="OTH"><originalText>Broken heart</originalText></value></observation></entry>`)))
	if err != nil {
		t.Fatal(err)
	}
	terms := termsOf(doc)
	for _, want := range strings.Fields("patient:1.2.3|p-1 patient:anna|p-1 born:1961-07-04 date:2025-06-01 word:takotsubo word:cardiomyopathy word:broken word:display " +
		"month:icd10:I21.4&2025-03 month:icd10:F20.0&2024-04 during:2025-03") {
		if !slices.Contains(terms, want) {
			t.Errorf("no %s in %q", want, terms)
		}
	}
	for _, not := range strings.Fields("date:1999 born:1999 month:icd10:I21.4&2024-04 month:icd10:F20.0&2025-03 month:icd10:F20.0&2025-06 word:other") {
		if slices.Contains(terms, not) {
			t.Errorf("%s is there", not)
		}
	}
}
