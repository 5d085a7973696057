package index

import (
	"fmt"
	"strings"
)

// A Query is a parsed search. Its language:
//
//	query   = or
//	or      = and { "or" and }
//	and     = not { [ "and" ] not }            words beside each other are joined by and
//	not     = [ "not" ] primary
//	primary = "(" or ")" | [ field ":" ] value
//	value   = word | quoted                     quotes keep spaces, parentheses and the words and, or, not; \" and \\ inside
//
// Fields:
//
//	icd10:I21.4  icd10:I21  icd10:I20-I25  icd10:I00-I99    a code, with all that is below it; I21* is the same as I21
//	snomed: loinc: rxnorm: cvx:                             a code
//	code:X  code:SYSTEM|X                                   a code of any other system
//	date:2019  date:2019-03  date:2019-03-14                the record has a date within that period
//	date:2019-03..2020-06  date:2019..  date:..2020-06-02   or within the range, ends included
//	born:                                                   likewise, the patient's date of birth
//	patient:ID  patient:SYSTEM|ID                           an identifier of the patient
//	kind:fhir  kind:fhir:Observation  kind:Observation      what the record is
//	modality:CT  author:"jane smith"  author:smith  org:    as the record says
//	home:HospitalA                                          the hospital whose record it is
//	word:X, or just X                                       a keyword; "quoted words" are a phrase that was given as one keyword or title
//
// "and" is about the record: a code and a date that are both in it, wherever. A query
// must name something to look for: one that only says what it is not, or where, is
// refused.
type Query struct {
	root node
}

// A QueryError says where and why a text is not a query.
type QueryError struct {
	Offset  int    // in bytes, from 0
	Column  int    // in characters, from 1
	Message string // lower case, no full stop
	Hint    string // what to write instead; may be empty
}

func (e *QueryError) Error() string { return fmt.Sprintf("query: column %d: %s", e.Column, e.Message) }

// Unwrap says that it is the caller's mistake: [ErrInvalid].
func (e *QueryError) Unwrap() error { return ErrInvalid }

// Caret draws the query and below it a "^" under the column. Control characters are drawn
// as spaces.
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

// node is a part of a query's syntax tree.
type node interface {
	// bounded reports that the node can be read from the index, and is not only a
	// condition on what else is found.
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

// leaf is one field:value: a record matches if it has any of the terms.
type leaf struct {
	at    int
	field string
	text  string // normal form, for [Query.String]
	terms []Term

	// check answers from a posting of the record under another term, or says that it
	// cannot. Nil never can.
	check func(Hit) verdict

	first, last Day // the range of a date
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

// Terms returns the terms that the query is made of, without composed ones.
func (q *Query) Terms() []Term {
	var out []Term
	for _, l := range q.root.leaves(nil) {
		out = append(out, l.terms...)
	}
	return unique(out)
}
