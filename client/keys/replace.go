package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// A Replacement is what [Replace] has published.
type Replacement struct {
	Published []ledger.AttributeName // versions made from the new secret, by this call
	Foreign   []ledger.AttributeName // versions that somebody else has published
}

// replaceAttempts bounds the rounds of [Replace]. A round fails if somebody publishes at
// the same time, as a thief can who has stolen the enrolment key too.
const replaceAttempts = 5

// Replace publishes, for each attribute that the caller's authority has published, a
// version made from the new secret of a master key of [abe.MasterKey.Replace]. Sealers
// then use that version, and the replaced secret makes keys of older versions only.
//
// It calls save before it publishes anything, and after the last attribute. If it fails,
// or its process is killed, call it again with the master key that was saved last: it
// goes on with the attributes that are left.
//
// Errors:
//   - ErrExists or ErrInvalid if somebody else publishes versions all the time.
//   - ErrTampered if the peer tells of other attributes or versions than a witness.
//   - ErrUnavailable if there are witnesses and none answers.
//   - ErrDenied if the ledger refuses the caller.
//   - Any other error of the ledger or of save.
func Replace(ctx context.Context, l Publisher, by Signing, master *abe.MasterKey, save func() error) (r Replacement, err error) {
	for attempt := 1; ; attempt++ {
		names, foreign, err := survey(ctx, l, by, master)
		r.Foreign = foreign
		if err == nil {
			err = save()
		}
		if err == nil && len(names) > 0 {
			var published []ledger.AttributeName
			published, err = publishNext(ctx, l, by, master, names)
			r.Published = append(r.Published, published...)
			if attempt < replaceAttempts && (errors.Is(err, ledger.ErrExists) || errors.Is(err, ledger.ErrInvalid)) {
				continue
			}
		}
		if err != nil {
			return r, fmt.Errorf("replace the master secret: %w", err)
		}
		if len(names) == 0 {
			break
		}
	}
	master.Finish()
	if err := save(); err != nil {
		return r, fmt.Errorf("replace the master secret: %w", err)
	}
	return r, nil
}

// survey assigns all published versions to the secrets that made them. It returns the
// attributes whose current version is not made from the current secret, and the versions
// that no secret made. An attribute that the peer hides would stay with the stolen
// secret, so a witness has to agree.
func survey(ctx context.Context, l Publisher, by Signing, master *abe.MasterKey) (names []ledger.AttributeName, foreign []ledger.AttributeName, err error) {
	own, err := l.AttributesOf(ctx, master.Authority())
	if err == nil {
		err = by.Trust.ConfirmAttributes(ctx, own)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, a := range own {
		published := make([]*abe.PublicKey, a.Version)
		for first := 1; first <= a.Version; first += ledger.MaxKeysPerCall {
			var ask []ledger.AttributeName
			for v := first; v < first+ledger.MaxKeysPerCall && v <= a.Version; v++ {
				ask = append(ask, ledger.AttributeName{Name: a.Name, Version: v})
			}
			keys, err := l.AttributeKeyVersions(ctx, ask)
			if err != nil {
				return nil, nil, err
			}
			if len(keys) != len(ask) {
				return nil, nil, ledger.Errorf(ledger.ErrTampered, "the peer has %d of the %d versions of %s that it tells of", len(keys), len(ask), a.Name)
			}
			for i, k := range keys {
				if key, err := trust.ParseKey(k); err == nil && key.Version() == ask[i].Version {
					published[first-1+i] = key
				}
			}
		}
		if _, err := master.Assign(a.Name, published); err != nil {
			return nil, nil, err
		}
		for v := 1; v <= a.Version; v++ {
			if master.Foreign(a.Name, v) {
				foreign = append(foreign, ledger.AttributeName{Name: a.Name, Version: v})
			}
		}
		if master.Past(a.Name, a.Version) {
			names = append(names, a)
		}
	}
	return names, foreign, nil
}
