package network

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Status is the state of one process.
type Status struct {
	Process      string `json:"process"` // peer, orderer, ca, chaincode, ipfs, ipfs-proxy, authority, keeper, watch
	Organisation string `json:"organisation"`
	Address      string `json:"address,omitempty"`
	PID          int    `json:"pid,omitempty"` // 0 if it does not run
	Healthy      bool   `json:"healthy"`
	Height       uint64 `json:"height,omitempty"` // blocks, of peers and orderers
	Problem      string `json:"problem,omitempty"`

	CertificatesEnd time.Time `json:"certificatesEnd,omitzero"` // the first of those it serves with

	Restarts *Restarts `json:"restarts,omitempty"` // nil if the watcher never restarted it

	condition condition
	needed    bool // an orderer that may still order, and the others are no quorum
}

// Status looks at every process of the network. A peer or orderer that is behind the
// others gets 3 s to reach them, and else is unhealthy.
func (n *Network) Status(ctx context.Context) []Status { return n.status(ctx, n.processes()) }

// StatusOf looks at the processes that name chooses: ORGANISATION/KIND, ORGANISATION or
// KIND.
//
// Errors:
//   - ErrNotFound if name chooses no process.
func (n *Network) StatusOf(ctx context.Context, name string) ([]Status, error) {
	chosen, err := n.named(name)
	if err != nil {
		return nil, err
	}
	return n.status(ctx, chosen), nil
}

func (n *Network) status(ctx context.Context, chosen []*process) []Status {
	all := n.check(ctx, chosen, n.probeTimeout())
	restarts, certificates := n.restarts(), n.Certificates()
	for i, p := range chosen {
		all[i].Restarts = restarts[p.name()]
		first := slices.IndexFunc(certificates, func(c Certificate) bool {
			return c.Use != UseRoot && slices.Contains(p.holders(), c.Holder)
		})
		if first >= 0 { // the first in the list is the first to end
			all[i].CertificatesEnd = certificates[first].NotAfter
		}
	}
	return all
}

// Healthy tells whether every process is healthy.
func Healthy(all []Status) bool {
	for _, s := range all {
		if !s.Healthy {
			return false
		}
	}
	return true
}

// Table formats statuses for people.
func Table(all []Status) string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROCESS\tORGANISATION\tADDRESS\tPID\tHEALTHY\tHEIGHT\t")
	for _, s := range all {
		pid, height, healthy := "-", "", "yes"
		if s.PID != 0 {
			pid = fmt.Sprint(s.PID)
		}
		if s.Height != 0 {
			height = fmt.Sprint(s.Height)
		}
		if !s.Healthy {
			healthy = "NO"
		}
		problem := s.Problem
		if s.Restarts != nil {
			problem = strings.TrimSpace(problem + " (" + s.Restarts.String() + ")")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Process, s.Organisation, s.Address, pid, healthy, height, problem)
	}
	w.Flush()
	return text.String()
}
