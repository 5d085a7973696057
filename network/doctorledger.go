package network

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/network/ledgerfile"
)

// peerLedgers is the directory of a peer's ledgers: blocks, state, private data.
func (n *Network) peerLedgers(org string) string {
	return filepath.Join(n.LedgerDirectory(org), "ledgersData")
}

// ordererLedgers is the directory of an orderer's ledgers and its write-ahead log.
func (n *Network) ordererLedgers(org string) string { return n.org(org, "orderer", "data") }

// peerBlocks is the directory of the channel's blocks at a peer.
func (n *Network) peerBlocks(org string) string {
	return ledgerfile.BlockDirectory(filepath.Join(n.peerLedgers(org), "chains"), n.topology.Channel)
}

// ordererBlocks is the directory of the channel's blocks at an orderer.
func (n *Network) ordererBlocks(org string) string {
	return ledgerfile.BlockDirectory(n.ordererLedgers(org), n.topology.Channel)
}

// ledgers is what the doctor knows of the files of an organisation.
type ledgers struct {
	peer, orderer ledgerfile.Findings
	other         string   // block files of another organisation's peer, without a fault
	databases     []string // of the peer, damaged
	state         bool     // the state is not that of the blocks
	unpinned      []string // CIDs
}

// checkLedgers compares the organisation's files with those of the others, and with one
// another.
func (n *Network) checkLedgers(ctx context.Context, d *Diagnosis, scratch string, say func(string, ...any)) error {
	say("reading the block files of all members")
	if err := n.checkBlocks(ctx, d); err != nil {
		return err
	}
	say("reading the databases of %s/peer", d.Organisation)
	if err := n.checkDatabases(ctx, d, scratch); err != nil {
		return err
	}
	return n.checkState(ctx, d, scratch, say)
}

// checkBlocks compares the block files of the peer and the orderer with those of all
// others.
func (n *Network) checkBlocks(ctx context.Context, d *Diagnosis) error {
	var sources []ledgerfile.Source
	for _, org := range n.organisations() {
		sources = append(sources,
			ledgerfile.Source{Name: org + "/peer", Directory: n.peerBlocks(org), Peer: true},
			ledgerfile.Source{Name: org + "/orderer", Directory: n.ordererBlocks(org)})
	}
	found, err := ledgerfile.Compare(ctx, sources)
	if err != nil {
		return err
	}
	for _, f := range found {
		org, kind, _ := strings.Cut(f.Name, "/")
		if org != d.Organisation {
			if f.Peer && len(f.Faults) == 0 {
				d.ledgers.other = f.Directory
			}
			continue
		}
		if kind == "peer" {
			d.ledgers.peer = f
		} else {
			d.ledgers.orderer = f
		}
		for _, fault := range f.Faults {
			d.add(f.Name, "block files", Faulty, "chartnet rebuild "+f.Name, "block %d: %s", fault.Block, fault.Reason)
		}
		if f.More > 0 {
			d.add(f.Name, "block files", Faulty, "chartnet rebuild "+f.Name, "%d more blocks are damaged", f.More)
		}
		switch {
		case len(f.Faults) > 0:
		case len(f.Witness) > 0:
			d.add(f.Name, "block files", Good, "", "%d blocks, the last as at %s", f.Blocks, strings.Join(f.Witness, ", "))
		default:
			d.add(f.Name, "block files", Good, "", "%d blocks, the last at nobody else yet", f.Blocks)
		}
	}
	return nil
}

// checkDatabases reads all databases of the peer and the index of the orderer's blocks.
func (n *Network) checkDatabases(ctx context.Context, d *Diagnosis, scratch string) error {
	for _, p := range []struct{ name, dir string }{
		{d.Organisation + "/peer", n.LedgerDirectory(d.Organisation)},
		{d.Organisation + "/orderer", n.ordererLedgers(d.Organisation)},
	} {
		all, err := ledgerfile.Databases(p.dir)
		if err != nil {
			d.add(p.name, "databases", Faulty, "chartnet rebuild "+p.name, "%v", err)
			continue
		}
		good, bad := 0, 0
		for _, name := range all {
			if filepath.Base(name) == "fileLock" { // a lock, with nothing in it
				continue
			}
			err := ledgerfile.CheckDatabase(ctx, filepath.Join(p.dir, name), scratch)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				good++
				continue
			}
			bad++
			if strings.HasSuffix(p.name, "/peer") {
				d.ledgers.databases = append(d.ledgers.databases, name)
			} else {
				d.ledgers.orderer.Faults = append(d.ledgers.orderer.Faults, ledgerfile.Fault{Reason: err.Error()})
			}
			d.add(p.name, "database "+filepath.Base(name), Faulty, "chartnet rebuild "+p.name, "%v", err)
		}
		if good > 0 {
			d.add(p.name, "databases", Good, "", "%d of %d read in full", good, good+bad)
		}
	}
	return nil
}

