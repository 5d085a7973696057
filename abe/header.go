package abe

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// maxHeader bounds the header of an age file that [HeaderPolicies] reads: enough for the
// largest policy in every stanza.
const maxHeader = 4 << 20

// HeaderPolicies reads the policies of an age file from its header, without any key: one
// [SealedPolicy] for each stanza of this package. It does not authenticate the header:
// only opening the file does.
//
// Errors:
//   - [*UnknownSuiteError] if this version does not know the suite of a stanza.
//   - ErrMalformed if it is not an age file, or a stanza is broken.
func HeaderPolicies(file io.Reader) ([]*SealedPolicy, error) {
	header, err := age.ExtractHeader(io.LimitReader(file, maxHeader))
	if err != nil {
		return nil, malformed("age file: %v", err)
	}
	stanzas, err := headerStanzas(header)
	if err != nil {
		return nil, err
	}
	var out []*SealedPolicy
	for _, s := range stanzas {
		if !IsStanza(s.Type) {
			continue
		}
		p, err := StanzaPolicy(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// headerStanzas parses a header that age has parsed and written again, so that it is in
// age's canonical form: a version line; for each stanza "-> " with its arguments, and
// lines of base64 of which the last is short; and the line of the MAC.
func headerStanzas(header []byte) ([]*age.Stanza, error) {
	const columns = 64
	var out []*age.Stanza
	var body strings.Builder
	lines := bufio.NewScanner(bytes.NewReader(header))
	lines.Buffer(nil, maxHeader)
	lines.Scan() // the version line, which age has checked
	inBody := false
	for lines.Scan() {
		line := lines.Text()
		switch {
		case inBody:
			body.WriteString(line)
			if len(line) == columns {
				continue
			}
			b, err := base64.RawStdEncoding.Strict().DecodeString(body.String())
			if err != nil {
				return nil, malformed("age file: %v", err)
			}
			out[len(out)-1].Body = b
			body.Reset()
			inBody = false
		case strings.HasPrefix(line, "-> "):
			args := strings.Split(line, " ")
			out = append(out, &age.Stanza{Type: args[1], Args: args[2:]})
			inBody = true
		case strings.HasPrefix(line, "--- "):
			return out, nil
		default:
			return nil, malformed("age file: unexpected line in the header")
		}
	}
	return nil, fmt.Errorf("age file: %w", errors.Join(ErrMalformed, lines.Err()))
}
