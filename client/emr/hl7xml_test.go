package emr

import (
	"strings"
	"testing"
)

// A message in XML has the facts of the same message with separators.
func TestHL7XML(t *testing.T) {
	const in = `<?xml version="1.0"?><ADT_A01 xmlns="urn:hl7-org:v2xml"><MSH><MSH.1>|</MSH.1><MSH.2>^~\&amp;</MSH.2><MSH.4><HD.1>St &amp; Mary</HD.1></MSH.4>
<MSH.9><MSG.1>ADT</MSG.1><MSG.2>A01</MSG.2></MSH.9></MSH>
<PID><PID.3><CX.1>P-1</CX.1><CX.4><HD.1>ANNA</HD.1><HD.2>1.2.3</HD.2></CX.4></PID.3><PID.3><CX.1>P-2</CX.1></PID.3><PID.7><TS.1>19610704</TS.1></PID.7></PID>
<ADT_A01.PROCEDURE><DG1><DG1.3><CE.1>I21.4</CE.1><CE.2>Infarction | acute</CE.2><CE.3>I10</CE.3></DG1.3><DG1.5><TS.1>20250301</TS.1></DG1.5></DG1>
<DG1><DG1.3><CE.1>I26.9</CE.1><CE.3>I10</CE.3></DG1.3><DG1.21>D</DG1.21></DG1></ADT_A01.PROCEDURE></ADT_A01>`
	const er7 = "MSH|^~\\&||St \\T\\ Mary|||||ADT^A01\rPID|||P-1^^^ANNA&1.2.3~P-2||||19610704\r" +
		"DG1|||I21.4^Infarction \\F\\ acute^I10||20250301\rDG1|||I26.9^^I10||||||||||||||||||D\r"
	doc, err := Extract(t.Context(), strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Extract(t.Context(), strings.NewReader(er7))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(termsOf(doc), " "), strings.Join(termsOf(want), " "); got != want || len(doc.Warnings) > 0 {
		t.Errorf("%s\nwant %s\n%q", got, want, doc.Warnings)
	}
	if !strings.Contains(strings.Join(termsOf(doc), " "), "pair:patient:1.2.3|p-1&icd10:I21.4") {
		t.Errorf("%q", termsOf(doc))
	}
	for _, in := range []string{`<ORU_R01><PID/></ORU_R01>`, `<ORU_R01 xmlns="urn:hl7-org:v2xml"><MSH><MSH.999/></MSH><OBX><OBX.5><a><b><c>x</c></b></a></OBX.5></OBX></ORU_R01>`} {
		if doc, err := Extract(t.Context(), strings.NewReader(in)); err != nil || !strings.HasPrefix(doc.Kind, "hl7v2") || len(doc.Warnings) == 0 {
			t.Errorf("%s: %v\n%s", in, err, show(doc))
		}
	}
}
