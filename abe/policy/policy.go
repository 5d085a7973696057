// Package policy is the language in which a record's owner says who may open it, and the
// mathematics that turns such a sentence into the span programs of attribute-based
// encryption.
//
//	HospitalA:role=doctor and (HospitalB:department=cardiology or 2 of (X:a, Y:b, Z:c))
//
// # Language
//
//	policy    = and { "or" and }                          "and" binds tighter than "or"
//	and       = term { "and" term }
//	term      = "(" policy ")" | threshold | attribute
//	threshold = number "of" "(" policy { "," policy } ")"
//	attribute = name [ "=" value ]                        MSPID:name or MSPID:name=value
//	          | name comparison { comparison }            MSPID:name>=3, MSPID:name>=3<=7
//	          | '"' any attribute '"'
//	comparison = ( ">=" | "<=" | ">" | "<" ) number       0 to 65535
//	value     = word | '"' text '"'                       \" and \\ inside the quotes
//
// Keywords may be written in either case; a "#" outside quotes starts a comment that runs
// to the end of the line. There is no "not": a policy is monotone, because nobody can be
// made to present a key that they would rather hide.
//
// Names are ASCII. The authority and the name are letters, digits and "._-"; a value is
// any printable ASCII, quoted where it has anything but letters, digits and "._-+@/:%".
// That is a decision, not an oversight: a name is compared byte by byte by machines and
// by eye by people, and Unicode would let two names look alike and differ (homographs,
// and the several normal forms of one accented letter). Labels for people belong beside
// the name, not in it.
//
// [Parse] gives a [Policy]; its String is the canonical form: two texts that mean the
// same in the same order have one form, and parsing the canonical form gives it again. A
// text that is not a policy gives a [*SyntaxError], which knows its line and column and
// can draw them ([SyntaxError.Caret]). Texts over a limit give an error that matches
// [ErrTooLong], [ErrTooDeep] or [ErrTooManyAttributes].
//
// # From a policy to span programs
//
// The scheme (Lewko and Waters, eprint 2010/351) is proved for span programs that use
// each attribute at most once. [Policy.Spans] therefore simplifies and factors the
// policy, and where an attribute still occurs twice it splits the policy at an "or" into
// alternatives that are sealed one by one. A policy that would need more than [MaxSpans]
// of them is refused with [ErrReuse].
//
// # Numbers
//
// A comparison is compiled to the few aligned intervals that make up its range, and a
// holder of the number v has one attribute for each of the 17 aligned intervals that
// contain v (see [NumberAttributes]). The better known "bag of bits" has fewer attributes
// but is not sound here: keys of one person combine for ever, so someone whose clearance
// was 4 (100) and then 3 (011) would hold every bit and pass for 7. Intervals do not
// combine: keys for 4 and for 3 open what 4 or 3 may open, and nothing else. For the same
// reason two comparisons of one name inside one "and" are merged into one range before
// they are compiled; written in different branches they are separate conditions.
//
// # What a policy cannot say
//
// "Until Friday" cannot be said, because no key and no ciphertext knows the time: who
// could open a record once can open their copy for ever. "Only with keys issued since day
// D" can be said soundly, as a comparison with the day number that an authority grants at
// issue (HospitalA:issued>=9800).
package policy

import "sort"

// Limits on a policy. They bound the work that a policy from a stranger can cause.
const (
	MaxText       = 16 << 10 // bytes of text
	MaxDepth      = 32       // nested parentheses and thresholds
	MaxAttributes = 256      // uses of attributes, after comparisons are compiled
	MaxSpans      = 16       // span programs for one policy
	MaxName       = 128      // bytes of one attribute's name
)

// A Policy is a parsed policy. It is immutable and safe for concurrent use.
type Policy struct {
	root *node
}

// Parse reads a policy. Its errors are of type [*SyntaxError].
func Parse(text string) (*Policy, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &Policy{root: root}, nil
}

// String is the canonical form: lower-case keywords, single spaces, no parentheses but
// the needed ones, "1 of" written with "or" and "n of n" with "and".
func (p *Policy) String() string { return p.root.text() }

// Attributes lists the names of all attributes that the policy uses, sorted, each once. A
// comparison counts as the attributes that it is compiled to.
func (p *Policy) Attributes() []string {
	set := map[string]bool{}
	p.root.expand().leaves(func(n *node) { set[n.attr] = true })
	return sorted(set)
}

// Authorities lists the authorities that the policy names, sorted, each once.
func (p *Policy) Authorities() []string {
	set := map[string]bool{}
	p.root.leaves(func(n *node) { set[n.authority()] = true })
	return sorted(set)
}

// Satisfied evaluates the policy as a Boolean formula. It shares nothing with the span
// programs but the syntax tree, so that each can be tested against the other.
func (p *Policy) Satisfied(held func(attribute string) bool) bool {
	return p.root.satisfied(held)
}

// Holding is a predicate for [Policy.Satisfied] and the like: the attributes named.
func Holding(attributes ...string) func(string) bool {
	set := make(map[string]bool, len(attributes))
	for _, a := range attributes {
		set[a] = true
	}
	return func(a string) bool { return set[a] }
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}
