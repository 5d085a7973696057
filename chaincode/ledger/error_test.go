package ledger

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorsCrossTheWire(t *testing.T) {
	for _, kind := range []error{ErrInvalid, ErrNotFound, ErrExists, ErrDenied, ErrRevoked, ErrTampered, ErrUnavailable} {
		sent := Errorf(kind, "record %s: [chartseal/denied] of no use", "4f1a")
		// Fabric puts its own words before the text.
		text := "chaincode response 500, " + Encode(fmt.Errorf("endorse: %w", sent))
		got := Decode(text)
		if got == nil || !errors.Is(got, kind) || got.Error() != sent.Message {
			t.Errorf("%v: decoded %v from %q", kind, got, text)
		}
	}
}

func TestWithKind(t *testing.T) {
	cause := fmt.Errorf("read state: %w", ErrNotFound)
	err := WithKind(cause, ErrTampered)
	if !errors.Is(err, ErrTampered) || !errors.Is(err, ErrNotFound) || !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("got %v", err)
	}
	if err := WithKind(nil, ErrTampered); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestErrorsWithoutACode(t *testing.T) {
	if got := Encode(errors.New("plain")); got != "plain" {
		t.Errorf("got %q", got)
	}
	if got := Encode(&Error{Kind: errors.New("of no code"), Message: "m"}); got != "m" {
		t.Errorf("got %q", got)
	}
	for _, text := range []string{"", "plain", "[chartseal/", "[chartseal/denied]", "[chartseal/unheard-of] m", "chartseal/denied] m"} {
		if got := Decode(text); got != nil {
			t.Errorf("decoded %v from %q", got, text)
		}
	}
}
