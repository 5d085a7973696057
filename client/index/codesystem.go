package index

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Prefixes of code systems in terms. All other systems share [OtherCode].
const (
	ICD10    = "icd10" // every edition: WHO's and the national ones
	ICD11    = "icd11"
	ICD9     = "icd9"
	ICDO     = "icdo"
	ICD10PCS = "icd10pcs"
	ICPC     = "icpc"
	OPS      = "ops"
	ATC      = "atc"
	CPT      = "cpt"
	SNOMED   = "snomed"
	LOINC    = "loinc"
	RxNorm   = "rxnorm"
	CVX      = "cvx"
	NDC      = "ndc"
	UCUM     = "ucum" // units of measure, which records are not found by

	OtherCode = "code"
)

// CodePrefixes lists the prefixes of code systems, without [OtherCode].
var CodePrefixes = []string{ICD10, ICD11, ICD9, ICDO, ICD10PCS, ICPC, OPS, ATC, CPT, SNOMED, LOINC, RxNorm, CVX, NDC, UCUM}

// A Code is a code of a code system.
type Code struct {
	System string // URI, OID, or the short name in HL7 v2 or DICOM
	Code   string
}

// systems maps normalised names of code systems to their prefixes: URIs of FHIR, OIDs,
// names of HL7 v2 table 0396 and of DICOM. [systemNames] knows their variants.
var systems = map[string]string{
	"2.16.840.1.113883.6.3": ICD10, "2.16.840.1.113883.6.90": ICD10, "1.2.40.0.34.5.56": ICD10,
	"i10": ICD10, "i10c": ICD10, "2.16.840.1.113883.6.135": ICD10, "2.16.840.1.113883.6.94": ICD10,
	"1.2.752.116.1.1.1": ICD10, "1.2.246.537.6.1": ICD10, "2.16.578.1.12.4.1.1.7110": ICD10, "1.2.40.0.34.5.184": ICD10,
	"1.2.643.5.1.13.2.1.1.718": ICD10, "1.2.643.5.1.13.13.11.1005": ICD10, "2.16.840.1.113883.6.260": ICD10,

	"2.16.840.1.113883.6.347": ICD11, "http://id.who.int/icd/release/11/mms": ICD11,

	"2.16.840.1.113883.6.103": ICD9, "2.16.840.1.113883.6.104": ICD9, "2.16.840.1.113883.6.42": ICD9, "2.16.840.1.113883.6.2": ICD9,
	"http://hl7.org/fhir/sid/icd-9-cm/diagnosis": ICD9, "http://hl7.org/fhir/sid/icd-9-cm/procedure": ICD9,
	"i9": ICD9, "i9c": ICD9, "i9cdx": ICD9, "i9cp": ICD9,

	"2.16.840.1.113883.6.43": ICDO, "2.16.840.1.113883.6.43.1": ICDO,

	"2.16.840.1.113883.6.4": ICD10PCS, "i10p": ICD10PCS, "http://www.cms.gov/medicare/coding/icd10": ICD10PCS,

	"2.16.840.1.113883.6.139": ICPC, "2.16.840.1.113883.6.138": ICPC, "2.16.840.1.113883.2.4.4.31.1": ICPC, "2.16.578.1.12.4.1.1.7170": ICPC, "ic2": ICPC,

	"http://www.whocc.no/atc": ATC, "2.16.840.1.113883.6.73": ATC, "wc": ATC, "http://www.whocc.no": ATC,

	"http://www.ama-assn.org/go/cpt": CPT, "2.16.840.1.113883.6.12": CPT, "c4": CPT, "c5": CPT, "cptm": CPT,

	"http://snomed.info/sct": SNOMED, "http://snomed.info/id": SNOMED, "2.16.840.1.113883.6.96": SNOMED, "sct": SNOMED, "sct2": SNOMED,

	"http://loinc.org": LOINC, "2.16.840.1.113883.6.1": LOINC, "ln": LOINC, "lnc": LOINC,

	"http://www.nlm.nih.gov/research/umls/rxnorm": RxNorm, "2.16.840.1.113883.6.88": RxNorm, "rxn": RxNorm,

	"http://hl7.org/fhir/sid/cvx": CVX, "2.16.840.1.113883.12.292": CVX, "2.16.840.1.113883.6.59": CVX, "cvx": CVX, "hl70292": CVX,

	"2.16.840.1.113883.6.69": NDC,

	"http://unitsofmeasure.org": UCUM, "http://www.unitsofmeasure.org": UCUM, "2.16.840.1.113883.6.8": UCUM,
}

