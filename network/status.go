package network

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// A Status is the state of one process.
type Status struct {
	Process      string `json:"process"` // peer, orderer, ca, chaincode, ipfs, ipfs-proxy, authority, replicator
	Organisation string `json:"organisation"`
	Address      string `json:"address,omitempty"`
	PID          int    `json:"pid,omitempty"` // 0 if it does not run
	Healthy      bool   `json:"healthy"`
	Height       uint64 `json:"height,omitempty"` // blocks, of peers and orderers
	Problem      string `json:"problem,omitempty"`

	CertificatesEnd time.Time `json:"certificatesEnd,omitzero"` // the first of those it serves with
}

// Status looks at every process of the network.
func (n *Network) Status(ctx context.Context) []Status {
	processes, certificates := n.processes(), n.Certificates()
	all := make([]Status, len(processes))
	var indexes []int
	for i := range processes {
		indexes = append(indexes, i)
	}
	forEach(ctx, indexes, func(ctx context.Context, i int) error {
		all[i] = n.look(ctx, processes[i])
		first := slices.IndexFunc(certificates, func(c Certificate) bool {
			return c.Use != UseRoot && slices.Contains(processes[i].holders(), c.Holder)
		})
		if first >= 0 { // the first in the list is the first to end
			all[i].CertificatesEnd = certificates[first].NotAfter
		}
		return nil
	})
	return all
}

func (n *Network) look(ctx context.Context, p *process) Status {
	s := Status{Process: p.kind, Organisation: p.organisation, Address: p.address, PID: n.pid(p)}
	if s.PID == 0 {
		s.Problem = "not running; its last words: " + n.lastWords(p)
		return s
	}
	if p.ready != nil {
		if err := p.ready(ctx); err != nil {
			s.Problem = err.Error()
			return s
		}
	}
	if p.height != nil {
		height, err := p.height(ctx)
		if err != nil {
			s.Problem = err.Error()
			return s
		}
		s.Height = height
	}
	s.Healthy = true
	return s
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Process, s.Organisation, s.Address, pid, healthy, height, s.Problem)
	}
	w.Flush()
	return text.String()
}
