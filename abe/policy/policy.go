// Package policy is the language in which a record's owner says who may open it. It turns
// a policy into the span programs of attribute-based encryption.
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
// Keywords may be written in either case. A "#" outside quotes starts a comment that runs
// to the end of the line. There is no "not": a policy is monotone, because nobody can be
// forced to present a key that they would rather hide.
//
// Names are ASCII. The authority and the name are letters, digits and "._-". A value is
// any printable ASCII, quoted if it has anything but letters, digits and "._-+@/:%". This
// is on purpose. Machines compare names byte by byte and people compare them by eye, and
// Unicode has different names that look alike (homographs, several normal forms of one
// accented letter). Labels for people belong beside the name, not in it.
//
// [Parse] returns a [Policy]. Its String is the canonical form: texts that mean the same
// in the same order have one form, and parsing the form gives it again.
//
// # From a policy to span programs
//
// The scheme (Lewko and Waters, eprint 2010/351) is proved for span programs that use
// each attribute at most once. So [Policy.Spans] simplifies and factors the policy. Where
// an attribute still occurs twice, it splits the policy at an "or" into alternatives,
// which are sealed one by one. It refuses a policy that would need more than [MaxSpans]
// of them, with [ErrReuse].
//
// # Numbers
//
// A comparison is compiled to the few aligned intervals that make up its range. The
// holder of the number v has one attribute for each of the 17 aligned intervals that
// contain v (see [NumberAttributes]).
//
// The better known "bag of bits" has fewer attributes but is not sound here, because keys
// of one person combine for ever. A person whose clearance was 4 (100) and then 3 (011)
// would hold every bit and pass for 7. Intervals do not combine: keys for 4 and for 3
// open what 4 or 3 may open, and nothing else. For the same reason, two comparisons of
// one name inside one "and" are merged into one range before they are compiled. In
// different branches they are separate conditions.
//
// # Conditions on time
//
// A policy cannot say "until Friday", because no key and no ciphertext knows the time:
// who could open a record once can open their copy for ever. It can say "only with keys
// issued since day D", as a comparison with the day number that an authority grants at
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

// Parse reads a policy.
//
// Errors:
//   - [*SyntaxError] with line and column, which [SyntaxError.Caret] can draw. It matches
//     ErrTooLong, ErrTooDeep, ErrTooManyAttributes or ErrName if that is the reason.
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