// checkState compares the peer's state with its blocks, and the pins of the node with the
// records in the state.
func (n *Network) checkState(ctx context.Context, d *Diagnosis, scratch string, say func(string, ...any)) error {
	org := d.Organisation
	peer, mend := org+"/peer", "chartnet rebuild "+org+"/peer"
	database := filepath.Join("ledgersData", "stateLeveldb")
	if len(d.ledgers.peer.Faults) > 0 || slices.Contains(d.ledgers.databases, database) {
		d.add(peer, "state", Unknown, "", "blocks or state cannot be read")
		return nil
	}
	pins, pinsErr := n.pinned(ctx, org)
	var records int
	spoken := time.Now()
	report, err := ledgerfile.CheckState(ctx, ledgerfile.StateCheck{
		Channel: n.topology.Channel, Blocks: d.ledgers.peer.Directory, Database: filepath.Join(n.LedgerDirectory(org), database), Scratch: scratch,
		// What is in an organisation's own collection, the chaincode's approval, came
		// from nobody, and a peer that has lost an older approval is well.
		Member: func(_, collection string) bool {
			return n.topology.isHospital(org) && !strings.HasPrefix(collection, "_implicit_org_")
		},
		Value: func(namespace, key string, value []byte) {
			if namespace != n.topology.Chaincode || !strings.HasPrefix(key, "record/") {
				return
			}
			if v, err := ledger.ReadVersion(key, value); err == nil && v.Home == org {
				if records++; pins != nil && !pins[pinMark(v.CID)] {
					d.ledgers.unpinned = append(d.ledgers.unpinned, v.CID)
				}
			}
		},
		Progress: func(block uint64) {
			if time.Since(spoken) > sayEvery {
				spoken = time.Now()
				say("  comparing the state with block %d", block)
			}
		},
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d.ledgers.state = err != nil || !report.Sound(); err != nil {
		d.add(peer, "state", Faulty, mend, "%v", err)
		return nil
	}
	for _, text := range report.Wrong {
		d.add(peer, "state", Faulty, mend, "%s", text)
	}
	for _, c := range []struct {
		count int
		text  string
	}{
		{report.WrongAll - len(report.Wrong), "more keys have another value than the last write to them"},
		{report.Lost, "keys are lost that blocks wrote and did not delete"},
		{report.Foreign, "keys have values that no block wrote"},
		{report.PrivateWrong, "private values are not those of their hashes in the blocks"},
	} {
		if c.count > 0 {
			d.add(peer, "state", Faulty, mend, "%d %s", c.count, c.text)
		}
	}
	if report.Sound() {
		d.add(peer, "state", Good, "", "%d keys are those of %d blocks", report.Keys, report.Height)
	}
	if report.PrivateMissing > 0 {
		d.add(peer, "private data", Notice, "wait; if they do not come, "+mend, "%d private values have not arrived: the peer asks the others for them every 5 s", report.PrivateMissing)
	} else if n.topology.isHospital(org) {
		d.add(peer, "private data", Good, "", "none is missing")
	}
	if n.topology.isHospital(org) {
		n.judgePins(ctx, d, records, pinsErr)
	}
	return nil
}

// judgePins says whether the payloads of the hospital's records are pinned at its node.
func (n *Network) judgePins(ctx context.Context, d *Diagnosis, records int, err error) {
	node := d.Organisation + "/ipfs"
	// A payload that was stored after the pins were listed is pinned by now.
	d.ledgers.unpinned = slices.DeleteFunc(d.ledgers.unpinned, func(cid string) bool { return n.isPinned(ctx, d.Organisation, cid) })
	switch missing := d.ledgers.unpinned; {
	case err != nil:
		d.add(node, "pins", Unknown, "chartnet start "+node, "the node does not list its pins: %v", err)
	case len(missing) == 0:
		d.add(node, "pins", Good, "", "the payloads of all %d versions of records are pinned", records)
	default:
		first := missing[:min(3, len(missing))]
		d.add(node, "pins", Faulty, "chartnet rebuild "+node, "%d of %d payloads are not pinned, so kubo may delete them: %s", len(missing), records, strings.Join(first, ", "))
	}
}
