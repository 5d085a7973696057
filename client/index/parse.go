package index

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a parenthesis or a word.
type token struct {
	at     int
	symbol byte // '(' or ')', or 0 for a word
	field  string
	value  string
	from   int  // where the value starts
	quoted bool // the value, or the word without a field
}

// keyword returns "and", "or" or "not" for a word that is one of them, without quotes.
func (t token) keyword() string {
	if t.symbol == 0 && t.field == "" && !t.quoted {
		switch k := strings.ToLower(t.value); k {
		case "and", "or", "not":
			return k
		}
	}
	return ""
}

type parser struct {
	text   string
	tokens []token
	depth  int
	leaves int
}

// MustParseQuery parses a query that is part of a program. It panics if the query has a
// mistake.
func MustParseQuery(text string) *Query {
	q, err := ParseQuery(text)
	if err != nil {
		panic(err)
	}
	return q
}

// ParseQuery parses a query.
//
// Errors:
//   - [*QueryError], which is an [ErrInvalid], if the text is not a query.
func ParseQuery(text string) (*Query, error) {
	p := &parser{text: text}
	if len(text) > maxQuery {
		return nil, p.fail(maxQuery, "", "longer than %d bytes", maxQuery)
	}
	if err := p.lex(); err != nil {
		return nil, err
	}
	if len(p.tokens) == 0 {
		return nil, p.fail(0, "for example: icd10:I21 and date:2019-03..2020-06", "empty")
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, p.fail(p.tokens[0].at, "", "a ')' that nothing opens")
	}
	if n := unboundedPart(root); n != nil {
		return nil, p.fail(n.offset(), "join it by 'and' with a term to search for", "%s needs a term beside it", describe(n))
	}
	return &Query{root}, nil
}

func describe(n node) string {
	if _, ok := n.(*homeNode); ok {
		return "'home:'"
	}
	return "'not'"
}

// unboundedPart returns the node that makes a query unbounded, nil for a bounded query.
func unboundedPart(n node) node {
	if n.bounded() {
		return nil
	}
	switch n := n.(type) {
	case *andNode:
		return unboundedPart(n.children[0])
	case *orNode:
		for _, c := range n.children {
			if u := unboundedPart(c); u != nil {
				return u
			}
		}
	}
	return n
}

func (p *parser) fail(at int, hint, format string, args ...any) *QueryError {
	at = min(at, len(p.text))
	return &QueryError{Offset: at, Column: utf8.RuneCountInString(p.text[:at]) + 1, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (p *parser) lex() error {
	for i := 0; i < len(p.text); {
		r, size := utf8.DecodeRuneInString(p.text[i:])
		switch {
		case unicode.IsSpace(r):
			i += size
		case r == '(' || r == ')':
			p.tokens = append(p.tokens, token{at: i, symbol: byte(r)})
			i++
		default:
			t, end, err := p.word(i)
			if err != nil {
				return err
			}
			p.tokens = append(p.tokens, t)
			i = end
		}
	}
	return nil
}

// word reads [field:]value from position at.
func (p *parser) word(at int) (t token, end int, err error) {
	t = token{at: at, from: at}
	end = at
	for end < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[end:])
		if unicode.IsSpace(r) || r == '(' || r == ')' || r == '"' {
			break
		}
		end += size
		if r == ':' && t.field == "" && !strings.Contains(p.text[at:end-1], ":") {
			t.field, t.from = strings.ToLower(p.text[at:end-1]), end
			if end < len(p.text) && p.text[end] == '"' {
				break
			}
		}
	}
	t.value = p.text[t.from:end]
	if end < len(p.text) && p.text[end] == '"' {
		inner := t.value // such as icd10: after a context
		if context, _ := cutContext(t.field + ":"); inner != "" && (context == "" || !strings.HasSuffix(inner, ":")) {
			return t, end, p.fail(end, "quote the whole value", "a quote inside a word")
		}
		t.quoted = true
		t.value, end, err = p.quotedText(end)
		t.value = inner + t.value
		return t, end, err
	}
	if strings.HasPrefix(p.text[at:], ":") {
		return t, end, p.fail(at, "", "a ':' without a field before it")
	}
	return t, end, nil
}

