package network

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestRenewalOrder: an orderer that is a follower already comes first, and the leader
// last.
func TestRenewalOrder(t *testing.T) {
	n := scriptNetwork(t)
	leader, follower := "HospitalA", "HospitalC"
	for _, org := range n.organisations() {
		if err := n.makeRoots(org); err != nil {
			t.Fatal(err)
		}
		n.serve(t, org, portOrdererOperations, func() string {
			return fmt.Sprintf("consensus_BFT_is_leader{channel=%q} %d\n", n.topology.Channel, map[bool]int{true: 1}[org == leader])
		})
		n.serve(t, org, portOrdererAdmin, func() string {
			return fmt.Sprintf(`{"status":"active","consensusRelation":%q}`, map[bool]string{true: "follower", false: "consenter"}[org == follower])
		})
		if org == "Regulator" {
			continue // it is down
		}
		p := n.shell("orderer", "exec sleep 60")
		p.organisation = org
		if err := n.startAll(t.Context(), []*process{p}); err != nil {
			t.Fatal(err)
		}
	}
	u := &bringUp{Network: n, say: talk(nil)}
	for _, c := range []struct{ waiting, want []string }{
		{nil, nil},
		{[]string{"HospitalA"}, []string{"HospitalA"}},
		{n.organisations(), []string{"HospitalC", "Regulator", "HospitalB", "HospitalA"}},
		{[]string{"HospitalA", "HospitalB"}, []string{"HospitalB", "HospitalA"}},
	} {
		if got := u.renewalOrder(t.Context(), c.waiting); !slices.Equal(got, c.want) {
			t.Errorf("of %v: %v, want %v", c.waiting, got, c.want)
		}
	}
	leader = "HospitalB"
	if got := u.renewalOrder(t.Context(), n.organisations()); got[0] != "HospitalC" || got[3] != "HospitalB" {
		t.Errorf("HospitalB leads: %v", got)
	}
}

// serve answers all requests to a port of an organisation, as its servers do.
func (n *Network) serve(t *testing.T, org string, offset int, answer func() string) {
	t.Helper()
	r, err := readRoot(n.org(org, "servers"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := r.issue("orderer", n.serverHosts(org), time.Hour, x509.ExtKeyUsageServerAuth)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", n.address(org, offset), &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer()) })}
	t.Cleanup(func() { server.Close() })
	go server.Serve(listener)
}
