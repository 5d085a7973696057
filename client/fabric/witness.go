package fabric

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/wallet"
)

// Witnesses connects the same user to the peers of all other organisations with a profile
// in their wallet, in random order, so that what the own peer says can be confirmed. The
// connections are made when they are first used; close each when done.
func Witnesses(u *wallet.User, t Timeouts) ([]*Gateway, error) {
	w, err := wallet.Open(filepath.Dir(u.Dir()))
	if err != nil {
		return nil, err
	}
	names, err := w.Organisations()
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var all []*Gateway
	for _, name := range names {
		if name == u.Profile.MSP {
			continue
		}
		p, err := w.Profile(name)
		if err == nil && p.Channel == u.Profile.Channel {
			var g *Gateway
			if g, err = Connect(u.At(p.Peer), t); err == nil {
				all = append(all, g)
			}
		}
		if err != nil {
			for _, g := range all {
				g.Close()
			}
			return nil, err
		}
	}
	return all, nil
}

// ConfirmedMSPs is [Gateway.ChannelMSPs], confirmed by the first witness that answers: a
// peer that lies about the members' roots could make its authority issue keys to anybody,
// and its people trust anybody's authority. It fails with ErrTampered when the two
// differ, and with ErrUnavailable when no witness answers. Without witnesses it believes
// the own peer.
func (g *Gateway) ConfirmedMSPs(ctx context.Context, witnesses []*Gateway) ([]authority.MSP, error) {
	var others []members
	for _, w := range witnesses {
		others = append(others, w.ChannelMSPs)
	}
	return confirmMembers(ctx, g.ChannelMSPs, others)
}

// members asks a peer for the channel's organisations.
type members func(context.Context) ([]authority.MSP, error)

// memberPatience is how long a peer may be a few blocks behind another.
const memberPatience = 3 * time.Second

func confirmMembers(ctx context.Context, own members, witnesses []members) ([]authority.MSP, error) {
	var unavailable error
	for _, witness := range witnesses {
		for deadline := time.Now().Add(memberPatience); ; {
			ours, err := own(ctx)
			if err != nil {
				return nil, err
			}
			theirs, err := witness(ctx)
			if errors.Is(err, ledger.ErrUnavailable) {
				unavailable = err
				break // the next witness
			}
			if err != nil {
				return nil, err
			}
			if slices.EqualFunc(ours, theirs, sameMSP) {
				return ours, nil
			}
			if time.Now().After(deadline) {
				return nil, ledger.Errorf(ledger.ErrTampered, "your own peer and that of another organisation do not say the same of the channel's members")
			}
			if err := pause(ctx, 1); err != nil {
				return nil, err
			}
		}
	}
	if unavailable != nil {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "no other organisation's peer could confirm the channel's members: %v", unavailable)
	}
	return own(ctx)
}

func sameMSP(a, b authority.MSP) bool {
	return a.ID == b.ID && sameRaw(a.Roots, b.Roots) && sameRaw(a.Intermediates, b.Intermediates) &&
		sameRaw(a.TLSRoots, b.TLSRoots) && slices.EqualFunc(a.CRLs, b.CRLs, func(x, y *x509.RevocationList) bool { return bytes.Equal(x.Raw, y.Raw) })
}

func sameRaw(a, b []*x509.Certificate) bool {
	return slices.EqualFunc(a, b, func(x, y *x509.Certificate) bool { return x.Equal(y) })
}
