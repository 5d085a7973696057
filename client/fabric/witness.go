package fabric

import (
	"math/rand/v2"
	"path/filepath"

	"github.com/chartseal/chartseal/client/wallet"
)

// Witnesses connects the same user to the peers of all other organisations with a profile
// in their wallet, in random order, so that the answers of the user's peer can be
// confirmed. Each witness answers itself or not at all. The connections are made when
// they are first used; close each when done.
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
		p, err := w.Profile(name)
		if err == nil && p.Channel == u.Profile.Channel && p.Peer.MSP != u.Profile.Peer.MSP {
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
