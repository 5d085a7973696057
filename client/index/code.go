package index

import (
	"cmp"
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// codeTerms returns the terms of a code and of its ancestors, itself first. A text with
// two codes, such as a dagger and an asterisk, gives those of both.
func codeTerms(c Code) []Term { return systemOf(c.System).codeTerms(c.Code) }

// A system is a code system by its prefix and its normalised name.
type system struct{ prefix, name string }

func systemOf(name string) system { return system{Prefix(name), normaliseSystem(name)} }

func (s system) codeTerms(text string) []Term {
	prefix := s.prefix
	var out []Term
	for _, code := range split(prefix, text) {
		out = append(out, Term(prefix+":"+code))
		for _, a := range ancestors(prefix, code) {
			out = append(out, Term(prefix+":"+a))
		}
		switch {
		case prefix == OtherCode && s.name != "":
			out = append(out, Term(prefix+":"+s.name+"|"+code))
		case prefix != OtherCode && !isFirst(s.name): // as before the system had a prefix
			out = append(out, Term(OtherCode+":"+strings.ToUpper(normalise(text))))
		}
	}
	return unique(out)
}

// isFirst reports whether a system had a prefix from the beginning, or is one.
func isFirst(system string) bool {
	return firstSystems[system] || strings.HasPrefix(system, "http://snomed.info/sct/") || slices.Contains(CodePrefixes, system)
}

// codeQuery returns the terms of a code in a query: CODE or, for [OtherCode],
// SYSTEM|CODE. A record with the code has at least one of them.
func codeQuery(prefix, text string) []Term {
	if prefix == OtherCode {
		if system, code, ok := cutLast(text, "|"); ok && normaliseSystem(system) != "" {
			other := strings.ToUpper(normalise(code))
			if other == "" {
				return nil
			}
			p, name := Prefix(system), normaliseSystem(system)
			own := Term(prefix + ":" + name + "|" + other)
			switch {
			case p == OtherCode:
				return []Term{own}
			case isFirst(name):
				return codeQuery(p, code)
			}
			return append(codeQuery(p, code), own) // older entries have this
		}
		text = strings.TrimPrefix(text, "|")
	}
	code := normaliseCode(prefix, text)
	if code == "" {
		return nil
	}
	return []Term{Term(prefix + ":" + code)}
}

// maxCodes bounds the codes in one text.
const maxCodes = 16

// icd10Comma is that which some write for the dot.
var icd10Comma = regexp.MustCompile(`\b([A-Z][0-9][0-9A-Z]),([0-9])`)

// split returns the normalised codes in a text: usually one. Several are two ICD-10 codes
// such as E10.30† H36.0*, a cluster of ICD-11, and the focus concepts of an expression of
// SNOMED CT.
func split(prefix, text string) []string {
	code := normaliseCode(prefix, text)
	if code == "" {
		return nil
	}
	var parts []string
	switch prefix {
	case ICD10:
		for _, part := range strings.FieldsFunc(icd10Comma.ReplaceAllString(strings.ToUpper(normalise(text)), "$1.$2"), func(r rune) bool { return strings.ContainsRune(" ,;/+&†*!()[]", r) }) {
			part = normaliseICD10(part)
			if !isICD10(part) {
				return []string{code}
			}
			parts = append(parts, part)
		}
	case ICD11:
		parts = strings.FieldsFunc(code, func(r rune) bool { return r == '/' || r == '&' })
		parts = append([]string{code}, parts...)
	case SNOMED:
		parts = focusConcepts(code)
	}
	if len(parts) == 0 {
		return []string{code}
	}
	return unique(parts[:min(len(parts), maxCodes)])
}

// focusConcepts returns the concepts before the refinement of an expression of SNOMED CT,
// such as 64572001 |disease| : 363698007 = 39057004.
func focusConcepts(code string) []string {
	if strings.Trim(code, "0123456789") == "" {
		return nil
	}
	var out []string
	depth, term := 0, false
	number := ""
	flush := func() {
		if len(number) >= 6 && len(number) <= 18 {
			out = append(out, number)
		}
		number = ""
	}
	for _, r := range code {
		if r >= '0' && r <= '9' && !term && depth == 0 {
			number += string(r)
			continue
		}
		flush()
		switch {
		case r == '|':
			term = !term
		case term:
		case r == '(' || r == '{':
			depth++
		case r == ')' || r == '}':
			depth--
		case r == ':' && depth == 0:
			return out
		case !strings.ContainsRune(" +=<", r) && depth == 0: // no expression
			return nil
		}
	}
	flush()
	return out
}

func normaliseCode(prefix, code string) string {
	code = strings.ToUpper(normalise(code))
	switch prefix {
	case ICD10:
		return normaliseICD10(code)
	case ICD9:
		return normaliseICD9(code)
	case OPS, ATC, ICPC:
		return strings.TrimRight(code, ".-*")
	case CVX:
		if len(code) == 1 {
			return "0" + code
		}
	}
	return code
}

var icd9Code = regexp.MustCompile(`^(E[0-9]{3}|V[0-9]{2}|[0-9]{3})[0-9]{1,2}$`)

// normaliseICD9 puts the dot of a diagnosis in its place. A procedure has two digits
// before it, and is known by its dot only.
func normaliseICD9(code string) string {
	if m := icd9Code.FindStringSubmatch(code); m != nil {
		return m[1] + "." + code[len(m[1]):]
	}
	return strings.TrimRight(code, ".-*")
}

// ancestors returns the codes that contain a normalised code, as far as the code says it.
func ancestors(prefix, code string) []string {
	switch prefix {
	case ICD10:
		return icd10Ancestors(code)
	case ICD9, ICDO:
		if i := strings.IndexAny(code, "./"); i > 0 {
			return shorter(code, i)
		}
	case ICD11:
		if icd11Code.MatchString(code) {
			return append(shorter(code, 4), code[:3], code[:2], code[:1])
		}
	case OPS:
		if opsCode.MatchString(code) {
			return append(shorter(code, 3), code[:1])
		}
	case ATC:
		if atcCode.MatchString(code) {
			var out []string
			for _, n := range []int{5, 4, 3, 1} {
				if n < len(code) {
					out = append(out, code[:n])
				}
			}
			return out
		}
	case ICPC:
		if icpcCode.MatchString(code) {
			return append(shorter(code, 3), code[:1])
		}
	}
	return nil
}

var (
	icd11Code = regexp.MustCompile(`^[0-9A-HJ-NP-XZ][A-HJ-NP-Z][0-9][0-9A-HJ-NP-Z](\.[0-9A-HJ-NP-Z]{1,2})?$`)
	opsCode   = regexp.MustCompile(`^[1-9]-[0-9]{2}[0-9A-Z]?(\.[0-9A-Z]{1,2})?$`)
	atcCode   = regexp.MustCompile(`^[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?$`)
	icpcCode  = regexp.MustCompile(`^[A-Z][0-9]{2}(\.[0-9]{1,3})?$`)
)

// shorter returns the beginnings of a code that are shorter by one character each, down
// to n, without those that end in a dot.
func shorter(code string, n int) []string {
	var out []string
	for i := len(code) - 1; i >= n; i-- {
		if c := code[i-1]; c != '.' && c != '/' {
			out = append(out, code[:i])
		}
	}
	return out
}

var (
	icd10Code  = regexp.MustCompile(`^[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}$`)
	icd10Block = regexp.MustCompile(`^[A-Z][0-9][0-9A-Z] ?[-–] ?[A-Z][0-9][0-9A-Z]$`)
)

// normaliseICD10 puts the dot in its place: I214, I21.4 and I21.4- become I21.4. It drops
// daggers and asterisks. A block such as I20-I25 stays a block. Other text is unchanged.
func normaliseICD10(code string) string {
	if icd10Block.MatchString(code) {
		if code[:3] == code[len(code)-3:] {
			return code[:3]
		}
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
	cm := icd10CM(category)
	for _, a := range slices.Concat(icd10WHO(category), cm) {
		if a != category && (slices.Index(out, a) < 0) && !(len(cm) > 0 && a == cm[len(cm)-1]) {
			out = append(out, a)
		}
	}
	if len(cm) > 0 {
		out = append(out, cm[len(cm)-1]) // the chapter
	}
	return out
}

// icd10CM returns the blocks and the chapter of a category in ICD-10-CM.
func icd10CM(category string) []string {
	runs := icd10Runs()
	i, _ := slices.BinarySearchFunc(runs, category, func(r icd10Run, c string) int { return strings.Compare(r.last, c) })
	if i == len(runs) {
		return nil
	}
	all := runs[i].ancestors
	if category < runs[i].first { // a category that this release lacks: only its chapter is certain
		all = all[len(all)-1:]
		if first, _, _ := strings.Cut(all[0], "-"); category < first {
			return nil
		}
	}
	return all
}

//go:embed icd10who.txt
var icd10WHOText string

// icd10WHOBlocks are the blocks and chapters of WHO's editions.
var icd10WHOBlocks = sync.OnceValue(func() []string {
	var out []string
	for line := range strings.Lines(icd10WHOText) {
		if !strings.HasPrefix(line, "#") {
			out = append(out, strings.Fields(line)...)
		}
	}
	return out
})

// icd10WHO returns the blocks and chapters of a category in WHO's editions.
func icd10WHO(category string) []string {
	if category[2] > '9' { // only ICD-10-CM has letters there
		return nil
	}
	var out []string
	for _, block := range icd10WHOBlocks() {
		if block[:3] <= category && category <= block[4:] {
			out = append(out, block)
		}
	}
	return out
}

// isICD10 reports whether a normalised text is a code of ICD-10.
func isICD10(code string) bool { return icd10Code.MatchString(strings.ReplaceAll(code, ".", "")) }

// icd10Blocks returns all blocks and chapters of the editions.
var icd10Blocks = sync.OnceValue(func() map[string]bool {
	all := make(map[string]bool)
	for _, block := range icd10WHOBlocks() {
		all[block] = true
	}
	for _, run := range icd10Runs() {
		for _, a := range run.ancestors {
			all[a] = true
		}
	}
	return all
})

// nearICD10Blocks returns blocks and chapters that share a category with a range, those
// with the nearest ends first.
func nearICD10Blocks(block string) []string {
	first, last := block[:3], block[4:]
	var near []string
	for b := range icd10Blocks() {
		if len(b) == 7 && b[:3] <= last && first <= b[4:] {
			near = append(near, b)
		}
	}
	distance := func(b string) int {
		number := func(s string) int { return int(s[0])*100 + int(s[1]-'0')*10 + int(s[2]-'0') }
		abs := func(n int) int { return max(n, -n) }
		return abs(number(b[:3])-number(first)) + abs(number(b[4:])-number(last))
	}
	slices.SortFunc(near, func(a, b string) int { return cmp.Or(cmp.Compare(distance(a), distance(b)), strings.Compare(a, b)) })
	return near[:min(len(near), 4)]
}

// icd10Prefix returns the terms of all categories that begin with a letter, or a letter
// and a digit: of blocks and chapters, and of the categories that these leave.
func icd10Prefix(stem string) []Term {
	var blocks []string
	for b := range icd10Blocks() {
		if len(b) == 7 && strings.HasPrefix(b, stem) && strings.HasPrefix(b[4:], stem) {
			blocks = append(blocks, b)
		}
	}
	slices.SortFunc(blocks, func(a, b string) int { return cmp.Or(strings.Compare(a[:3], b[:3]), strings.Compare(b[4:], a[4:])) }) // the longest first
	var out []Term
	category := func(n int) string {
		if len(stem) == 2 {
			return stem + string(rune('0'+n))
		}
		return stem + string(rune('0'+n/10)) + string(rune('0'+n%10))
	}
	last := 9
	if len(stem) == 1 {
		last = 99
	}
	for n := 0; n <= last; n++ {
		at := category(n)
		i := slices.IndexFunc(blocks, func(b string) bool { return b[:3] == at })
		if i < 0 {
			if len(stem) == 2 || len(icd10WHO(at))+len(icd10CM(at)) > 0 {
				out = append(out, Term(ICD10+":"+at))
			}
			continue
		}
		out = append(out, Term(ICD10+":"+blocks[i]))
		for n < last && category(n) < blocks[i][4:] {
			n++
		}
	}
	for _, run := range icd10Runs() { // categories of ICD-10-CM with a letter
		if c := run.first; c[2] > '9' && strings.HasPrefix(c, stem) {
			out = append(out, Term(ICD10+":"+c))
		}
	}
	return unique(out)
}

// A CodePattern is a code as a query asks for it, with all codes below it.
type CodePattern struct{ leaf *leaf }

// ParseCodePattern parses a code with its system, such as icd10:F or snomed:44054006.
//
// Errors:
//   - [*QueryError] if the text is no code of a query.
func ParseCodePattern(text string) (CodePattern, error) {
	q, err := ParseQuery(text)
	if err != nil {
		return CodePattern{}, err
	}
	l, ok := q.root.(*leaf)
	if !ok || !l.code {
		return CodePattern{}, (&parser{text: text}).fail(0, "such as icd10:F or snomed:44054006", "not a code")
	}
	return CodePattern{l}, nil
}

// Matches reports whether a query for the pattern finds a record with the code.
func (p CodePattern) Matches(c Code) bool {
	return slices.ContainsFunc(codeTerms(c), func(t Term) bool { return slices.Contains(p.leaf.terms, t) })
}