// Numbers of the German editions, below 1.2.276.0.76.5: a year has one for ICD-10-GM and
// one for OPS.
const germanOID = "1.2.276.0.76.5."

var germanICD10 = strings.Fields("302 304 311 318 330 356 384 388 409 413 417 424 430 463 471 477 486")
var germanOPS = strings.Fields("301 303 310 317 331 357 385 389 410 414 418 425 431 464 472 478 487")

// firstSystems are the systems that had prefixes from the beginning. Codes of others are
// in older entries of an index as [OtherCode].
var firstSystems = map[string]bool{
	"http://hl7.org/fhir/sid/icd-10": true, "http://hl7.org/fhir/sid/icd-10-cm": true, "2.16.840.1.113883.6.3": true,
	"2.16.840.1.113883.6.90": true, "i10": true, "i10c": true, "icd10": true, "icd-10": true, "icd10cm": true, "icd-10-cm": true,
	"http://snomed.info/sct": true, "2.16.840.1.113883.6.96": true, "sct": true, "sct2": true, "snomed": true, "snomed-ct": true,
	"snomed ct": true, "snomedct": true, "http://loinc.org": true, "2.16.840.1.113883.6.1": true, "ln": true, "loinc": true,
	"http://www.nlm.nih.gov/research/umls/rxnorm": true, "2.16.840.1.113883.6.88": true, "rxnorm": true, "rxn": true,
	"http://hl7.org/fhir/sid/cvx": true, "2.16.840.1.113883.12.292": true, "2.16.840.1.113883.6.59": true, "cvx": true,
}

// systemTrees are the beginnings of URIs and OIDs of systems with editions below them.
var systemTrees = []struct{ root, prefix string }{
	{"http://snomed.info/sct/", SNOMED}, {"http://snomed.info/xsct", SNOMED},
	{"2.16.840.1.113883.6.3.", ICD10}, {"1.2.752.116.1.1.1.1.", ICD10}, {"1.2.246.537.6.1.", ICD10},
	{"http://id.who.int/icd/release/10", ICD10}, {"http://id.who.int/icd10", ICD10}, {"http://id.who.int/icd", ICD11},
	{"http://id.who.int/icd11", ICD11}, {"http://icd.who.int/browse10", ICD10}, {"http://icd.who.int/browse", ICD11},
	{"http://www.snomed.org", SNOMED},
}

