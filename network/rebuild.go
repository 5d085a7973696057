package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/network/ledgerfile"
)

// Rebuild mends what [Network.Doctor] finds damaged in the files of an organisation, or
// of one of its peer, orderer and ipfs (ORGANISATION/KIND):
//
//   - A peer whose blocks are good makes its databases anew from them. One with a damaged
//     block drops its blocks and gets them from the orderers; it keeps its private data.
//     If its private data is damaged, it joins the channel anew and gets private data
//     from the other members, and all of them approve the chaincode again.
//   - An orderer with a damaged block joins the channel anew, and gets its blocks from
//     the other orderers.
//   - An IPFS node pins what is not pinned. It fetches what it lacks from the others.
//
// A peer, orderer or node that is named by its kind is rebuilt even if the doctor finds
// no damage. Rebuild waits until a peer or orderer has all blocks. Progress gets lines of
// text.
//
// Errors:
//   - ErrNotFound if there is no such organisation or process.
//   - ErrInvalid if the process is of another kind.
//   - ErrUnavailable if too few other orderers answer, a server does not start or gets no
//     blocks, or another command works on the network.
//   - ErrCatchingUp if a server makes progress, and is not finished after WaitTimeout.
func (n *Network) Rebuild(ctx context.Context, name string, progress io.Writer) error {
	if _, err := n.chosen(name); err != nil {
		return err
	}
	org, kind, one := strings.Cut(name, "/")
	if one && !slices.Contains([]string{"peer", "orderer", "ipfs"}, kind) {
		return mark(ErrInvalid, fmt.Errorf("%s keeps nothing that can be rebuilt: name a peer, an orderer or ipfs", name))
	}
	say := talk(progress)
	d, err := n.Doctor(ctx, org, progress)
	if err != nil {
		return err
	}
	r := &rebuild{Network: n, org: org, say: say}
	l, wanted := d.ledgers, func(k string) bool { return one && k == kind }
	done := false
	for _, step := range []struct {
		kind   string
		damage bool
		mend   func(context.Context) error
	}{
		{"orderer", len(l.orderer.Faults) > 0, r.orderer},
		{"peer", len(l.peer.Faults) > 0 || len(l.databases) > 0 || l.state, func(ctx context.Context) error { return r.peer(ctx, l) }},
		{"ipfs", len(l.unpinned) > 0, func(ctx context.Context) error {
			say("%s/ipfs: pinning %d payloads", org, len(l.unpinned))
			return n.repin(ctx, org, l.unpinned)
		}},
	} {
		if one && step.kind != kind || !step.damage && !wanted(step.kind) {
			continue
		}
		done = true
		if err := step.mend(ctx); err != nil {
			return fmt.Errorf("rebuild %s/%s: %w", org, step.kind, err)
		}
	}
	if !done {
		say("%s: nothing to rebuild", org)
	}
	return nil
}

// A rebuild is one call of Rebuild at work.
type rebuild struct {
	*Network
	org string
	say func(string, ...any)
}

// peer rebuilds the peer, in the gentlest way that mends the damage.
func (r *rebuild) peer(ctx context.Context, l ledgers) error {
	p := r.peerProcess(r.org)
	blocks := len(l.peer.Faults) > 0
	private := slices.ContainsFunc(l.databases, func(name string) bool {
		return !slices.Contains([]string{"stateLeveldb", "index", "bookkeeper", "configHistory", "historyLeveldb"}, filepath.Base(name))
	})
	var goal uint64
	err := r.exclusively(func() (err error) {
		if goal, err = r.others(ctx, p.name()); err != nil {
			return err
		}
		if err := r.stop(ctx, []*process{p}); err != nil {
			return err
		}
		switch {
		case private:
			err = r.rejoinPeer(ctx, p)
		case blocks:
			r.say("%s: dropping its blocks, to get them from the orderers", p.name())
			err = r.resetPeer(ctx, l, goal)
		default:
			r.say("%s: making its databases anew from its blocks", p.name())
			err = r.nodeCommand(ctx, "rebuild-dbs")
		}
		return errors.Join(err, r.startAll(ctx, []*process{p}))
	})
	if err != nil {
		return err
	}
	if err := r.awaitCaughtUp(ctx, []*process{p}, goal); err != nil {
		return err
	}
	if private {
		return r.exclusively(func() error { return r.approveAgain(ctx) })
	}
	return r.retry(ctx, "wait until "+p.name()+" endorses again", func(context.Context) error {
		if isFile(r.heightBefore()) {
			return mark(ErrCatchingUp, errors.New("it has not noticed yet that it has its blocks"))
		}
		return nil
	})
}

// resetPeer drops all blocks of the peer but the first one. The peer endorses nothing
// until it has as many as the others have now.
func (r *rebuild) resetPeer(ctx context.Context, l ledgers, goal uint64) error {
	// Fabric's command needs a first block, and fails where blocks cannot be read.
	var err error
	switch {
	case l.peer.Faults[0].Block == 0 && l.other == "":
		err = errors.New("its first block is damaged, and so are the blocks of all other peers")
	case l.peer.Faults[0].Block == 0:
		err = ledgerfile.RestoreFirst(l.peer.Directory, l.other)
	case l.peer.Cut != nil:
		err = l.peer.Cut.Truncate()
	}
	if err != nil {
		return err
	}
	if err := r.nodeCommand(ctx, "reset"); err != nil {
		return err
	}
	// Fabric takes the number of the last block in the file, which may be damaged.
	return writeFile(r.heightBefore(), []byte(strconv.FormatUint(goal, 10)))
}

