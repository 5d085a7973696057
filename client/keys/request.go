package keys

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// A Requester asks authorities for one person's attribute keys.
type Requester struct {
	Ledger      Directory
	Trust       *trust.Directory                                   // of the person
	Certificate tls.Certificate                                    // for enrolment; its private key is a crypto.Signer
	Members     func(ctx context.Context) ([]authority.MSP, error) // of the channel, for the authorities' TLS roots

	// Held reports whether the person holds a version already. The versions that an
	// authority does not give unasked are asked for unless they are held. Nil means that
	// none is.
	Held func(attribute string, version int) bool
}

// A Grant is what one authority answered: keys, or an error.
type Grant struct {
	Authority string // MSP
	Keys      []*abe.UserKey
	Older     error // why older versions may be missing from Keys; nil if none is
	Err       error // wraps a sentinel of package ledger; see Nothing
}

// Request asks the named authorities one after the other, or all announced ones if none
// is named. If one fails, its Grant holds the error, and the others are still asked.
//
// Errors:
//   - ErrNotFound if a named authority is not announced. Nobody is asked then.
//   - Any error of the ledger or of Members.
//   - The error of ctx when it ends.
func (r Requester) Request(ctx context.Context, names ...string) ([]Grant, error) {
	announced, err := r.Ledger.Authorities(ctx)
	if err != nil {
		return nil, fmt.Errorf("request keys: %w", err)
	}
	var known []string
	for _, a := range announced {
		known = append(known, a.MSP)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("request keys: %w", ledger.Errorf(ledger.ErrNotFound, "no authority of %s is announced; there are %s", name, strings.Join(known, ", ")))
		}
	}
	members, err := r.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("request keys: %w", err)
	}
	var grants []Grant
	for _, a := range announced {
		if len(names) > 0 && !slices.Contains(names, a.MSP) {
			continue
		}
		grant := r.ask(ctx, a, members)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("request keys: %w", ctx.Err())
		}
		grants = append(grants, grant)
	}
	return grants, nil
}

func (r Requester) ask(ctx context.Context, a ledger.Authority, members []authority.MSP) Grant {
	grant := Grant{Authority: a.MSP}
	i := slices.IndexFunc(members, func(m authority.MSP) bool { return m.ID == a.MSP })
	if i < 0 {
		grant.Err = ledger.Errorf(ledger.ErrDenied, "%s is not a member of the channel", a.MSP)
		return grant
	}
	config := authority.ClientTLS(r.Certificate, members[i].TLSRoots)
	if grant.Err = r.Trust.CheckAnnouncement(ctx, a); grant.Err != nil {
		return grant
	}
	pins := newPins(ctx, r.Ledger, r.Trust)
	request := func(versions ...authority.VersionRange) ([]*abe.UserKey, error) {
		keys, err := authority.RequestKeys(ctx, a.URL, config, a.MSP, r.Ledger.Actor(), pins.get, versions...)
		return keys, Translate(err)
	}
	if grant.Keys, grant.Err = request(); grant.Err == nil {
		grant.Keys, grant.Older = r.older(grant.Keys, request)
		slices.SortFunc(grant.Keys, func(a, b *abe.UserKey) int {
			return cmp.Or(strings.Compare(a.Name(), b.Name()), cmp.Compare(a.Version(), b.Version()))
		})
	}
	return grant
}

// maxRequests bounds the requests to one authority. It stays below the number that a
// server accepts at once. The next run asks for the rest.
const maxRequests = 16

