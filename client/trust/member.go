package trust

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"

	"github.com/chartseal/chartseal/abe/authority"
)

// A MemberLister reads the channel's organisations, with their roots and revocation
// lists, from one peer.
type MemberLister interface {
	ChannelMSPs(ctx context.Context) ([]authority.MSP, error)
}

// Members returns the channel's organisations as the own peer lists them, confirmed by
// the first witness that answers. Without witnesses the own peer is believed. A false
// list of roots is dangerous: the authority would issue keys to anyone, and its people
// would trust any authority.
//
// Errors:
//   - ErrTampered if a witness lists other organisations, roots or revocations.
//   - ErrUnavailable if the own peer, or every witness, does not answer.
func Members[L MemberLister](ctx context.Context, own L, witnesses []L) ([]authority.MSP, error) {
	ours, err := own.ChannelMSPs(ctx)
	if err != nil {
		return nil, err
	}
	err = confirm(ctx, "the channel's members", witnesses, func(ctx context.Context, w L) (bool, error) {
		theirs, err := w.ChannelMSPs(ctx)
		if err != nil || slices.EqualFunc(ours, theirs, sameMSP) {
			return err == nil, err
		}
		// Either peer may be a few blocks behind.
		if ours, err = own.ChannelMSPs(ctx); err != nil {
			return false, err
		}
		return slices.EqualFunc(ours, theirs, sameMSP), nil
	})
	if err != nil {
		return nil, err
	}
	return ours, nil
}

func sameMSP(a, b authority.MSP) bool {
	return a.ID == b.ID && sameRaw(a.Roots, b.Roots) && sameRaw(a.Intermediates, b.Intermediates) && sameRaw(a.TLSRoots, b.TLSRoots) &&
		slices.EqualFunc(a.CRLs, b.CRLs, func(x, y *x509.RevocationList) bool { return bytes.Equal(x.Raw, y.Raw) })
}

func sameRaw(a, b []*x509.Certificate) bool {
	return slices.EqualFunc(a, b, func(x, y *x509.Certificate) bool { return x.Equal(y) })
}
