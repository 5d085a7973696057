package index

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Prefixes of code systems in terms. All other systems share [OtherCode].
const (
	ICD10     = "icd10"
	SNOMED    = "snomed"
	LOINC     = "loinc"
	RxNorm    = "rxnorm"
	CVX       = "cvx"
	OtherCode = "code"
)

// A Code is a code of a code system.
type Code struct {
	System string // URI, OID, or the short name in HL7 v2 or DICOM
	Code   string
}

// systems maps normalised names of code systems to their prefixes: FHIR URIs, OIDs, HL7
// v2 table 0396, DICOM designators.
var systems = map[string]string{
	"http://hl7.org/fhir/sid/icd-10": ICD10, "http://hl7.org/fhir/sid/icd-10-cm": ICD10, "2.16.840.1.113883.6.3": ICD10,
	"2.16.840.1.113883.6.90": ICD10, "i10": ICD10, "i10c": ICD10, "icd10": ICD10, "icd-10": ICD10, "icd10cm": ICD10, "icd-10-cm": ICD10,

	"http://snomed.info/sct": SNOMED, "2.16.840.1.113883.6.96": SNOMED, "sct": SNOMED, "sct2": SNOMED, "snomed": SNOMED,
	"snomed-ct": SNOMED, "snomed ct": SNOMED, "snomedct": SNOMED,

	"http://loinc.org": LOINC, "2.16.840.1.113883.6.1": LOINC, "ln": LOINC, "loinc": LOINC,

	"http://www.nlm.nih.gov/research/umls/rxnorm": RxNorm, "2.16.840.1.113883.6.88": RxNorm, "rxnorm": RxNorm, "rxn": RxNorm,

	"http://hl7.org/fhir/sid/cvx": CVX, "2.16.840.1.113883.12.292": CVX, "2.16.840.1.113883.6.59": CVX, "cvx": CVX,
}

// Prefix returns the prefix of a code system: [ICD10], [SNOMED], [LOINC], [RxNorm], [CVX]
// or [OtherCode].
func Prefix(system string) string {
	system = normaliseSystem(system)
	if p, ok := systems[system]; ok {
		return p
	}
	// SNOMED CT editions and versions extend its URI: http://snomed.info/sct/731000124108
	if strings.HasPrefix(system, "http://snomed.info/sct/") {
		return SNOMED
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

// codeTerms returns the terms of a code and of its ancestors, itself first.
func codeTerms(c Code) []Term {
	prefix := Prefix(c.System)
	code := normaliseCode(prefix, c.Code)
	if code == "" {
		return nil
	}
	out := []Term{Term(prefix + ":" + code)}
	switch prefix {
	case ICD10:
		for _, a := range icd10Ancestors(code) {
			out = append(out, Term(prefix+":"+a))
		}
	case OtherCode:
		if system := normaliseSystem(c.System); system != "" {
			out = append(out, Term(prefix+":"+system+"|"+code))
		}
	}
	return out
}

// codeTerm returns the term of a code in a query: CODE or, for [OtherCode], SYSTEM|CODE.
func codeTerm(prefix, text string) Term {
	if prefix == OtherCode {
		if system, code, ok := cutLast(text, "|"); ok && normaliseSystem(system) != "" {
			if code = normaliseCode(prefix, code); code == "" {
				return ""
			}
			// The system may have a prefix of its own.
			if p := Prefix(system); p != OtherCode {
				return codeTerm(p, code)
			}
			return Term(prefix + ":" + normaliseSystem(system) + "|" + code)
		}
		text = strings.TrimPrefix(text, "|")
	}
	code := normaliseCode(prefix, text)
	if code == "" {
		return ""
	}
	return Term(prefix + ":" + code)
}

func normaliseCode(prefix, code string) string {
	code = strings.ToUpper(normalise(code))
	switch prefix {
	case ICD10:
		return normaliseICD10(code)
	case CVX:
		if len(code) == 1 {
			return "0" + code
		}
	}
	return code
}

var (
	icd10Code  = regexp.MustCompile(`^[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}$`)
	icd10Block = regexp.MustCompile(`^[A-Z][0-9][0-9A-Z] ?[-–] ?[A-Z][0-9][0-9A-Z]$`)
)

// normaliseICD10 puts the dot in its place: I214, I21.4 and I21.4- become I21.4. It drops
// daggers and asterisks. A block such as I20-I25 stays a block. Other text is unchanged.
func normaliseICD10(code string) string {
	if icd10Block.MatchString(code) {
		return code[:3] + "-" + code[len(code)-3:]
	}
	bare := strings.ReplaceAll(strings.TrimRight(code, "-.*+†! "), ".", "")
	if !icd10Code.MatchString(bare) {
		return code
	}
	if len(bare) == 3 {
		return bare
	}
	return bare[:3] + "." + bare[3:]
}

//go:generate sh -c "go run ./internal/icd10gen < ../../../shared/data/icd10cm/icd10cm_tabular_2021.xml > icd10.txt"

//go:embed icd10.txt
var icd10Text string

// An icd10Run is a run of neighbouring categories with the same ancestors.
type icd10Run struct {
	first, last string
	ancestors   []string // innermost block to chapter
}

var icd10Runs = sync.OnceValue(func() []icd10Run {
	var runs []icd10Run
	for line := range strings.Lines(icd10Text) {
		if f := strings.Fields(line); len(f) > 2 && f[0] != "#" {
			runs = append(runs, icd10Run{f[0], f[1], f[2:]})
		}
	}
	return runs
})

// icd10Ancestors returns the ancestors of a normalised code: shorter codes, category,
// blocks, chapter.
func icd10Ancestors(code string) []string {
	bare := strings.ReplaceAll(code, ".", "")
	if !icd10Code.MatchString(bare) {
		return nil
	}
	var out []string
	for n := len(bare) - 1; n >= 3; n-- {
		out = append(out, normaliseICD10(bare[:n]))
	}
	category := bare[:3]
	runs := icd10Runs()
	i, _ := slices.BinarySearchFunc(runs, category, func(r icd10Run, c string) int { return strings.Compare(r.last, c) })
	if i == len(runs) {
		return out
	}
	ancestors := runs[i].ancestors
	if category < runs[i].first { // a category that this release lacks: only its chapter is certain
		ancestors = ancestors[len(ancestors)-1:]
		if first, _, _ := strings.Cut(ancestors[0], "-"); category < first {
			return out
		}
	}
	for _, a := range ancestors {
		if a != category {
			out = append(out, a)
		}
	}
	return out
}
