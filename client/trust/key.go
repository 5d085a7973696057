package trust

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// PublicKeys returns the current public key of each attribute, in the order of names.
// Each must be signed by the attribute's authority. A key that is not pinned yet is also
// confirmed by a witness, which may know a newer one, and then it is pinned.
//
// A key from an earlier release has no signature. It is accepted if it was pinned then.
//
// Errors:
//   - ErrNotFound if a name is not published; the message suggests a similar name.
//   - ErrTampered if the authority has not signed a key, if a key differs from its pin or
//     is older than the newest pin, or if a witness disagrees. It is an [UnsignedError]
//     if there is no signature.
//   - ErrUnavailable if neither the own peer nor any witness answers.
func (d *Directory) PublicKeys(ctx context.Context, names ...string) ([]*abe.PublicKey, error) {
	published, err := d.Ledger.AttributeKeys(ctx, names)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, d.unpublished(ctx, names, err)
	}
	if err != nil {
		return nil, err
	}
	v := d.verification(time.Time{})
	keys := make([]*abe.PublicKey, len(published))
	var unseen []ledger.AttributeKey
	var pins []pin
	for i, k := range published {
		if k.Name != names[i] {
			return nil, ledger.Errorf(ledger.ErrTampered, "the ledger gave the key of %s for %s", k.Name, names[i])
		}
		var p pin
		if keys[i], p, err = v.publicKey(ctx, k); err != nil {
			return nil, err
		}
		if p.newest > k.Version {
			return nil, ledger.Errorf(ledger.ErrTampered, "the ledger gives version %d of the public key of %s, but version %d was seen before",
				k.Version, k.Name, p.newest)
		}
		if !p.seen {
			unseen = append(unseen, k)
		}
		if !p.seen || p.signed != (k.Signature != "") {
			pins = append(pins, p)
		}
	}
	if err := d.confirmKeys(ctx, unseen); err != nil {
		return nil, err
	}
	for _, p := range pins {
		if err := d.Memory.Store(p.item, p.text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// CheckKeys decodes published keys, current or past, and checks them like
// [Directory.PublicKeys]. It asks no witness and pins nothing. It yields one key or error
// for each of the published keys.
//
// Errors:
//   - ErrTampered if the authority has not signed the key, or if the key differs from its
//     pin. It is an [UnsignedError] if there is no signature.
func (d *Directory) CheckKeys(ctx context.Context, published []ledger.AttributeKey) iter.Seq2[*abe.PublicKey, error] {
	return func(yield func(*abe.PublicKey, error) bool) {
		v := d.verification(time.Time{})
		for _, k := range published {
			key, _, err := v.publicKey(ctx, k)
			if !yield(key, err) {
				return
			}
		}
	}
}

// publicKey decodes a published key and compares it with its pins and its signature.
func (v *verification) publicKey(ctx context.Context, k ledger.AttributeKey) (*abe.PublicKey, pin, error) {
	key, err := ParseKey(k)
	if err != nil {
		return nil, pin{}, err
	}
	p, err := readPins(v.Memory, key, k.Signature != "")
	if err != nil {
		return nil, pin{}, err
	}
	what := fmt.Sprintf("the public key of %s version %d", k.Name, k.Version)
	member := key.Attribute().Authority
	switch {
	case k.Signature != "":
		err = v.by(ctx, member, keepers, what, KeyStatement(v.Ledger.Channel(), k), k.Signature)
	case p.seen && p.signed:
		err = ledger.Errorf(ledger.ErrTampered, "the ledger gives %s without the signature that it had before", what)
	case !p.seen:
		err = &UnsignedError{member, what}
	}
	return key, p, err
}

// NotSigned returns those of an authority's published keys that nobody can believe yet:
// they have no valid signature.
//
// Errors:
//   - ErrUnavailable if the signers or the members cannot be had.
func (d *Directory) NotSigned(ctx context.Context, published []ledger.AttributeKey) (missing []ledger.AttributeKey, err error) {
	v := d.verification(time.Time{})
	for _, k := range published {
		name, err := policy.ParseAttribute(k.Name)
		if err != nil {
			return nil, ledger.Errorf(ledger.ErrTampered, "the ledger has an attribute %.80q: %v", k.Name, err)
		}
		err = v.by(ctx, name.Authority, keepers, k.Name, KeyStatement(d.Ledger.Channel(), k), k.Signature)
		switch {
		case errors.Is(err, ledger.ErrTampered):
			missing = append(missing, k)
		case err != nil:
			return nil, err
		}
	}
	return missing, nil
}

func (d *Directory) confirmKeys(ctx context.Context, keys []ledger.AttributeKey) error {
	if len(keys) == 0 {
		return nil
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	return confirm(ctx, fmt.Sprintf("the public keys of %v", names), d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := w.AttributeKeys(ctx, names)
		return err == nil && slices.EqualFunc(theirs, keys, sameKey), err
	})
}

// sameKey compares keys. An authority may have signed one of them again since.
func sameKey(a, b ledger.AttributeKey) bool {
	return a.Name == b.Name && a.Version == b.Version && a.Key == b.Key
}

// CheckPublicKey compares a public key from another source than the ledger, such as a
// file or a cache, with the pins of [Directory.PublicKeys] in the same memory. It reports
// whether exactly this key is pinned.
//
// Errors:
//   - ErrTampered if another key is pinned under the same version.
//   - ErrRevoked if a newer version is pinned.
func CheckPublicKey(memory Memory, k *abe.PublicKey) (seen bool, err error) {
	p, err := readPins(memory, k, false)
	if err != nil {
		return false, err
	}
	if p.newest > k.Version() {
		return false, ledger.Errorf(ledger.ErrRevoked, "version %d of the public key of %s was replaced by version %d", k.Version(), k.Name(), p.newest)
	}
	return p.seen, nil
}

// ParseKey decodes a published key and compares it with its published name and version.
//
// Errors:
//   - ErrTampered if it cannot be read or belongs to another name or version.
func ParseKey(k ledger.AttributeKey) (*abe.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "public key of %s is not base64", k.Name)
	}
	key, err := abe.ParsePublicKey(raw)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "public key of %s: %v", k.Name, err)
	}
	if key.Name() != k.Name || key.Version() != k.Version {
		return nil, ledger.Errorf(ledger.ErrTampered, "the key published as %s version %d says that it is %s version %d", k.Name, k.Version, key.Name(), key.Version())
	}
	return key, nil
}

