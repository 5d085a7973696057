package index

import (
	"fmt"
	"strings"
)

// A Query is a parsed search. Its language:
//
//	query   = or
//	or      = and { "or" and }
//	and     = not { [ "and" ] not }
//	not     = [ "not" ] primary
//	primary = "(" or ")" | [ field ":" ] value
//	value   = word | quoted
//
// Adjacent words are joined by "and". Quotes keep spaces, parentheses and the words and,
// or, not. Within quotes, \" and \\ stand for the characters themselves.
//
// Fields:
//
//	icd10:I21.4  icd10:I20-I25           a code and all codes below it; I21* means I21
//	icd11: icd9: icdo: ops: atc: icpc:   the same
//	snomed: loinc: rxnorm: cvx: ndc:     a code
//	icd10pcs: cpt: ucum:                 a code
//	code:X  code:SYSTEM|X                a code of any other system
//	refuted:icd10:I21.4  error:          a code or word that the record says otherwise than
//	not-done: family: risk: planned:     of the patient and as a fact, see [Context]
//	suspected: historic:                 the same, and plain terms find these too
//	mentioned:WORD                       a word of a note, a conclusion or a narrative
//	date:2019  date:2019-03-14           the record has a date within that period, or a
//	                                     period that overlaps it
//	date:2019-03..2020-06  date:2019..   or within the range, ends included
//	born:                                the same for the patient's date of birth
//	patient:ID  patient:SYSTEM|ID        an identifier of the patient
//	kind:fhir  kind:fhir:Observation     the format and type of the record
//	kind:Observation                     the type alone
//	modality:CT  author:"jane smith"     as written in the record
//	author:smith  org:                   the same
//	home:HospitalA                       the home hospital of the record
//	word:X, or just X                    a keyword, a word of a title, or of the text of a
//	                                     code
//
// A quoted phrase of several words is found where it is a whole keyword, title or text of
// a code.
//
// "and" applies to the record: it has the word and the date, in any two places. But a
// code beside a patient must be that patient's, and a code beside dates must be of a
// statement with a date in one of these months. A range of more than 24 months, and a
// code that a record has in very many months, are compared with all dates of the record.
//
// A query needs a term to search for: one with nothing but "not" and "home:" is refused.
type Query struct {
	root node
}

// A QueryError is the place and the reason of an error in a query.
type QueryError struct {
	Offset  int    // in bytes, from 0
	Column  int    // in characters, from 1
	Message string // lower case, no full stop
	Hint    string // a correction; may be empty
}

func (e *QueryError) Error() string { return fmt.Sprintf("query: column %d: %s", e.Column, e.Message) }

// Unwrap returns [ErrInvalid].
func (e *QueryError) Unwrap() error { return ErrInvalid }

// Caret draws the query, and a "^" on the next line under the column. Control characters
// become spaces.
func (e *QueryError) Caret(text string) string {
	drawn := []rune(squeezeControls(text))
	column := min(max(e.Column-1, 0), len(drawn))
	const width = 100
	from := max(0, column-width*3/4)
	return string(drawn[from:min(len(drawn), from+width)]) + "\n" + strings.Repeat(" ", column-from) + "^"
}

func squeezeControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// Bounds on a query.
const (
	maxQuery  = 4096 // bytes
	maxDepth  = 64   // of parentheses and not
	maxLeaves = 64
)

// A node is a part of a query's syntax tree.
type node interface {
	// bounded reports whether the index alone can answer the node. Otherwise the node is
	// a condition on the records that other nodes find.
	bounded() bool
	// leaves appends all leaves under the node.
	leaves([]*leaf) []*leaf
	offset() int
	write(*strings.Builder)
}

type (
	andNode struct{ children []node }
	orNode  struct{ children []node }
	notNode struct {
		at    int
		child node
	}
	// homeNode is a condition on the hospital.
	homeNode struct {
		at   int
		name string // case folded
	}
)

// A leaf is one field:value. A record matches if it has any of the terms.
type leaf struct {
	at    int
	field string
	text  string // normal form, for [Query.String]
	terms []Term

	// check decides by a posting of the record under another term, where it can. It is
	// nil if it never can.
	check func(Hit) verdict

	first, last Day // the range of a date
	code        bool
}

type verdict int

const (
	unsure verdict = iota
	yes
	no
)

func (n *andNode) bounded() bool {
	for _, c := range n.children {
		if c.bounded() {
			return true
		}
	}
	return false
}

func (n *orNode) bounded() bool {
	for _, c := range n.children {
		if !c.bounded() {
			return false
		}
	}
	return true
}

func (*notNode) bounded() bool  { return false }
func (*homeNode) bounded() bool { return false }
func (*leaf) bounded() bool     { return true }

func (n *andNode) leaves(out []*leaf) []*leaf {
	for _, c := range n.children {
		out = c.leaves(out)
	}
	return out
}

func (n *orNode) leaves(out []*leaf) []*leaf {
	for _, c := range n.children {
		out = c.leaves(out)
	}
	return out
}

func (n *notNode) leaves(out []*leaf) []*leaf { return n.child.leaves(out) }
func (*homeNode) leaves(out []*leaf) []*leaf  { return out }
func (l *leaf) leaves(out []*leaf) []*leaf    { return append(out, l) }
func (n *andNode) offset() int                { return n.children[0].offset() }
func (n *orNode) offset() int                 { return n.children[0].offset() }
func (n *notNode) offset() int                { return n.at }
func (n *homeNode) offset() int               { return n.at }
func (l *leaf) offset() int                   { return l.at }
func (n *andNode) write(b *strings.Builder)   { writeAll(b, n.children, " and ") }
func (n *orNode) write(b *strings.Builder)    { writeAll(b, n.children, " or ") }
func (n *homeNode) write(b *strings.Builder)  { b.WriteString("home:" + quote(n.name)) }
func (l *leaf) write(b *strings.Builder)      { b.WriteString(l.field + ":" + quote(l.text)) }
func (n *notNode) write(b *strings.Builder)   { b.WriteString("not "); writeChild(b, n.child) }

func writeAll(b *strings.Builder, children []node, between string) {
	for i, c := range children {
		if i > 0 {
			b.WriteString(between)
		}
		writeChild(b, c)
	}
}

func writeChild(b *strings.Builder, n node) {
	switch n.(type) {
	case *andNode, *orNode:
		b.WriteByte('(')
		n.write(b)
		b.WriteByte(')')
	default:
		n.write(b)
	}
}

func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " ()\"\\") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// String returns the query in normal form. It parses to the same query.
func (q *Query) String() string {
	var b strings.Builder
	q.root.write(&b)
	return b.String()
}

// Terms returns the terms of the query, without composed terms.
func (q *Query) Terms() []Term {
	var out []Term
	for _, l := range q.root.leaves(nil) {
		out = append(out, l.terms...)
	}
	return unique(out)
}
