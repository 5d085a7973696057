// Package policy defines the language for access policies. A policy says who may open a
// record. The package parses policies and compiles them to the span programs of
// attribute-based encryption.
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
// Keywords may be in upper or lower case. A "#" outside quotes starts a comment that runs
// to the end of the line. There is no "not". Policies are monotone, because a person can
// always hide a key.
//
// Names are ASCII. An authority and a name consist of letters, digits and "._-". A value
// may have any printable ASCII. It needs quotes if it has characters other than letters,
// digits and "._-+@/:%". The restriction to ASCII is deliberate. Machines compare names
// byte by byte and people compare them by eye, but different Unicode names may look alike
// (homographs, or several normal forms of one accented letter). Labels for people belong
// beside the name, not in it.
//
// [Parse] returns a [Policy]. Its String is the canonical form. Texts with the same
// meaning in the same order have the same form, and parsing the form gives it again.
//
// # From a policy to span programs
//
// The scheme (Lewko and Waters, eprint 2010/351) is proved for span programs that use
// each attribute at most once. So [Policy.Spans] simplifies and factors the policy. If an
// attribute still occurs twice, it splits the policy at an "or" into alternatives, each
// sealed separately. It refuses a policy that would need more than [MaxSpans]
// alternatives, with [ErrReuse].
//
// # Numbers
//
// A comparison compiles to the few aligned intervals that make up its range. The holder
// of the number v has one attribute for each of the 17 aligned intervals that contain v
// (see [NumberAttributes]).
//
// The better known "bag of bits" needs fewer attributes. It is not sound here, because
// all keys of one person combine for ever. A person with the clearance 4 (100) and later
// 3 (011) would hold every bit and pass for 7. Intervals do not combine: keys for 4 and
// for 3 open exactly what 4 or 3 may open. For the same reason, two comparisons of one
// name inside one "and" are merged into one range before they are compiled. In different
// branches they are separate conditions.
//
// # Conditions on time
//
// A policy cannot say "until Friday", because neither keys nor ciphertexts know the time.
// A person who could open a record once can open their copy for ever. A policy can say
// "only with keys issued since day D". This is a comparison with the day number that an
// authority grants when it issues a key (HospitalA:issued>=9800).
package policy

import "sort"

// Limits on a policy. They bound the work that a hostile policy can cause.
const (
	MaxText       = 16 << 10 // bytes of text
	MaxDepth      = 32       // nested parentheses and thresholds
	MaxAttributes = 256      // uses of attributes, counted after comparisons are compiled
	MaxSpans      = 16       // span programs for one policy
	MaxName       = 128      // bytes of one attribute's name
)

// A Policy is a parsed policy. It is immutable and safe for concurrent use.
type Policy struct {
	root *node
}

// Parse parses a policy.
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

// String returns the canonical form: lower-case keywords, single spaces and only the
// necessary parentheses. "1 of" becomes "or", and "n of n" becomes "and".
func (p *Policy) String() string { return p.root.text() }

// Attributes lists the names of all attributes in the policy, sorted, each once. A
// comparison counts as the attributes of its compiled form.
func (p *Policy) Attributes() []string {
	set := map[string]bool{}
	p.root.expand().leaves(func(n *node) { set[n.attr] = true })
	return sorted(set)
}

// Authorities lists the authorities in the policy, sorted, each once.
func (p *Policy) Authorities() []string {
	set := map[string]bool{}
	p.root.leaves(func(n *node) { set[n.authority()] = true })
	return sorted(set)
}

// Satisfied evaluates the policy as a Boolean formula. It shares only the syntax tree
// with the span programs, so each can be tested against the other.
func (p *Policy) Satisfied(held func(attribute string) bool) bool {
	return p.root.satisfied(held)
}

// Holding returns a predicate for [Policy.Satisfied] and similar functions. It is true
// for the given attributes.
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
