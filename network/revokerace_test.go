package network

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// TestRevokeBesideEnrolments: somebody who enrols again and again, with a program of
// their own, while they are revoked, has no certificate afterwards that the CA accepts,
// and gets none.
func TestRevokeBesideEnrolments(t *testing.T) {
	ctx := t.Context()
	n := shellNetwork(t)
	binaries, err := buildServers(ctx, testWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	n.state.Servers = binaries
	base, claim, err := claimFreePorts(claims(t), n.dir, portsEach*len(n.organisations()))
	if err != nil {
		t.Fatal(err)
	}
	claim.close()
	n.state.Ports = base
	if err := (&bringUp{Network: n, say: talk(nil)}).startCA(ctx, "HospitalA"); err != nil {
		t.Fatal(err)
	}
	ca, registrar, err := n.asRegistrar(ctx, "HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	const password, busy = "secret", 6
	for _, id := range []string{"renewer", "enroller"} {
		t.Run(id, func(t *testing.T) {
			request := fabricca.Request{CA: enrolmentCA, Name: id}
			err := ca.Register(ctx, registrar, fabricca.Registration{CA: enrolmentCA, ID: id, Type: "client", Secret: password, Enrolments: 1000})
			if err != nil {
				t.Fatal(err)
			}
			first, err := ca.Enroll(ctx, request, password)
			if err != nil {
				t.Fatal(err)
			}
			renew := func(pair fabricca.KeyPair) (fabricca.KeyPair, error) {
				if id == "enroller" {
					return ca.Enroll(ctx, request, password)
				}
				identity, err := pair.Identity()
				if err != nil {
					t.Error(err)
				}
				return ca.Reenroll(ctx, request, identity)
			}
			var programs sync.WaitGroup
			last := make([]fabricca.KeyPair, busy)
			length := 4 * time.Second
			if testing.Short() {
				length = 1500 * time.Millisecond
			}
			end := time.Now().Add(length)
			for i := range last {
				last[i] = first
				programs.Go(func() {
					for time.Now().Before(end) {
						if pair, err := renew(last[i]); err == nil {
							last[i] = pair
						}
					}
				})
			}
			time.Sleep(length / 4)
			if _, err := revokedList(ctx, ca, registrar, id); err != nil {
				t.Fatal(err)
			}
			programs.Wait()
			for _, pair := range append(last, first) {
				if _, err := renew(pair); !errors.Is(err, fabricca.ErrDenied) {
					t.Fatalf("a revoked person has new certificates: %v", err)
				}
			}
		})
	}
}
