package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client/importer"
)

// A resource of a bundle that describes others labels them: a Composition the whole
// document, a DocumentReference the files.
func TestEntriesInheritFromThoseThatDescribeThem(t *testing.T) {
	bundle := func(entries ...string) string {
		return `{"resourceType":"Bundle","type":"document","entry":[{"resource":` + strings.Join(entries, `},{"resource":`) + `}]}`
	}
	const (
		composition = `{"resourceType":"Composition","confidentiality":"V","title":"T"}`
		header      = `{"resourceType":"MessageHeader","meta":{"security":[` + coding + `]}}`
		reference   = `{"resourceType":"DocumentReference","securityLabel":[{"coding":[` + coding + `]}],"content":[{"attachment":{"url":"Binary/1"}}]}`
		binary      = `{"resourceType":"Binary","id":"1","contentType":"text/plain","data":"YQ=="}`
		plain       = `{"resourceType":"Condition","id":"c","code":{"text":"x"}}`
		very, all   = "very restricted", "everybody"
	)
	rows := planSplit(t, labelRules, map[string]string{
		"composition": bundle(composition, plain, binary),
		"at last":     bundle(plain, composition),
		"its meta":    bundle(`{"resourceType":"Composition","meta":{"security":[`+coding+`]}}`, plain),
		"type last":   bundle(plain, `{"confidentiality":"V","resourceType":"Composition"}`),
		"escaped":     bundle(plain, `{"confidentiality":"V","resource\u0054ype":"\u0043omposition"}`),
		"two types":   bundle(plain, `{"resourceType":"Composition","confidentiality":"V","resourceType":"Condition"}`),
		"misspelt":    bundle(plain, `{"resourceType":"Kompositon","confidentiality":"V"}`),
		"no type":     bundle(plain, `{"confidentiality":"V"}`),
		"unknown":     bundle(plain, `{"resourceType":"Composition","confidentiality":"TOP"}`),
		"unread":      bundle(plain, `{"resourceType":"Composition","confidentiality":{}}`),
		"message":     bundle(header, plain),
		"reference":   bundle(reference, plain, binary, bundle(plain)),
		"a.ndjson":    bundle(composition, plain) + "\n" + plain + "\n",
		"within":      bundle(composition, bundle(plain)),
	})
	for file, want := range map[string][]string{
		"composition": {very, very, very}, "at last": {very, very}, "its meta": {very, very}, "type last": {very, very}, "escaped": {very, very}, "two types": {very, very},
		"misspelt": {very, very}, "no type": {"", ""}, "unknown": {"", ""}, "unread": {"", ""}, "message": {very, very}, "reference": {very, all, very, very},
		"a.ndjson": {very, very, all}, "within": {very, very},
	} {
		for i, rule := range want {
			row := rows[fmt.Sprintf("%s#%d", file, i+1)]
			if rule == "" && row.Status != importer.StatusFailed && row.Rule != very || rule != "" && row.Rule != rule {
				t.Errorf("%s, entry %d: %s by rule %q: %s", file, i+1, row.Status, row.Rule, row.Reason)
			}
		}
	}
}