// heightBefore is Fabric's file with the number of blocks that a peer had before a reset.
// The peer removes it when it has them, and looks every 10 s.
func (r *rebuild) heightBefore() string {
	return filepath.Join(r.peerBlocks(r.org), "__preResetHeight")
}

// nodeCommand runs one of Fabric's commands on the files of the peer, which must be down.
func (r *rebuild) nodeCommand(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(r.state.Servers.Fabric, "peer"), "node", command)
	cmd.Env = append([]string{"FABRIC_CFG_PATH=" + r.Network.org(r.org, "peer")}, logging...)
	_, err := r.run(ctx, cmd)
	return err
}

// approveAgain has all organisations approve the chaincode's definition under a new
// number. An approval is private data that only the organisation's own peer has, and
// without it Fabric refuses another one under the same number.
func (r *rebuild) approveAgain(ctx context.Context) error {
	r.say("%s: approving the chaincode again, with all members", r.org)
	committed, err := r.committedDefinition(ctx)
	if err != nil {
		return err
	}
	return (&bringUp{Network: r.Network, say: r.say}).define(committed.Sequence + 1)(ctx)
}

// rejoinPeer has the peer join the channel with an empty ledger. The old one is removed
// once the new one exists.
func (r *rebuild) rejoinPeer(ctx context.Context, p *process) error {
	r.say("%s: joining the channel anew; private data comes from the other members", p.name())
	old, err := setAside(r.peerLedgers(r.org))
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(r.LedgerDirectory(r.org), "transientstore")); err != nil {
		return err
	}
	if err := errors.Join(r.startAll(ctx, []*process{p}), r.joinPeer(ctx, r.org)); err != nil {
		return fmt.Errorf("%w (the old ledger is in %s)", err, old)
	}
	return os.RemoveAll(old)
}

// orderer has the orderer join the channel anew.
func (r *rebuild) orderer(ctx context.Context) error {
	if r.topology.Ordering.Type == Raft {
		return mark(ErrInvalid, errors.New("an orderer of Raft that has lost its log must leave the channel's consenters first"))
	}
	p := r.ordererProcess(r.org)
	var goal uint64
	err := r.exclusively(func() (err error) {
		if goal, err = r.others(ctx, p.name()); err != nil {
			return err
		}
		if err := r.stop(ctx, []*process{p}); err != nil {
			return err
		}
		if err := r.awaitOtherLeader(ctx); err != nil {
			return err
		}
		r.say("%s: joining the channel anew, to get the blocks from the other orderers", p.name())
		old, err := setAside(r.ordererLedgers(r.org))
		if err != nil {
			return err
		}
		if err := errors.Join(r.startAll(ctx, []*process{p}), r.joinOrderer(ctx, r.org)); err != nil {
			return fmt.Errorf("%w (the old ledger is in %s)", err, old)
		}
		return os.RemoveAll(old)
	})
	if err != nil {
		return err
	}
	return r.awaitCaughtUp(ctx, []*process{p}, goal)
}

// awaitOtherLeader waits until another orderer leads. One that joins as the leader of the
// first view asks nobody for blocks, and the others only wait for it.
func (r *rebuild) awaitOtherLeader(ctx context.Context) error {
	u := &bringUp{Network: r.Network, say: r.say}
	var nudged time.Time
	return r.retry(ctx, "wait for another leader", func(ctx context.Context) error {
		for _, org := range r.organisations() {
			metrics, err := r.channelMetrics(ctx, org, portOrdererOperations)
			if org != r.org && err == nil && metrics["consensus_BFT_is_leader"] > 0 {
				return nil
			}
		}
		if time.Since(nudged) > 2*time.Second { // an orderer's metrics change with the next block
			u.nudge(ctx)
			nudged = time.Now()
		}
		return errors.New("no other orderer leads")
	})
}

// others makes sure that other orderers can give the blocks, and returns their number.
func (r *rebuild) others(ctx context.Context, name string) (blocks uint64, err error) {
	var heights []uint64
	for _, s := range r.check(ctx, r.ordererProcesses(), 0) {
		if s.Healthy && s.Organisation+"/"+s.Process != name {
			heights = append(heights, s.Height)
		}
	}
	if blocks = confirmed(heights, r.liars()); blocks == 0 {
		return 0, mark(ErrUnavailable, fmt.Errorf("the blocks come from other orderers, and %d answer: start them first", len(heights)))
	}
	return blocks, nil
}

func (n *Network) ordererProcesses() (all []*process) {
	for _, org := range n.organisations() {
		all = append(all, n.ordererProcess(org))
	}
	return all
}

// setAside renames a directory. If an earlier try was interrupted, the directory is what
// that try made, and goes.
func setAside(dir string) (old string, err error) {
	old = dir + ".damaged"
	if _, err := os.Stat(old); err == nil {
		return old, os.RemoveAll(dir)
	}
	return old, os.Rename(dir, old)
}
