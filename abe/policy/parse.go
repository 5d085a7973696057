package policy

import (
	"errors"
	"strconv"
	"strings"
)

type parser struct {
	lex   lexer
	tok   token
	depth int
	uses  int
}

func parse(text string) (*node, error) {
	if len(text) > MaxText {
		return nil, syntaxError(text, MaxText, "", "longer than %d bytes", MaxText).of(ErrTooLong)
	}
	p := &parser{lex: lexer{text: text}}
	root, err := p.policy()
	if err != nil {
		return nil, err
	}
	if len(root.text()) > MaxText { // the canonical form must itself be a valid policy
		return nil, syntaxError(text, len(text), "", "longer than %d bytes in canonical form", MaxText).of(ErrTooLong)
	}
	return root, nil
}

func (p *parser) policy() (*node, *SyntaxError) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, p.error(p.tok, "name at least one attribute, for example HospitalA:role=doctor", "empty policy")
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.error(p.tok, p.hintAfterTerm(), "expected 'and', 'or' or the end, found %s", p.tok)
	}
	return root, nil
}

func (p *parser) advance() *SyntaxError {
	tok, err := p.lex.next()
	p.tok = tok
	return err
}

func (p *parser) error(at token, hint, format string, args ...any) *SyntaxError {
	return syntaxError(p.lex.text, at.offset, hint, format, args...)
}

func (p *parser) hintAfterTerm() string {
	switch {
	case p.tok.is(")"):
		return "there is no '(' that this ')' closes"
	case p.tok.is(","):
		return "a list needs a count before it: 2 of (a, b, c)"
	case p.tok.kind == tokenWord || p.tok.kind == tokenString:
		return `join attributes with 'and' or 'or', and put values with spaces in quotes: HospitalA:ward="intensive care"`
	}
	return ""
}

func (p *parser) or() (*node, *SyntaxError)  { return p.chain("or", opOr, p.and) }
func (p *parser) and() (*node, *SyntaxError) { return p.chain("and", opAnd, p.term) }