// older asks for the versions that the first answer left out, newest first, and returns
// all keys. Its error says why some may be missing.
func (r Requester) older(keys []*abe.UserKey, request func(...authority.VersionRange) ([]*abe.UserKey, error)) ([]*abe.UserKey, error) {
	got := make(map[ledger.AttributeName]bool)
	newest := make(map[string]int)
	take := func(more []*abe.UserKey) (fresh []*abe.UserKey) {
		for _, k := range more {
			if name := (ledger.AttributeName{Name: k.Name(), Version: k.Version()}); !got[name] {
				got[name] = true
				newest[k.Name()] = max(newest[k.Name()], k.Version())
				fresh = append(fresh, k)
			}
		}
		return fresh
	}
	keys = take(keys)
	for n := 1; ; n++ {
		missing := r.missing(newest, got)
		if len(missing) == 0 {
			return keys, nil
		}
		if n == maxRequests {
			return keys, ledger.Errorf(ledger.ErrUnavailable, "there are more versions than one request gets: request the keys again")
		}
		more, err := request(missing...)
		if err != nil {
			return keys, err
		}
		fresh := take(more)
		if len(fresh) == 0 {
			return keys, ledger.Errorf(ledger.ErrNotFound, "the authority does not issue versions %d to %d of %s", missing[0].From, missing[0].To, missing[0].Name)
		}
		keys = append(keys, fresh...)
	}
}

// missing lists the newest versions that the person lacks, as many as one request may
// name.
func (r Requester) missing(newest map[string]int, got map[ledger.AttributeName]bool) (missing []authority.VersionRange) {
	left := authority.MaxVersionsPerRequest
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		for v := newest[name]; v >= 1 && left > 0; v-- {
			if got[ledger.AttributeName{Name: name, Version: v}] || r.Held != nil && r.Held(name, v) {
				continue
			}
			left--
			if n := len(missing); n > 0 && missing[n-1].Name == name && missing[n-1].From == v+1 {
				missing[n-1].From = v
			} else {
				missing = append(missing, authority.VersionRange{Name: name, From: v, To: v})
			}
		}
	}
	return missing
}

// Check checks keys that did not come from an authority's server but, for example, from a
// file: they must be for gid and match the signed public keys on the ledger.
//
// Errors:
//   - ErrInvalid if a key was issued to somebody else.
//   - ErrTampered if a key does not match its public key, if the ledger has none, or if
//     its authority has not signed it.
//   - Any error of the ledger.
func Check(ctx context.Context, l History, d *trust.Directory, gid string, issued []*abe.UserKey) error {
	pinned := newPins(ctx, l, d)
	var versions []ledger.AttributeName
	for _, k := range issued {
		if k.GID() != gid {
			return ledger.Errorf(ledger.ErrInvalid, "the key of %s was issued to %s, not to %s", k.Name(), k.GID(), gid)
		}
		versions = append(versions, ledger.AttributeName{Name: k.Name(), Version: k.Version()})
	}
	if err := pinned.read(versions...); err != nil {
		return fmt.Errorf("check keys: %w", err)
	}
	for _, k := range issued {
		public, err := pinned.get(k.Name(), k.Version())
		if err == nil {
			err = k.Verify(public)
		}
		if err != nil {
			return fmt.Errorf("check key of %s: %w", k.Name(), ledger.WithKind(err, ledger.ErrTampered))
		}
	}
	return nil
}

// Nothing reports whether an authority refused only because none of its rules grants the
// person an attribute.
func Nothing(err error) bool {
	var refusal *authority.DeniedError
	return errors.As(err, &refusal) && refusal.Code == authority.CodeNothing
}

// Translate adds the matching sentinel of package ledger to an error of package
// authority, and keeps its text.
func Translate(err error) error {
	var refusal *authority.DeniedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal) && refusal.Code == authority.CodeRevoked:
		return ledger.WithKind(err, ledger.ErrRevoked)
	case errors.Is(err, authority.ErrDenied):
		return ledger.WithKind(err, ledger.ErrDenied)
	case errors.Is(err, authority.ErrUntrusted):
		return ledger.WithKind(err, ledger.ErrTampered)
	case errors.Is(err, authority.ErrUnavailable):
		return ledger.WithKind(err, ledger.ErrUnavailable)
	}
	return err
}
