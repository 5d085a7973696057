package network

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSecretsNeedProfiles: the program that makes a hospital's secrets is a user of the
// wallet, so it must not run before the hospital's profile is there, however long the
// IPFS nodes take, whose tokens the profile holds.
func TestSecretsNeedProfiles(t *testing.T) {
	topology, err := parseTopology([]byte("hospitals: [{name: North}, {name: South}]"))
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	for name, script := range map[string]string{
		"ipfs":      `sleep 0.5; mkdir -p $IPFS_PATH; echo '{"Identity":{"PeerID":"x"}}' >$IPFS_PATH/config`,
		"chartseal": `while [ $# -gt 0 ]; do case $1 in --wallet) wallet=$2;; --user) user=$2;; esac; shift; done; cat $wallet/$user/tls-cert.pem $wallet/${user#*@}.yaml`,
	} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	n := &Network{dir: t.TempDir(), topology: topology, state: &state{
		ID: secret(), Ports: 20000, Services: true, Programs: programs, Servers: serverBinaries{Kubo: programs},
	}}
	enrolWithoutCA(t, n)
	u := &bringUp{Network: n, say: talk(nil)}
	if err := u.makePeople(t.Context()); err != nil {
		t.Error(err)
	}
}

// enrolWithoutCA leaves nothing to ask the organisations' CAs for.
func enrolWithoutCA(t *testing.T, n *Network) {
	t.Helper()
	for _, o := range n.topology.Organisations() {
		if err := n.makeRoots(o.Name); err != nil {
			t.Fatal(err)
		}
		root, err := os.ReadFile(n.tlsRoot(o.Name)) // any certificate
		if err != nil {
			t.Fatal(err)
		}
		if err := writeFile(n.caRoot(o.Name), root); err != nil {
			t.Fatal(err)
		}
		servers, err := readRoot(n.org(o.Name, "servers"))
		if err != nil {
			t.Fatal(err)
		}
		pair, err := servers.issue("x", nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeKeyPair(pair, n.org(o.Name, "ca", "registrar"), ""); err != nil {
			t.Fatal(err)
		}
		for _, id := range n.users(o) {
			if err := writeKeyPair(pair, id.dir, "tls-"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