// systemNames recognises the names of systems, alone or at the end of a URI, with the
// edition, the year and the version that they may have. They are compared without
// anything but letters and digits. The first match counts.
var systemNames = []struct {
	name   *regexp.Regexp
	prefix string
}{
	{regexp.MustCompile(`^(icd|i)10pcs[0-9]*$`), ICD10PCS},
	{regexp.MustCompile(`^(who|ch|nl|de|se|us|br|fr|terminologie|tautiluokitus)?(icd|i|cim|cid|cie|mkn|mkb|mkch|bkn)(x|10)(who|dual|full|en|de|es|c?m|gm|g|am|ae|a|c|ca|nl|se|dk|fi|fr|th|tm|no|bmg|bmsg|at|ch|br|pl|cz|sk|it|be|bg|hu|au|uk|diagnos[ei]s|dx|codes?|international)*(version|v)?(20[0-9]{2}|[0-9]{1,2})?(full|syst)?$`), ICD10},
	{regexp.MustCompile(`^icd10[a-oq-z][a-z]{1,2}(20[0-9]{2}|[0-9]{1,2})?$`), ICD10}, // a country
	{regexp.MustCompile(`^kcd[0-9]?$`), ICD10},
	{regexp.MustCompile(`^internationalclassificationofdiseases(10th|tenth)revision(clinicalmodification)?(icd10(cm)?)?$`), ICD10},
	{regexp.MustCompile(`^(who)?icd11(mms)?[a-z]{0,2}[0-9]*$`), ICD11},
	{regexp.MustCompile(`^(icd|i)9(cm|c|cmdx|cmpx|dx|diagnosis|cmdiagnosis|cmprocedures?|cmdiagcodes|cmproccodes|cmdiagnosiscodes|cmprocedurecodes)?(20[0-9]{2}|v?[0-9]{1,2})?$`), ICD9},
	{regexp.MustCompile(`^icdo([123](v?[0-9]+)?)?(topography|morphology|de)?$`), ICDO},
	{regexp.MustCompile(`^(nhgtabel24)?icpc(1|2|3)?(e|p|r|nl|no|ed)?(v?[0-9]+)?$`), ICPC},
	{regexp.MustCompile(`^o(ps|ps301|301)(20[0-9]{2})?$`), OPS},
	{regexp.MustCompile(`^(who|terminologie)?(atc)(ddd|de|index|code)?(20[0-9]{2})?$`), ATC},
	{regexp.MustCompile(`^cpt[45]?(20[0-9]{2})?$`), CPT},
	{regexp.MustCompile(`^(sct[0-9]?|snomed)(ct|clinicalterms)?([a-z]{0,2}|international)(20[0-9]{2,6}|v[0-9]+)?$`), SNOMED},
	{regexp.MustCompile(`^(terminologie)?(loinc|ln)(v?[0-9]{1,4})?$`), LOINC},
	{regexp.MustCompile(`^rxnorm(current)?(v?[0-9]+)?$`), RxNorm},
	{regexp.MustCompile(`^cvx$`), CVX},
	{regexp.MustCompile(`^ndc(11|10|9)?$`), NDC},
	{regexp.MustCompile(`^ucum$`), UCUM},
}

// cyrillicNames are those of ICD in Russian, Bulgarian, Serbian and Ukrainian.
var cyrillicNames = strings.NewReplacer("мкб", "mkb", "мкх", "mkb")

// Prefix returns the prefix of a code system, one of [CodePrefixes] or [OtherCode].
func Prefix(system string) string {
	known.RLock()
	prefix, ok := known.prefixes[system]
	known.RUnlock()
	if ok {
		return prefix
	}
	prefix = prefixOf(normaliseSystem(system))
	known.Lock()
	defer known.Unlock()
	if len(known.prefixes) < maxKnown && len(system) <= maxValue {
		known.prefixes[strings.Clone(system)] = prefix
	}
	return prefix
}

// known remembers the systems that were looked up first. There are few.
var known = struct {
	sync.RWMutex
	prefixes map[string]string
}{prefixes: make(map[string]string)}

const maxKnown = 1000

func prefixOf(system string) string {
	if system == "" {
		return OtherCode
	}
	if p, ok := systems[system]; ok {
		return p
	}
	for _, t := range systemTrees {
		if strings.HasPrefix(system, t.root) {
			return t.prefix
		}
	}
	if strings.Trim(system, "0123456789.") == "" { // an OID
		number, _ := strings.CutPrefix(system, germanOID)
		switch {
		case slices.Contains(germanICD10, number):
			return ICD10
		case slices.Contains(germanOPS, number):
			return OPS
		}
		return OtherCode
	}
	name := system
	if isURI := strings.Contains(system, "://") || strings.HasPrefix(system, "urn:"); isURI {
		parts := strings.FieldsFunc(system, func(r rune) bool { return strings.ContainsRune("/#:?", r) })
		name = ""
		for i := len(parts) - 1; i > 0; i-- { // the last part that is no version
			if name = parts[i]; strings.Trim(name, "0123456789.v-") != "" {
				break
			}
		}
	}
	name = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, cyrillicNames.Replace(name))
	for _, s := range systemNames {
		if s.name.MatchString(name) {
			return s.prefix
		}
	}
	return OtherCode
}

// normaliseSystem makes different names of one system equal. It folds case, drops
// "urn:oid:", a "|version" and a slash at the end, and turns "https" into "http".
func normaliseSystem(system string) string {
	s := normalise(system)
	s, _, _ = strings.Cut(s, "|")
	s = strings.TrimPrefix(s, "urn:oid:")
	if rest, ok := strings.CutPrefix(s, "https://"); ok {
		s = "http://" + rest
	}
	return strings.TrimRight(s, "/ ")
}
