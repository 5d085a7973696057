package emr

import (
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// isAbsent reports whether a code says that a finding is absent or negative: of SNOMED
// CT, of LOINC answers and of HL7 v2 tables 0136 and 0532, where N is no. N of other
// tables is normal, among others.
func isAbsent(system, code string) bool {
	switch code {
	case "2667000", "272519000", "373067005", "260385009", "260415000", "410516002", "410594000", // of SNOMED CT
		"131194007", "428263003", "264887000",
		"LA9634-2", "LA32-8", "LA6577-6", "LA11883-8", "LA15256-3", "absent", "no":
		return true
	case "N":
		system = strings.TrimSuffix(system, "/")
		return len(system) < 256 && (strings.HasSuffix(system, "0136") || strings.HasSuffix(system, "0532") || strings.HasSuffix(system, "2.16.840.1.113883.12.136") || strings.HasSuffix(system, "2.16.840.1.113883.12.532"))
	}
	return false
}

// isNegative reports whether an interpretation of an observation says that it is
// negative, not detected or not reactive.
func isNegative(interpretation string) bool {
	return interpretation == "NEG" || interpretation == "ND" || interpretation == "NR"
}

// isAbsentWord reports whether the text of an observation says no more than that its
// finding is absent or negative.
func isAbsentWord(text string) bool {
	if len(text) > 32 {
		return false
	}
	return absentWords[strings.ToLower(strings.Trim(text, " .!-()"))]
}

var absentWords = set("n", "no", "none", "absent", "negative", "neg", "not detected", "not present", "not found", "not reactive", "non-reactive", "nonreactive", "false",
	"nein", "negativ", "nicht nachweisbar", "nicht nachgewiesen", "nicht vorhanden", "nicht reaktiv",
	"non", "négatif", "négative", "negatif", "absente", "non détecté", "negativo", "negativa", "ausente", "no detectado", "assente", "non rilevato",
	"nee", "negatief", "afwezig", "nej", "não", "não detectado", "nie", "ujemny", "ujemne")

// snomedContext returns the context that an expression of SNOMED CT gives to its focus
// concept, by the values of its attributes.
func snomedContext(code string) index.Context {
	_, refinement, ok := strings.Cut(code, ":")
	if !ok {
		return ""
	}
	context := index.Context("")
	for _, value := range strings.FieldsFunc(firstRunes(refinement, maxValue), func(r rune) bool { return r < '0' || r > '9' }) {
		context = snomedContexts[value].Over(context)
	}
	return context
}

// snomedContexts are contexts by the values of the finding context, the temporal context,
// the procedure context and the subject relationship context.
var snomedContexts = map[string]index.Context{
	"410516002": index.Refuted, "410594000": index.Refuted, "410593006": index.Refuted, // known, definitely and probably absent
	"410592001": index.Suspected, "410590009": index.Suspected, "415684004": index.Suspected, // probably and possibly present, suspected
	"410513005": index.Historic, "410587003": index.Historic, // in the past
	"444148008": index.Family, "303071001": index.Family, // person in the family
	"385660001": index.NotDone, "262008008": index.NotDone, "385661002": index.NotDone, // not done, not performed, considered and not done
	"397943006": index.Planned,
}