func (p *parser) quotedText(open int) (string, int, error) {
	var b strings.Builder
	for i := open + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			return b.String(), i + 1, nil
		case c == '\\' && i+1 < len(p.text) && (p.text[i+1] == '"' || p.text[i+1] == '\\'):
			i++
			b.WriteByte(p.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, p.fail(open, "", "a quote that is not closed")
}

// peek returns the next token; at the end, one that is neither word nor parenthesis.
func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{at: len(p.text), symbol: '$'}
	}
	return p.tokens[0]
}

func (p *parser) or() (node, error) {
	var children []node
	for {
		n, err := p.and()
		if err != nil {
			return nil, err
		}
		if o, ok := n.(*orNode); ok { // flatten
			children = append(children, o.children...)
		} else {
			children = append(children, n)
		}
		if p.peek().keyword() != "or" {
			break
		}
		p.tokens = p.tokens[1:]
	}
	if len(children) == 1 {
		return children[0], nil
	}
	return &orNode{children}, nil
}

func (p *parser) and() (node, error) {
	var children []node
	for {
		n, err := p.not()
		if err != nil {
			return nil, err
		}
		if a, ok := n.(*andNode); ok {
			children = append(children, a.children...)
		} else {
			children = append(children, n)
		}
		next := p.peek()
		if next.keyword() == "and" {
			p.tokens = p.tokens[1:]
			continue
		}
		if next.keyword() == "or" || next.symbol == ')' || next.symbol == '$' {
			break
		}
	}
	if len(children) == 1 {
		return children[0], nil
	}
	return &andNode{children}, nil
}

func (p *parser) not() (node, error) {
	t := p.peek()
	if t.keyword() != "not" {
		return p.primary()
	}
	p.tokens = p.tokens[1:]
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(t.at, "", "nested too deeply")
	}
	defer func() { p.depth-- }()
	child, err := p.not()
	if err != nil {
		return nil, err
	}
	if inner, ok := child.(*notNode); ok {
		return inner.child, nil
	}
	return &notNode{t.at, child}, nil
}

func (p *parser) primary() (node, error) {
	t := p.peek()
	switch {
	case t.symbol == '$':
		return nil, p.fail(t.at, "", "ends where a term should be")
	case t.symbol == ')':
		return nil, p.fail(t.at, "", "a ')' where a term should be")
	case t.keyword() != "":
		return nil, p.fail(t.at, fmt.Sprintf("to search for the word, quote it: %q", t.value), "'%s' where a term should be", t.keyword())
	case t.symbol == '(':
		p.tokens = p.tokens[1:]
		if p.depth++; p.depth > maxDepth {
			return nil, p.fail(t.at, "", "nested too deeply")
		}
		defer func() { p.depth-- }()
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.peek().symbol != ')' {
			return nil, p.fail(t.at, "", "a '(' that is not closed")
		}
		p.tokens = p.tokens[1:]
		return n, nil
	}
	p.tokens = p.tokens[1:]
	if p.leaves++; p.leaves > maxLeaves {
		return nil, p.fail(t.at, "", "more than %d terms", maxLeaves)
	}
	return p.leaf(t)
}

// fieldNames lists the fields in the order of [Query]'s documentation.
var fieldNames = slices.Concat(CodePrefixes, []string{OtherCode, "date", "born", "patient", "kind", "modality", "author", "org", "home", "word"})

var fieldAliases = map[string]string{
	"organisation": "org", "organization": "org", "keyword": "word", "icd": ICD10, "icd-10": ICD10, "birthdate": "born", "hospital": "home",
}

