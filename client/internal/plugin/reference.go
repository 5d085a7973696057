package plugin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"filippo.io/age/plugin"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/wallet"
)

// name is the name of the plugin. age looks for the program age-plugin-chartseal.
const name = "chartseal"

// Kinds: the first byte of an encoded recipient or identity.
const (
	kindPolicy    = 1 // recipient: canonical policy text
	kindKeys      = 2 // recipient: policy text, then public keys, each with a length of two bytes
	kindUser      = 1 // identity: NAME@ORG
	kindRecordKey = 2 // identity: record key
)

var errEncoding = errors.New("malformed")

// A recipientRef is the content of an age1chartseal1... recipient. It has exactly one
// encoding.
type recipientRef struct {
	policy *policy.Policy
	keys   []*abe.PublicKey // of all attributes that are sealed to, sorted by name; nil to look them up
}

func (r recipientRef) String() string {
	text := r.policy.String()
	if r.keys == nil {
		return plugin.EncodeRecipient(name, append([]byte{kindPolicy}, text...))
	}
	data := appendBlob([]byte{kindKeys}, []byte(text))
	for _, k := range r.keys {
		b, _ := k.MarshalBinary() // never fails
		data = appendBlob(data, b)
	}
	return plugin.EncodeRecipient(name, data)
}

// parseRecipient reads the data of a recipient. It refuses any encoding that String does
// not write.
func parseRecipient(data []byte) (*recipientRef, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("recipient: %w: it names no policy", errEncoding)
	}
	kind, rest := data[0], data[1:]
	text := rest
	switch kind {
	case kindPolicy:
	case kindKeys:
		var ok bool
		if text, rest, ok = cutBlob(rest); !ok {
			return nil, fmt.Errorf("recipient: %w: it is cut short", errEncoding)
		}
	default:
		return nil, fmt.Errorf("recipient: %w: kind %d is not known to this version", errEncoding, kind)
	}
	p, err := policy.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("recipient: %w", err)
	}
	if p.String() != string(text) {
		return nil, fmt.Errorf("recipient: %w: the policy is not in canonical form", errEncoding)
	}
	r := &recipientRef{policy: p}
	if kind == kindKeys {
		if r.keys, err = parseKeys(p, rest); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func parseKeys(p *policy.Policy, data []byte) ([]*abe.PublicKey, error) {
	names, err := sealedTo(p)
	if err != nil {
		return nil, fmt.Errorf("recipient: %w", err)
	}
	var keys []*abe.PublicKey
	for _, want := range names {
		b, rest, ok := cutBlob(data)
		if !ok {
			return nil, fmt.Errorf("recipient: %w: the key of %s is missing", errEncoding, want)
		}
		k, err := abe.ParsePublicKey(b)
		if err != nil {
			return nil, fmt.Errorf("recipient: key of %s: %w", want, err)
		}
		if k.Name() != want {
			return nil, fmt.Errorf("recipient: %w: the key of %s stands where that of %s should", errEncoding, k.Name(), want)
		}
		keys, data = append(keys, k), rest
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("recipient: %w: bytes after the end", errEncoding)
	}
	return keys, nil
}

// anyPrime compiles a policy only to list the attributes of its span programs. Any prime
// above policy.MaxAttributes will do.
var anyPrime = big.NewInt(65537)

// sealedTo lists, sorted, the attributes whose public keys are needed to seal to the
// policy.
func sealedTo(p *policy.Policy) ([]string, error) {
	spans, err := p.Spans(anyPrime)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range spans {
		for _, row := range s.Rows() {
			names = append(names, row.Attribute)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// An identityRef is the content of an AGE-PLUGIN-CHARTSEAL-1... identity.
type identityRef struct {
	user      string // NAME@ORG; "" without a record key means the user of the settings
	recordKey []byte // secret
}

func (i identityRef) String() string {
	switch {
	case i.recordKey != nil:
		return plugin.EncodeIdentity(name, append([]byte{kindRecordKey}, i.recordKey...))
	case i.user != "":
		return plugin.EncodeIdentity(name, append([]byte{kindUser}, i.user...))
	}
	return plugin.EncodeIdentity(name, nil)
}

// parseIdentity reads the data of an identity. "age -j chartseal" sends no data.
func parseIdentity(data []byte) (*identityRef, error) {
	if len(data) == 0 {
		return &identityRef{}, nil
	}
	kind, rest := data[0], data[1:]
	switch kind {
	case kindUser:
		if _, _, err := wallet.SplitUser(string(rest)); err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
		return &identityRef{user: string(rest)}, nil
	case kindRecordKey:
		if len(rest) != envelope.KeySize {
			return nil, fmt.Errorf("identity: %w: record key has the wrong size", errEncoding) // without showing it
		}
		return &identityRef{recordKey: rest}, nil
	}
	return nil, fmt.Errorf("identity: %w: kind %d is not known to this version", errEncoding, kind)
}

func appendBlob(b, blob []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(blob))), blob...)
}

func cutBlob(b []byte) (blob, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < n {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}