func (p *parser) chain(word string, op op, operand func() (*node, *SyntaxError)) (*node, *SyntaxError) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	kids := []*node{first}
	for p.tok.is(word) {
		if err := p.advance(); err != nil {
			return nil, err
		}
		kid, err := operand()
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
	}
	n := gate(op, 0, kids)
	if op == opAnd {
		if err := p.mergeRanges(n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *parser) term() (*node, *SyntaxError) {
	tok := p.tok
	switch {
	case tok.is("("):
		return p.group()
	case tok.kind == tokenString:
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.leaf(tok, tok.text)
	case tok.kind != tokenWord:
		return nil, p.error(tok, "", "expected an attribute or '(', found %s", tok)
	case tok.is("and") || tok.is("or") || tok.is("of"):
		return nil, p.error(tok, "", "expected an attribute or '(', found the keyword '%s'", strings.ToLower(tok.text))
	case tok.is("not"):
		return nil, p.error(tok, "a policy cannot say 'not': say who may open, not who may not", "'not' is not part of the language")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.is("of") {
		return p.threshold(tok)
	}
	return p.attribute(tok)
}

func (p *parser) enter(at token) *SyntaxError {
	p.depth++
	if p.depth > MaxDepth {
		return p.error(at, "", "nested more than %d deep", MaxDepth).of(ErrTooDeep)
	}
	return nil
}

func (p *parser) group() (*node, *SyntaxError) {
	open := p.tok
	if err := p.enter(open); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.is(")") {
		return nil, p.error(p.tok, "", "nothing between '(' and ')'")
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.close(open); err != nil {
		return nil, err
	}
	return n, nil
}

func (p *parser) close(open token) *SyntaxError {
	if p.tok.kind == tokenEnd {
		return p.error(open, "add the missing ')'", "this '(' is not closed")
	}
	if !p.tok.is(")") {
		return p.error(p.tok, p.hintAfterTerm(), "expected 'and', 'or' or ')', found %s", p.tok)
	}
	p.depth--
	return p.advance()
}

// threshold parses the rest of "k of ( a, b, c )". The current token is "of".
func (p *parser) threshold(count token) (*node, *SyntaxError) {
	k, convErr := strconv.Atoi(count.text)
	if convErr != nil || k < 1 || count.text[0] == '+' || count.text[0] == '0' {
		return nil, p.error(count, "for example 2 of (a, b, c)", "'%s' before 'of' is not a count", shorten(count.text))
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	open := p.tok
	if !open.is("(") {
		return nil, p.error(open, "for example 2 of (a, b, c)", "expected '(' after 'of', found %s", open)
	}
	if err := p.enter(open); err != nil {
		return nil, err
	}
	var kids []*node
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		kid, err := p.or()
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
		if !p.tok.is(",") {
			break
		}
	}
	if err := p.close(open); err != nil {
		return nil, err
	}
	if k > len(kids) {
		return nil, p.error(count, "", "%d of %d can never be satisfied", k, len(kids))
	}
	n := gate(opThreshold, k, kids)
	if err := p.mergeRanges(n); err != nil {
		return nil, err
	}
	return n, nil
}

// attribute parses the text after the name in tok: "=" and a value, or comparisons.
func (p *parser) attribute(tok token) (*node, *SyntaxError) {
	if p.tok.kind != tokenCompare {
		return p.leaf(tok, tok.text)
	}
	if !p.tok.is("=") {
		return p.comparison(tok)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	value := p.tok
	if value.kind != tokenWord && value.kind != tokenString {
		return nil, p.error(value, `put values with other characters in quotes`, "expected a value after '=', found %s", value)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.is("=") {
		return nil, p.error(p.tok, `put the value in quotes`, "second '=' in one attribute")
	}
	return p.leaf(tok, tok.text+"="+value.text)
}

func (p *parser) leaf(at token, name string) (*node, *SyntaxError) {
	a, err := ParseAttribute(name)
	if err != nil {
		hint := ""
		if !strings.Contains(name, ":") {
			hint = "write MSPID:name=value, for example HospitalA:role=doctor"
		}
		return nil, p.error(at, hint, "%s", leafMessage(err)).of(ErrName)
	}
	if err := p.use(at, 1); err != nil {
		return nil, err
	}
	return &node{op: opLeaf, attr: a.String(), offset: at.offset}, nil
}

// leafMessage drops the sentinel's text, which the message already contains.
func leafMessage(err error) string {
	return strings.Replace(err.Error(), ErrName.Error()+": ", "", 1)
}

func (p *parser) use(at token, uses int) *SyntaxError {
	p.uses += uses
	if p.uses > MaxAttributes {
		return p.error(at, "", "more than %d attributes", MaxAttributes).of(ErrTooManyAttributes)
	}
	return nil
}

func (p *parser) comparison(tok token) (*node, *SyntaxError) {
	a, err := ParseAttribute(tok.text)
	if err != nil {
		return nil, p.error(tok, "", "%s", leafMessage(err)).of(ErrName)
	}
	if len(a.String())+len(longestInterval) > MaxName {
		return nil, p.error(tok, "", "a name to compare can have %d bytes at most", MaxName-len(longestInterval)).of(ErrName)
	}
	n := &node{op: opRange, attr: a.String(), low: 0, high: MaxNumber, offset: tok.offset}
	for p.tok.kind == tokenCompare {
		operator := p.tok
		if operator.is("=") {
			return nil, p.error(operator, "", "'=' after a comparison")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		v, convErr := strconv.ParseUint(p.tok.text, 10, numberBits)
		if p.tok.kind != tokenWord || convErr != nil {
			hint := ""
			if errors.Is(convErr, strconv.ErrRange) {
				hint = "numbers go from 0 to 65535"
			}
			return nil, p.error(p.tok, hint, "expected a number after '%s', found %s", operator.text, p.tok)
		}
		if !n.narrow(operator.text, uint32(v)) {
			return nil, p.error(operator, "", "no number from 0 to %d satisfies this", MaxNumber)
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if err := p.use(tok, len(cover(n.low, n.high))); err != nil {
		return nil, err
	}
	return n, nil
}

// narrow intersects n's range with a comparison. It reports whether the range is not
// empty.
func (n *node) narrow(operator string, v uint32) bool {
	low, high := uint32(0), uint32(MaxNumber)
	switch operator {
	case ">=":
		low = v
	case ">":
		low = v + 1
	case "<=":
		high = v
	case "<":
		if v == 0 {
			return false
		}
		high = v - 1
	}
	n.low, n.high = max(n.low, low), min(n.high, high)
	return n.low <= n.high
}

// mergeRanges merges the comparisons of one name in one "and" into one range. This is
// needed for security: a person may hold keys for two numbers from different times, and
// these could satisfy two separate comparisons.
func (p *parser) mergeRanges(n *node) *SyntaxError {
	if n.op != opAnd {
		return nil
	}
	kept := n.kids[:0:0]
	seen := map[string]*node{}
	for _, kid := range n.kids {
		first := seen[kid.attr]
		if kid.op != opRange || first == nil {
			if kid.op == opRange {
				seen[kid.attr] = kid
			}
			kept = append(kept, kid)
			continue
		}
		first.low, first.high = max(first.low, kid.low), min(first.high, kid.high)
		if first.low > first.high {
			return syntaxError(p.lex.text, kid.offset, "", "no number satisfies all comparisons of %s here", kid.attr)
		}
	}
	n.kids = kept
	if len(kept) == 1 {
		*n = *kept[0]
	}
	return nil
}
