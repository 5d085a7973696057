package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/trust"
	"github.com/chartseal/chartseal/client/wallet"
)

// A directory finds public keys for one user: on the ledger or, if the ledger does not
// answer, among the keys that it returned to this user earlier.
//
// A kept key may be out of date. If the authority has rotated it since, people who lost
// the attribute by that rotation can still open a file sealed to the old key. A directory
// therefore uses kept keys only if the ledger does not answer, and tells the user their
// age. It never uses a version older than one that any program of this user has seen.
type directory struct {
	user    *wallet.User
	memory  trust.Memory
	connect connector
	tell    func(string)
}

// A connector reaches the ledger as a user, at their own peer and at those of other
// organisations.
type connector func(*wallet.User) (l trust.Ledger, witnesses []trust.Ledger, closeIt func(), err error)

// keptItem is the path of the kept public keys in the user's memory.
const keptItem = "age-plugin/public-keys.json"

// A keptKey is a public key as the ledger returned it.
type keptKey struct {
	Key  []byte    `json:"key"`  // encoding of package abe
	Seen time.Time `json:"seen"` // when the ledger last returned it
}

// keys returns the public key of each name.
func (d *directory) keys(ctx context.Context, names []string) ([]*abe.PublicKey, error) {
	keys, err := d.ask(ctx, names)
	if errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return d.recall(names, err)
	}
	if err != nil {
		return nil, err
	}
	if err := d.keep(keys); err != nil {
		d.tell("the public keys could not be saved for offline use: " + words.OneLine(err.Error()))
	}
	return keys, nil
}

func (d *directory) ask(ctx context.Context, names []string) ([]*abe.PublicKey, error) {
	l, witnesses, closeIt, err := d.connect(d.user)
	if err != nil {
		return nil, err
	}
	defer closeIt()
	known := &trust.Directory{Ledger: l, Witnesses: witnesses, Memory: d.memory, Roots: d.user.Profile.Members}
	return known.PublicKeys(ctx, names...)
}

func (d *directory) keep(keys []*abe.PublicKey) error {
	kept, err := d.load()
	if err != nil {
		kept = map[string]keptKey{} // it is only a copy
	}
	for _, k := range keys {
		b, err := k.MarshalBinary()
		if err != nil {
			return err
		}
		kept[k.Name()] = keptKey{Key: b, Seen: time.Now().UTC().Truncate(time.Second)}
	}
	text, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return d.memory.Store(keptItem, append(text, '\n'))
}

func (d *directory) load() (map[string]keptKey, error) {
	text, err := d.memory.Load(keptItem)
	if errors.Is(err, ledger.ErrNotFound) {
		return map[string]keptKey{}, nil
	}
	if err != nil {
		return nil, err
	}
	kept := map[string]keptKey{}
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "the public keys kept by %s cannot be read: %v", d.user, err)
	}
	return kept, nil
}

// recall returns kept keys. cause says why the ledger did not answer.
func (d *directory) recall(names []string, cause error) ([]*abe.PublicKey, error) {
	kept, err := d.load()
	if err != nil {
		return nil, err
	}
	var keys []*abe.PublicKey
	var oldest time.Time
	for _, n := range names {
		k, ok := kept[n]
		if !ok {
			return nil, d.unknown(n, kept, cause)
		}
		key, err := abe.ParsePublicKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("kept public key of %s: %w", n, err)
		}
		if key.Name() != n {
			return nil, ledger.Errorf(ledger.ErrTampered, "the key kept for %s is that of %s", n, key.Name())
		}
		if _, err := trust.CheckPublicKey(d.memory, key); err != nil {
			return nil, words.WithHint(err, "the current key is on the ledger, which does not answer: %v", cause)
		}
		if oldest.IsZero() || k.Seen.Before(oldest) {
			oldest = k.Seen
		}
		keys = append(keys, key)
	}
	d.tell(fmt.Sprintf("the ledger does not answer; sealing with public keys from %s: "+
		"anyone who lost an attribute since then may still be able to open this", oldest.Format("2006-01-02 15:04 MST")))
	return keys, nil
}

func (d *directory) unknown(name string, kept map[string]keptKey, cause error) error {
	err := fmt.Errorf("the public key of %s is not known here and the ledger cannot be asked: %w", name, cause)
	var known []string
	for n := range kept {
		known = append(known, n)
	}
	if near := words.Suggest(name, known); near != "" {
		return words.WithHint(err, "did you mean %s?", near)
	}
	return err
}
