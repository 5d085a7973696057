package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// A Signing is how the caller signs what their hospital's authority publishes. Both
// fields are required, and are of the caller.
type Signing struct {
	Signer *trust.Signer
	Trust  *trust.Directory
}

// keys signs keys, after it has put the signer's certificate on the ledger.
func (s Signing) keys(ctx context.Context, l trust.Depositor, keys []ledger.AttributeKey) ([]ledger.AttributeKey, error) {
	if err := trust.Deposit(ctx, l, s.Trust.Memory, s.Signer); err != nil {
		return nil, err
	}
	signed := slices.Clone(keys)
	for i, k := range keys {
		signature, err := s.Signer.Sign(trust.KeyStatement(s.Trust.Ledger.Channel(), k))
		if err != nil {
			return nil, err
		}
		signed[i].Signature = signature.String()
	}
	return signed, nil
}

// Sign signs the published keys of the caller's authority, current and past, that have no
// valid signature: those from an earlier release, and those whose signer's certificate
// was revoked. It returns the number of keys that it signed.
//
// Errors:
//   - ErrTampered if a published key comes from another master key. All others are
//     signed.
//   - ErrDenied if the ledger refuses the caller.
//   - Any other error of the ledger.
func Sign(ctx context.Context, l Publisher, by Signing, master *abe.MasterKey) (signed int, err error) {
	own, err := l.AttributesOf(ctx, master.Authority())
	if err != nil {
		return 0, fmt.Errorf("sign keys: %w", err)
	}
	var versions []ledger.AttributeName
	for _, a := range own {
		for v := 1; v <= a.Version; v++ {
			versions = append(versions, ledger.AttributeName{Name: a.Name, Version: v})
		}
	}
	var foreign error
	for batch := range slices.Chunk(versions, ledger.MaxKeysPerCall) {
		published, err := l.AttributeKeyVersions(ctx, batch)
		if err == nil {
			published, err = by.Trust.NotSigned(ctx, published)
		}
		if err != nil {
			return signed, fmt.Errorf("sign keys: %w", err)
		}
		published = slices.DeleteFunc(published, func(k ledger.AttributeKey) bool {
			if master.Foreign(k.Name, k.Version) {
				return true // known since the master secret was replaced
			}
			err := made(master, k)
			foreign = errors.Join(foreign, err)
			return err != nil
		})
		if len(published) == 0 {
			continue
		}
		if published, err = by.keys(ctx, l, published); err == nil {
			err = l.PublishKeys(ctx, published)
		}
		if err != nil {
			return signed, fmt.Errorf("sign keys: %w", err)
		}
		signed += len(published)
	}
	if foreign != nil {
		return signed, fmt.Errorf("sign keys: %w", foreign)
	}
	return signed, nil
}

// Announce puts the address of the caller's authority and the recipient of its hospital's
// custodian on the ledger, signed, unless they are there already. An empty custodian
// keeps the announced one. It reports whether anything changed.
//
// Errors:
//   - ErrDenied if the ledger refuses the caller.
//   - ErrTampered if the custodian is empty, and the announced one cannot be believed.
//   - Any other error of the ledger.
func Announce(ctx context.Context, l Announcer, by Signing, a ledger.Announcement) (changed bool, err error) {
	old, signed, err := by.Trust.OwnAnnouncement(ctx)
	if err != nil && !errors.Is(err, ledger.ErrTampered) {
		return false, fmt.Errorf("announce authority: %w", err)
	}
	if a.Custodian == "" {
		if err == nil && old.MSP != "" {
			err = by.confirm(ctx, old)
		}
		if err != nil {
			return false, fmt.Errorf("announce authority, and keep its custodian: %w", err)
		}
		a.Custodian = old.Custodian
	}
	if signed && old.URL == a.URL && old.Custodian == a.Custodian {
		return false, by.remember(a)
	}
	if err := by.announce(ctx, l, a); err != nil {
		return false, fmt.Errorf("announce authority: %w", err)
	}
	return true, nil
}

// SignAnnouncement signs the announcement of the caller's authority if it has no valid
// signature: it is from an earlier release, or its signer's certificate was revoked. A
// peer could show a false one, so this happens only for the one that this wallet has
// announced, or else once, after a witness has confirmed it. It returns what was signed,
// or nil.
//
// Errors:
//   - ErrTampered if the announcement on the ledger is not that of this wallet.
//   - Any error of the ledger.
func SignAnnouncement(ctx context.Context, l Announcer, by Signing) (*ledger.Announcement, error) {
	on, signed, err := by.Trust.OwnAnnouncement(ctx)
	if signed || err == nil && on.MSP == "" {
		return nil, nil
	}
	if err != nil && !errors.Is(err, ledger.ErrTampered) {
		return nil, fmt.Errorf("sign the announcement: %w", err)
	}
	known, knownErr := by.remembered()
	switch {
	case knownErr != nil:
		err = knownErr
	case known != nil && (known.URL != on.URL || known.Custodian != on.Custodian):
		err = ledger.Errorf(ledger.ErrTampered, "the ledger has the address %s and the custodian %q, and this authority has announced %s and %q",
			on.URL, on.Custodian, known.URL, known.Custodian)
	case known != nil:
		err = nil
	case err == nil:
		err = by.Trust.ConfirmAnnouncement(ctx, on)
	}
	a := ledger.Announcement{URL: on.URL, Custodian: on.Custodian}
	if err == nil {
		err = by.announce(ctx, l, a)
	}
	if err != nil {
		return nil, fmt.Errorf("sign the announcement: %w", err)
	}
	return &a, nil
}

// announce signs an announcement and puts it on the ledger.
func (s Signing) announce(ctx context.Context, l Announcer, a ledger.Announcement) error {
	if err := trust.Deposit(ctx, l, s.Trust.Memory, s.Signer); err != nil {
		return err
	}
	statement := trust.AuthorityStatement(s.Trust.Ledger.Channel(), ledger.Authority{MSP: l.MSP(), URL: a.URL, Custodian: a.Custodian})
	signature, err := s.Signer.Sign(statement)
	if err != nil {
		return err
	}
	a.Signature = signature.String()
	if err := l.Announce(ctx, a); err != nil {
		return err
	}
	return s.remember(a)
}

// announcedItem is the item with the last announcement that this wallet has made.
const announcedItem = "authority/announced.json"

func (s Signing) remember(a ledger.Announcement) error {
	a.Signature = ""
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return s.Trust.Memory.Store(announcedItem, text)
}

// remembered returns nil if this wallet has announced nothing.
func (s Signing) remembered() (*ledger.Announcement, error) {
	text, err := s.Trust.Memory.Load(announcedItem)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	var a ledger.Announcement
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return &a, err
}

// confirm asks a witness about an announcement that this wallet has not made.
func (s Signing) confirm(ctx context.Context, a ledger.Authority) error {
	known, err := s.remembered()
	if err != nil || known != nil && known.Custodian == a.Custodian {
		return err
	}
	return s.Trust.ConfirmAnnouncement(ctx, a)
}
