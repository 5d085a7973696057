package network

import (
	"crypto/x509"
	"os"
	"testing"
	"time"
)

// TestRoots: each root certifies for its purpose only, also when it is asked for more.
func TestRoots(t *testing.T) {
	n := &Network{dir: t.TempDir(), state: &state{Ports: 20000}, topology: testTopology(t)}
	const org = "HospitalA"
	for range 2 { // the second time changes nothing
		if err := n.makeRoots(org); err != nil {
			t.Fatal(err)
		}
	}
	server, client := x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	names := []string{"localhost", "127.0.0.1"}
	for _, c := range []struct {
		what, dir string
		hosts     []string
		usage     []x509.ExtKeyUsage
		as        x509.ExtKeyUsage
		host      string
		valid     bool
	}{
		{"a server", "servers", names, []x509.ExtKeyUsage{server}, server, "localhost", true},
		{"a server under another name", "servers", names, []x509.ExtKeyUsage{server}, server, "peer.example", false},
		{"a person", "ca/tlsca", nil, []x509.ExtKeyUsage{client}, client, "", true},
		{"a person as a server", "ca/tlsca", names, []x509.ExtKeyUsage{server, client}, server, "localhost", false},
		{"a person with any usage", "ca/tlsca", names, nil, server, "localhost", false},
		{"a person with a server's name", "ca/tlsca", names[:1], []x509.ExtKeyUsage{client}, client, "", false},
		{"a person with a server's address", "ca/tlsca", names[1:], []x509.ExtKeyUsage{client}, client, "", false},
		{"the administrator", "administration", nil, []x509.ExtKeyUsage{client}, client, "", true},
		{"the administrator as a server", "administration", names, []x509.ExtKeyUsage{server}, server, "localhost", false},
	} {
		r, err := readRoot(n.org(org, c.dir))
		if err != nil {
			t.Fatal(err)
		}
		pair, err := r.issue("x", c.hosts, time.Hour, c.usage...)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := parseCertificate(pair.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(r.certificate)
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: c.host, KeyUsages: []x509.ExtKeyUsage{c.as}})
		if (err == nil) != c.valid {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for _, dir := range []string{"servers", "administration"} {
		info, err := os.Stat(n.org(org, dir, "ca-key.pem"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key of %s: %v, %v", dir, info, err)
		}
	}
}
