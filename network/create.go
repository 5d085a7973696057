package network

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// create makes the network: authorities, identities, the channel, the chaincode.
func (u *bringUp) create(ctx context.Context) error {
	if err := u.phase(ctx, "certificate authorities", u.everywhere(u.startCA)); err != nil {
		return err
	}
	nodes := func(ctx context.Context, org string) error { return u.enrollAll(ctx, org, u.nodes(org)) }
	if err := u.phase(ctx, "nodes' identities", u.everywhere(nodes)); err != nil {
		return err
	}
	// People enrol, secrets are made and kubo starts while the channel's servers wait for
	// one another.
	err := u.phase(ctx, "channel, users, ipfs",
		inOrder(u.makeGenesis, u.startNodes, u.joinPeers, u.everywhere(u.awaitActive)),
		inOrder(u.makePeople, u.startIPFS))
	if err != nil {
		return err
	}
	if err := u.phase(ctx, "chaincode", u.define(1), u.everywhere(u.awaitGossip)); err != nil {
		return err
	}
	u.state.Created, u.state.Closed, u.state.Settings = true, true, settings
	return u.state.write(u.dir)
}

func (u *bringUp) startCA(ctx context.Context, org string) error {
	if err := errors.Join(u.makeRoots(org), u.configureCA(org)); err != nil {
		return err
	}
	return u.startAll(ctx, []*process{u.caProcess(org)})
}

// startNodes starts orderers, peers and chaincode servers, and gives each peer the
// chaincode package.
func (u *bringUp) startNodes(ctx context.Context) error {
	if err := errors.Join(u.writeDefinition(), u.writeBuilder()); err != nil {
		return err
	}
	for _, org := range u.organisations() {
		if err := u.configureNodes(org); err != nil {
			return err
		}
	}
	startOrderer := func(ctx context.Context, org string) error {
		return u.startAll(ctx, []*process{u.ordererProcess(org)})
	}
	startPeer := func(ctx context.Context, org string) error {
		if err := u.startAll(ctx, []*process{u.peerProcess(org), u.chaincodeProcess(org)}); err != nil {
			return err
		}
		return u.installChaincode(ctx, org)
	}
	return inParallel(ctx, inOrder(u.everywhere(startOrderer), u.joinOrderers), u.everywhere(startPeer))
}

// joinOrderers makes all orderers consenters. The first orderer leads, so it joins last:
// messages of a leader before the others listen are lost, and the first transaction would
// wait five seconds for a view change.
func (u *bringUp) joinOrderers(ctx context.Context) error {
	all := u.organisations()
	if err := forEach(ctx, all[1:], u.joinOrderer); err != nil {
		return err
	}
	return u.joinOrderer(ctx, all[0])
}

// joinPeers makes the peers follow the channel, one after the other, as startPeers starts
// them.
func (u *bringUp) joinPeers(ctx context.Context) error {
	for _, org := range u.organisations() {
		if err := u.joinPeer(ctx, org); err != nil {
			return err
		}
	}
	return nil
}

func (u *bringUp) configureNodes(org string) error {
	return errors.Join(u.configureOrderer(org), u.configurePeer(org), u.configureChaincode(org))
}

// awaitActive waits until an organisation's orderer takes part and its peer has the first
// block.
func (u *bringUp) awaitActive(ctx context.Context, org string) error {
	return u.retry(ctx, "wait for "+org+"/orderer", func(ctx context.Context) error {
		info, err := u.ordererChannel(ctx, org)
		if err == nil && info.Status != "active" {
			err = fmt.Errorf("its status is %q", info.Status)
		}
		if err != nil || u.topology.Ordering.Type != Raft {
			return err
		}
		metrics, err := u.channelMetrics(ctx, org, portOrdererOperations)
		if err == nil && metrics["consensus_etcdraft_leader_changes"] == 0 {
			err = errors.New("it knows no leader yet")
		}
		return err
	})
}

// awaitSameHeight waits until every peer has every block. Peers at different heights give
// different endorsements.
func (u *bringUp) awaitSameHeight(ctx context.Context) error {
	return u.retry(ctx, "wait for peers at the same height", func(ctx context.Context) error {
		var mu sync.Mutex
		heights := map[uint64]bool{}
		err := u.everywhere(func(ctx context.Context, org string) error {
			h, err := u.peerProcess(org).height(ctx)
			mu.Lock()
			defer mu.Unlock()
			heights[h] = true
			return err
		})(ctx)
		if err == nil && len(heights) > 1 {
			err = fmt.Errorf("they are at %v", sortedKeys(heights))
		}
		return err
	})
}