// A pin holds the first key seen for each version of one attribute. Its item in the
// memory has a line "VERSION HEX-SHA256" for each version, and the word "signed" behind
// it once its signature was verified.
type pin struct {
	item   string
	text   []byte // the item with the key added
	newest int    // newest pinned version
	seen   bool   // whether exactly this key is pinned
	signed bool   // and was signed
}

const signedMark = "signed"

// readPins compares a key with the pins of its attribute. signed says whether the key has
// a signature now.
//
// Errors:
//   - ErrInvalid if the item is damaged.
//   - ErrTampered if another key is pinned under the same version.
func readPins(memory Memory, key *abe.PublicKey, signed bool) (pin, error) {
	name, version := key.Name(), key.Version()
	raw, err := key.MarshalBinary()
	if err != nil {
		return pin{}, err
	}
	digest := sha256.Sum256(raw)
	hash := hex.EncodeToString(digest[:])
	p := pin{item: pinItem(name)}
	text, err := memory.Load(p.item)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return pin{}, err
	}
	for line := range strings.Lines(string(text)) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		pinned, mark, _ := strings.Cut(rest, " ")
		v, err := strconv.Atoi(number)
		if err != nil {
			return pin{}, ledger.Errorf(ledger.ErrInvalid, "the pinned keys of %s cannot be read: %q", name, line)
		}
		p.newest = max(p.newest, v)
		if v != version {
			p.text = append(p.text, line...)
			continue
		}
		if pinned != hash {
			return pin{}, ledger.Errorf(ledger.ErrTampered, "the public key of %s version %d is not the one that was seen before", name, version)
		}
		p.seen, p.signed = true, mark == signedMark
	}
	p.text = fmt.Appendf(p.text, "%d %s", version, hash)
	if signed {
		p.text = append(p.text, " "+signedMark...)
	}
	p.text = append(p.text, '\n')
	return p, nil
}

// pinItem returns the name of an attribute's pins in the memory. An attribute's name may
// contain characters that an item's name may not.
func pinItem(attribute string) string {
	id := sha256.Sum256([]byte(attribute))
	return "pin/" + hex.EncodeToString(id[:16])
}

// unpublished adds to the error which of the names are not published.
func (d *Directory) unpublished(ctx context.Context, names []string, cause error) error {
	published, err := d.Ledger.Attributes(ctx)
	if err != nil {
		return cause
	}
	all := make([]string, len(published))
	for i, a := range published {
		all[i] = a.Name
	}
	var missing []string
	for _, name := range names {
		if slices.Contains(all, name) {
			continue
		}
		if near := policy.Suggest(name, all); len(near) > 0 {
			name += " (did you mean " + near[0] + "?)"
		}
		missing = append(missing, name)
	}
	if len(missing) == 0 {
		return cause
	}
	return ledger.Errorf(ledger.ErrNotFound, "no authority has published %s", strings.Join(missing, ", "))
}

// ConfirmAttributes asks a witness for the caller's own attributes and their current
// versions.
//
// Errors:
//   - ErrTampered if the own peer tells of others.
//   - ErrUnavailable if there are witnesses and none answers.
func (d *Directory) ConfirmAttributes(ctx context.Context, own []ledger.AttributeName) error {
	return confirm(ctx, "the attributes of "+d.Ledger.MSP(), d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := w.Attributes(ctx)
		theirs = slices.DeleteFunc(theirs, func(a ledger.AttributeName) bool { return !strings.HasPrefix(a.Name, d.Ledger.MSP()+":") })
		return slices.Equal(theirs, own), err
	})
}