func (p *parser) leaf(t token) (node, error) {
	if context, _ := cutContext(t.field + ":"); context != "" {
		return p.inContext(context, t)
	}
	field := t.field
	if alias, ok := fieldAliases[field]; ok {
		field = alias
	}
	if field == "" {
		field = "word"
	}
	if !slices.Contains(fieldNames, field) {
		return nil, p.fail(t.at, fmt.Sprintf("fields are %s, and %s before one of a code; to search for the text itself, quote it",
			strings.Join(fieldNames, ", "), contextNames()),
			"unknown field '%s'", squeezeControls(t.field))
	}
	if normalise(t.value) == "" {
		return nil, p.fail(t.from, "", "nothing to search for")
	}
	l := &leaf{at: t.at, field: field}
	switch field {
	case "home":
		return &homeNode{t.at, normalise(t.value)}, nil
	case "date", "born":
		return l, p.period(l, t)
	case OtherCode:
		return l, p.code(l, t)
	case "patient":
		l.terms = []Term{patientTerm(t.value)}
	case "kind":
		l.terms = kindQuery(t.value)
		l.check = checkKind(l.terms)
	default:
		if slices.Contains(CodePrefixes, field) {
			return l, p.code(l, t)
		}
		l.terms = textQuery(field, t.value)
	}
	if l.terms[0] == "" {
		return nil, p.fail(t.from, "", "nothing to search for")
	}
	l.text = strings.TrimPrefix(string(l.terms[0]), field+":")
	return l, nil
}

func contextNames() string {
	var names []string
	for _, c := range Contexts {
		names = append(names, string(c)+":")
	}
	return strings.Join(names, " ")
}

// inContext parses the value after a context: a code with its field, or a word.
func (p *parser) inContext(c Context, t token) (node, error) {
	inner := token{at: t.at, from: t.from, value: t.value, quoted: t.quoted}
	if field, rest, ok := strings.Cut(t.value, ":"); ok {
		field = strings.ToLower(field)
		switch {
		case field == "word" || field == "keyword" || isCodeField(field):
			inner.field, inner.value, inner.from = field, rest, t.from+len(field)+1
		case !t.quoted:
			return nil, p.fail(t.from, fmt.Sprintf("such as %s:icd10:I21.4 or %s:embolism", c, c), "'%s:' goes before a code or a word", c)
		}
	}
	n, err := p.leaf(inner)
	if err != nil {
		return nil, err
	}
	l := n.(*leaf)
	for i, term := range l.terms {
		l.terms[i] = Term(c) + ":" + term
	}
	l.text, l.field = l.field+":"+l.text, string(c)
	return l, nil
}

func isCodeField(field string) bool {
	if alias, ok := fieldAliases[field]; ok {
		field = alias
	}
	return field == OtherCode || slices.Contains(CodePrefixes, field)
}

func (p *parser) code(l *leaf, t token) error {
	value := t.value
	if stem, ok := strings.CutSuffix(value, "*"); ok && stem != "" {
		value = stem
		if !hierarchical[l.field] {
			return p.fail(t.from+len(stem), "only "+hierarchicalNames+" codes say what they are part of", "'%s:' knows no prefixes", l.field)
		}
	}
	var terms []Term
	if stem := strings.ToUpper(normalise(value)); l.field == ICD10 && icd10Start.MatchString(stem) {
		terms = icd10Prefix(stem)
		l.text = stem
	} else {
		if l.field == ICD10 {
			if err := p.icd10Block(value, t); err != nil {
				return err
			}
		}
		terms = codeQuery(l.field, value)
		if len(terms) > 0 {
			l.field, l.text, _ = strings.Cut(string(terms[0]), ":")
		}
	}
	if len(terms) == 0 {
		return p.fail(t.from, "", "nothing to search for")
	}
	l.terms, l.code = terms, true
	return nil
}

// hierarchical are the systems whose codes contain their ancestors.
var hierarchical = map[string]bool{ICD10: true, ICD11: true, ICD9: true, ICDO: true, OPS: true, ATC: true, ICPC: true}

const hierarchicalNames = "icd10, icd11, icd9, icdo, ops, atc and icpc"

// icd10Block refuses a block or range that no edition of ICD-10 has.
func (p *parser) icd10Block(value string, t token) error {
	code := normaliseCode(ICD10, value)
	if !icd10Block.MatchString(code) || icd10Blocks()[code] {
		return nil
	}
	hint := "search for codes and join them by 'or'"
	if near := nearICD10Blocks(code); len(near) > 0 {
		hint = "blocks and chapters near it: " + strings.Join(near, ", ")
	}
	return p.fail(t.from, hint, "no edition of ICD-10 has the block %s", code)
}

// icd10Start is the beginning of a category.
var icd10Start = regexp.MustCompile(`^[A-Z][0-9]?$`)
