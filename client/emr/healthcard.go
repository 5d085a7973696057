package emr

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// isHealthCard looks for a SMART health card: a file with a credential, the text of its
// code, or a link.
func isHealthCard(head []byte) strength {
	start := trimHead(head)
	if bytes.HasPrefix(start, []byte("shc:/")) || bytes.HasPrefix(start, []byte("shlink:/")) ||
		len(start) > 0 && start[0] == '{' && bytes.Contains(start, []byte(`"verifiableCredential"`)) {
		return signature
	}
	return unlike
}

var errHealthCard = errors.New("malformed SMART health card")

// readHealthCard reads the FHIR bundles of a card. Their signatures are not verified.
func readHealthCard(in *input, b *builder) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	data = bytes.TrimSpace(data)
	in.work.spend(4 * len(data))
	var cards []string
	switch {
	case bytes.HasPrefix(data, []byte("shlink:/")):
		b.partial("a SMART health link: what it links to was not read")
		return nil
	case bytes.HasPrefix(data, []byte("shc:/")):
		for line := range bytes.Lines(data) {
			if card, ok := healthCardOfCode(string(bytes.TrimSpace(line))); ok {
				cards = append(cards, card)
			}
		}
		if len(cards) == 0 {
			return errHealthCard
		}
	default:
		var file struct {
			Cards []string `json:"verifiableCredential"`
		}
		if json.Unmarshal(data, &file) != nil {
			return errHealthCard
		}
		cards = file.Cards
	}
	for _, card := range cards {
		if err := b.healthCard(card); err != nil {
			return err
		}
	}
	return nil
}

// healthCardOfCode turns the digits of a QR code into the credential. Codes of several
// parts, such as "shc:/1/2/...", are not put together.
func healthCardOfCode(code string) (string, bool) {
	digits := strings.TrimPrefix(code, "shc:/")
	if len(digits) == 0 || len(digits)%2 != 0 {
		return "", false
	}
	out := make([]byte, len(digits)/2)
	for i := range out {
		x, y := digits[2*i]-'0', digits[2*i+1]-'0'
		if x > 9 || y > 9 {
			return "", false
		}
		out[i] = 10*x + y + 45
	}
	return string(out), true
}

// healthCard reads a credential: a signed token whose payload is compressed JSON.
func (b *builder) healthCard(card string) error {
	parts := strings.Split(card, ".")
	if len(parts) != 3 {
		return errHealthCard
	}
	packed, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return errHealthCard
	}
	payload := packed
	if len(packed) > 0 && packed[0] != '{' {
		small := &deflated{bytes.NewReader(packed), b.work}
		if payload, err = io.ReadAll(io.LimitReader(flate.NewReader(small), maxText+1)); err != nil || len(payload) > maxText {
			return errHealthCard
		}
	}
	b.work.spend(8 * len(payload))
	var token struct {
		Credential struct {
			Subject struct {
				Bundle json.RawMessage `json:"fhirBundle"`
			} `json:"credentialSubject"`
		} `json:"vc"`
	}
	if json.Unmarshal(payload, &token) != nil || len(token.Credential.Subject.Bundle) == 0 {
		return errHealthCard
	}
	mediaType, kind := b.doc.MediaType, b.doc.Kind
	err = readJSON(newInput(bytes.NewReader(token.Credential.Subject.Bundle), b.work), b)
	b.doc.MediaType, b.doc.Kind = mediaType, kind
	return err
}
