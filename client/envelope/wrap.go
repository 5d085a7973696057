package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Recipients parses the recipients of an envelope beside the policy, such as the
// custodian and the patient, from their text form (age1..., age1pq1...). Empty texts are
// skipped.
//
// age refuses to mix a post-quantum recipient with others, because a file is only as
// strong as its weakest stanza. An envelope always has an ABE stanza, which rests on a
// pairing, so a post-quantum recipient beside it cannot make the file stronger. Custodian
// and patient must be able to open it with either kind of key. Therefore the labels by
// which age recognises the mix are removed here.
//
// Errors:
//   - ledger.ErrInvalid if a text is not an age recipient.
func Recipients(texts ...string) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, text := range texts {
		if text == "" {
			continue
		}
		r, err := ParseRecipient(text)
		if err != nil {
			return nil, err
		}
		all = append(all, unlabelled{r})
	}
	return all, nil
}

// ParseRecipient reads a native age recipient.
//
// Errors:
//   - ledger.ErrInvalid if the text is not an age recipient. The error does not repeat
//     the text, which may be a secret key given by mistake.
func ParseRecipient(text string) (age.Recipient, error) {
	var r age.Recipient
	var err error
	switch {
	case strings.HasPrefix(text, "age1pq1"):
		r, err = age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1"):
		r, err = age.ParseX25519Recipient(text)
	default:
		return nil, ledger.Errorf(ledger.ErrInvalid, "not an age recipient: it must begin with age1")
	}
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "not an age recipient: the text is damaged")
	}
	return r, nil
}

// unlabelled hides WrapWithLabels, which is age's documented way to mix recipients.
type unlabelled struct{ r age.Recipient }

func (u unlabelled) Wrap(fileKey []byte) ([]*age.Stanza, error) { return u.r.Wrap(fileKey) }

// pad fills a text with spaces up to its bucket.
func pad(text []byte) []byte {
	return append(text, bytes.Repeat([]byte{' '}, bucket(len(text))-len(text))...)
}

// wrap encrypts a padded text as an age file.
func wrap(text []byte, recipients []age.Recipient) ([]byte, error) {
	if len(recipients) == 0 {
		return nil, errors.New("seal envelope: no recipients")
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err != nil {
		return nil, fmt.Errorf("seal envelope: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("seal envelope: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal envelope: %w", err)
	}
	if out.Len() > ledger.MaxEnvelope {
		return nil, ledger.Errorf(ledger.ErrInvalid, "the policy is too large: its envelope of %d bytes is over %d", out.Len(), ledger.MaxEnvelope)
	}
	return out.Bytes(), nil
}

// unwrap decrypts the text of an envelope. All of it is authenticated before any of it is
// returned.
func unwrap(data []byte, identities []age.Identity) ([]byte, error) {
	if len(identities) == 0 {
		return nil, fmt.Errorf("open envelope: no keys are held: %w", age.ErrIncorrectIdentity)
	}
	r, err := age.Decrypt(bytes.NewReader(data), identities...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("open envelope: %w", errors.Join(none.Errors...))
	case err != nil:
		return nil, &damaged{"open envelope", err}
	}
	text, err := io.ReadAll(io.LimitReader(r, ledger.MaxEnvelope+1))
	if err != nil {
		return nil, &damaged{"open envelope", err}
	}
	return text, nil
}

// damaged is age's refusal of a file. Its text names the cause, but it does not wrap it:
// that no stanza matched, for example, has another meaning for a payload than for an
// envelope.
type damaged struct {
	op    string
	cause error
}

func (d *damaged) Error() string { return d.op + ": " + d.cause.Error() }
func (d *damaged) Unwrap() error { return ledger.ErrTampered }
