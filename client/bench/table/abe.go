package table

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/bare"
)

// A conjunction is a policy that requires all of n attributes, and a user who holds them.
type conjunction struct {
	recipient *abe.Recipient
	identity  *abe.Identity
}

func newConjunction(n int) (*conjunction, error) {
	master, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		return nil, err
	}
	names := make([]string, n)
	public := make(map[string]*abe.PublicKey)
	held := make([]*abe.UserKey, n)
	for i := range n {
		names[i] = fmt.Sprintf("HospitalA:a%d", i)
		if public[names[i]], err = master.PublicKey(names[i], 1); err != nil {
			return nil, err
		}
		if held[i], err = master.Issue("HospitalA/doctor", names[i], 1); err != nil {
			return nil, err
		}
	}
	p, err := policy.Parse(strings.Join(names, " and "))
	if err != nil {
		return nil, err
	}
	c := new(conjunction)
	if c.recipient, err = abe.NewRecipient(p, func(name string) (*abe.PublicKey, error) { return public[name], nil }); err != nil {
		return nil, err
	}
	c.identity, err = abe.NewIdentity(held)
	return c, err
}

// wrap seals an empty file.
func (c *conjunction) wrap() ([]byte, error) {
	var file bytes.Buffer
	w, err := age.Encrypt(&file, c.recipient)
	if err == nil {
		err = w.Close()
	}
	return file.Bytes(), err
}

func (c *conjunction) unwrap(file []byte) error {
	_, err := age.Decrypt(bytes.NewReader(file), c.identity)
	return err
}

// encryption compares attribute-based encryption with gofe's for the work of one
// envelope: wrapping a file key. bench-abe.md has more comparisons.
func (r *run) encryption(ctx context.Context) error {
	const n = 10
	ours, err := newConjunction(n)
	if err != nil {
		return err
	}
	maabe, err := bare.NewMAABE(n)
	if err != nil {
		return err
	}
	if err := r.quiet(ctx); err != nil {
		return err
	}
	var file []byte
	times, err := bench.Alternate(ctx, of(r, 40, 20), func(context.Context) (err error) {
		file, err = ours.wrap()
		return err
	}, func(context.Context) error { return maabe.Encrypt() })
	if err != nil {
		return err
	}
	encrypt := bench.CompareTimes(fmt.Sprintf("ABE encrypt, %d attributes", n), 0.5, times[0], times[1], bench.AtMost(0.33))
	times, err = bench.Alternate(ctx, of(r, 40, 20), func(context.Context) error { return ours.unwrap(file) },
		func(context.Context) error { return maabe.Decrypt() })
	if err != nil {
		return err
	}
	decrypt := bench.CompareTimes(fmt.Sprintf("ABE decrypt, %d attributes", n), 0.5, times[0], times[1], bench.AtMost(0.25))
	encrypt.Note = "bare: gofe's MAABE, which has no authentication; ours is a whole age file"
	decrypt.Note = "as above; ours checks all points"
	r.report.Add(encrypt, decrypt)
	return nil
}

// quiet waits until large records have been copied to the other hospitals. The copying
// would slow the measurements that follow.
func (r *run) quiet(ctx context.Context) error {
	_, err := r.Rest(ctx, 2*time.Minute)
	return err
}

// policies draws the time to wrap and unwrap a key against the number of required
// attributes.
func (r *run) policies(ctx context.Context) error {
	if err := r.quiet(ctx); err != nil {
		return err
	}
	wrap, unwrap := named("wrap"), named("unwrap")
	for _, n := range []int{1, 2, 5, 10, 20, 50} {
		c, err := newConjunction(n)
		if err != nil {
			return err
		}
		var file []byte
		times, err := bench.Alternate(ctx, of(r, 10, 5), func(context.Context) (err error) {
			file, err = c.wrap()
			return err
		}, func(context.Context) error { return c.unwrap(file) })
		if err != nil {
			return err
		}
		wrap.Add(float64(n), float64(times[0].Median().Microseconds())/1000)
		unwrap.Add(float64(n), float64(times[1].Median().Microseconds())/1000)
	}
	r.draw("policy", "Wrapping a key under a policy", "attributes", "ms", linear, wrap, unwrap)
	return nil
}
