package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Stop stops one process, ORGANISATION/KIND, or everything of one organisation, as a fire
// in its building would. The watcher leaves it alone until it is started again.
//
// Errors:
//   - ErrNotFound if there is no such organisation or process.
//   - ErrUnavailable if another command works on the network.
func (n *Network) Stop(ctx context.Context, name string) error {
	chosen, err := n.chosen(name)
	if err != nil {
		return err
	}
	return n.exclusively(func() error { return n.stop(ctx, chosen) })
}

// Start starts one process, or everything of one organisation, and the watcher if it has
// died. One server that does not start keeps none of the others from it, and neither does
// a certificate that is due and cannot be replaced. Start waits until all of it serves.
// Then it waits for as long as the peer and the orderer come nearer to the blocks that
// the others have now, and until the peer knows the others.
//
// Errors:
//   - ErrNotFound if there is no such organisation or process.
//   - ErrUnavailable if a server does not start or stays behind, or another command works
//     on the network.
//   - ErrCatchingUp if all of it serves and makes progress, and is not finished after
//     WaitTimeout.
func (n *Network) Start(ctx context.Context, name string) error {
	chosen, err := n.chosen(name)
	if err != nil {
		return err
	}
	if !n.state.Created {
		return fmt.Errorf("the network in %s was never completed: bring it up first", n.dir)
	}
	var goal uint64
	err = n.exclusively(func() error {
		u := &bringUp{Network: n, say: talk(n.Progress)}
		var err error
		due := slices.DeleteFunc(renewable(n.Due(time.Now())), func(c Certificate) bool { return c.Organisation != name })
		if len(due) > 0 {
			err = u.renew(ctx, due)
		}
		if slices.ContainsFunc(chosen, func(p *process) bool { return p.kind == "orderer" && n.consenterEnded(p.organisation) }) {
			err = errors.Join(err, u.renewConsenters(ctx)) // the orderer cannot start as it is
		}
		goal = n.highest(ctx)
		err = errors.Join(err, n.startEach(ctx, chosen))
		if slices.Contains(n.organisations(), name) {
			err = errors.Join(err, u.restartOutdated(ctx, name))
		}
		err = errors.Join(err, u.renewConsenters(ctx))
		if n.wanted(n.watchProcess()) {
			err = errors.Join(err, n.startWatcher(ctx))
		}
		return err
	})
	if err != nil {
		return err
	}
	return n.awaitCaughtUp(ctx, chosen, goal)
}

// chosen gives the processes that Start and Stop work on. The name of a kind is none of
// one organisation, unless it is the watcher's.
func (n *Network) chosen(name string) ([]*process, error) {
	chosen := slices.DeleteFunc(append(n.members(n.organisations()...), n.watchProcess()), func(p *process) bool {
		return name == "" || name != p.name() && name != p.organisation
	})
	if len(chosen) == 0 {
		return nil, mark(ErrNotFound, fmt.Errorf("no organisation or process %q: this network has %s; a process is ORGANISATION/KIND, as in chartnet status",
			name, strings.Join(n.organisations(), ", ")))
	}
	return chosen, nil
}

// startEach starts processes, services last, and waits until all serve. It goes on with
// the others if one does not.
func (n *Network) startEach(ctx context.Context, processes []*process) error {
	var errs []error
	for _, p := range processes {
		errs = append(errs, n.want(p)) // the watcher goes on if this program is killed
	}
	for _, group := range n.inTurn(processes) {
		errs = append(errs, tryEach(ctx, group, func(ctx context.Context, p *process) error { return n.startAll(ctx, []*process{p}) }))
	}
	return errors.Join(errs...)
}

// inTurn groups processes: services come after the servers that they need.
func (n *Network) inTurn(processes []*process) [][]*process {
	groups := make([][]*process, 2)
	for _, p := range processes {
		i := 0
		for _, s := range n.services(p.organisation) {
			if s.kind == p.kind {
				i = 1
			}
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// startAll starts processes and waits until all serve.
func (n *Network) startAll(ctx context.Context, processes []*process) error {
	var waits []func(context.Context) error
	for _, p := range processes {
		exited, err := n.start(p)
		if err != nil {
			return err
		}
		waits = append(waits, func(ctx context.Context) error { return n.awaitReady(ctx, p, exited) })
	}
	return inParallel(ctx, waits...)
}

// highest gives the number of blocks of the highest peer or orderer that answers.
func (n *Network) highest(ctx context.Context) (highest uint64) {
	var mu sync.Mutex
	forEach(ctx, n.members(n.organisations()...), func(ctx context.Context, p *process) error {
		if p.height == nil || n.pid(p) == 0 {
			return nil
		}
		if h, err := p.height(ctx); err == nil {
			mu.Lock()
			defer mu.Unlock()
			highest = max(highest, h)
		}
		return nil
	})
	return highest
}

// awaitCaughtUp waits until processes have a number of blocks and the peers among them
// know the others, or do not come nearer. Only a block or a peer more than ever is
// nearer: texts of errors differ, and gossip forgets and finds again.
func (n *Network) awaitCaughtUp(ctx context.Context, processes []*process, goal uint64) error {
	var (
		best         = map[string]uint64{}
		began        = time.Now()
		moved, spoke = began, began
		say          = talk(n.Progress)
	)
	for {
		blocks, gossip, reached := n.missing(ctx, processes, goal)
		if len(blocks)+len(gossip) == 0 {
			return nil
		}
		text, now := strings.Join(append(blocks, gossip...), "; "), time.Now()
		for what, value := range reached {
			if value > best[what] {
				best[what], moved = value, now
			}
		}
		if now.Sub(spoke) > sayEvery {
			spoke = now
			say("  %s", text)
		}
		switch idle := now.Sub(moved); {
		case ctx.Err() != nil:
			return ctx.Err()
		case idle > n.waitTimeout()/4 && len(blocks) > 0:
			return mark(ErrUnavailable, fmt.Errorf("all of it runs, but there was no progress for %s: %s", idle.Round(time.Second), text))
		case idle > n.waitTimeout()/4, now.Sub(began) > n.waitTimeout():
			return mark(ErrCatchingUp, fmt.Errorf("still catching up: %s", text))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sayEvery is the time between two lines about a long wait.
const sayEvery = 5 * time.Second

// missing names the processes that have fewer blocks than the goal, and the peers that do
// not know the other running peers. It also gives the blocks and the known peers of each.
func (n *Network) missing(ctx context.Context, processes []*process, goal uint64) (blocks, gossip []string, reached map[string]uint64) {
	reached = map[string]uint64{}
	for _, p := range processes {
		if p.height == nil {
			continue
		}
		h, err := p.height(ctx)
		if err != nil {
			blocks = append(blocks, p.name()+": "+err.Error())
			continue
		}
		reached[p.name()+" blocks"] = min(h, goal) // more of them bring nobody nearer
		if h < goal {
			blocks = append(blocks, fmt.Sprintf("%s has %d of %d blocks", p.name(), h, goal))
		}
		if p.kind != "peer" {
			continue
		}
		known, err := n.knowsPeers(ctx, p.organisation)
		reached[p.name()+" peers"] = known
		if err != nil {
			gossip = append(gossip, p.name()+" "+err.Error())
		}
	}
	return blocks, gossip, reached
}
