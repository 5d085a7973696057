package plugin

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
	"github.com/chartseal/chartseal/client/wallet"
	"github.com/chartseal/chartseal/client/wallet/wallettest"
)

// A world is a consortium without machines: authorities, what they published, and a
// wallet whose peers do not answer.
type world struct {
	t         testing.TB
	dir       string // of the wallet
	masters   map[string]*abe.MasterKey
	published map[string]*abe.PublicKey
	people    clienttest.World
	down      bool // the ledger that connect gives does not answer
	asked     int  // how often the ledger was asked for keys
}

// wards is how many wards HospitalA has: more than a line of a recipients file has room
// for their keys.
const wards = 12

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "wallet"), masters: map[string]*abe.MasterKey{}, published: map[string]*abe.PublicKey{}}
	must(t, os.Mkdir(w.dir, 0o700))
	for _, msp := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		m, err := abe.NewMasterKey(msp, rand.Reader)
		must(t, err)
		w.masters[msp] = m
	}
	w.publish("HospitalA:role=doctor", 1)
	w.publish("HospitalB:role=doctor", 1)
	w.publish("HospitalC:role=nurse", 1)
	for i := range wards {
		w.publish(fmt.Sprint("HospitalA:ward=", i), 1)
	}
	w.enrol("doctor@HospitalA", "HospitalA:role=doctor", "HospitalA:ward=7")
	w.enrol("doctor@HospitalB", "HospitalB:role=doctor")
	w.enrol("nurse@HospitalC", "HospitalC:role=nurse")
	w.enrol("clerk@HospitalA")
	return w
}

func (w *world) publish(attribute string, version int) {
	a, err := policy.ParseAttribute(attribute)
	must(w.t, err)
	w.published[attribute], err = w.masters[a.Authority].PublicKey(attribute, version)
	must(w.t, err)
}

// enrol puts a user and their attribute keys into the wallet.
func (w *world) enrol(user string, attributes ...string) {
	name, msp, err := wallet.SplitUser(user)
	must(w.t, err)
	must(w.t, wallettest.Enrol(w.dir, user, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	u := w.user(user)
	var keys []wallet.AttributeKey
	for _, a := range attributes {
		k, err := w.masters[msp].Issue(ledger.Actor(msp, name), a, w.published[a].Version())
		must(w.t, err)
		b, _ := k.MarshalBinary()
		keys = append(keys, wallet.AttributeKey{Name: a, Version: k.Version(), Key: b})
	}
	if keys != nil {
		must(w.t, u.StoreKeys(msp, ledger.Actor(msp, name), keys, nil))
	}
}

func (w *world) user(name string) *wallet.User {
	store, err := wallet.Open(w.dir)
	must(w.t, err)
	u, err := store.User(name)
	must(w.t, err)
	return u
}

// learn lets a user see public keys on the ledger once, as their first sealing does.
func (w *world) learn(user string, attributes ...string) {
	u := w.user(user)
	d := &directory{user: u, memory: u.Memory(), connect: w.connect, tell: func(s string) { w.t.Error(s) }}
	_, err := d.keys(context.Background(), attributes)
	must(w.t, err)
}

// recipient is what package abe seals to, without the plugin.
func (w *world) recipient(text string) *abe.Recipient {
	p, err := policy.Parse(text)
	must(w.t, err)
	r, err := abe.NewRecipient(p, func(a string) (*abe.PublicKey, error) { return w.published[a], nil })
	must(w.t, err)
	return r
}

func (w *world) connect(*wallet.User) (trust.Ledger, []trust.Ledger, func(), error) {
	return w.publications(), nil, func() {}, nil
}

// publications is the part of the ledger that the plugin asks.
type publications struct {
	*clienttest.Person // has the signers' certificates
	world              *world
}

func (w *world) publications() publications {
	return publications{w.people.As("HospitalA", "doctor", "doctor"), w}
}

func (p publications) AttributeKeys(_ context.Context, names []string) ([]ledger.AttributeKey, error) {
	p.world.asked++
	if p.world.down {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "the peer does not answer")
	}
	var keys []ledger.AttributeKey
	for _, n := range names {
		k := p.world.published[n]
		if k == nil {
			return nil, ledger.Errorf(ledger.ErrNotFound, "attribute %s is not published", n)
		}
		b, _ := k.MarshalBinary()
		authority := p.world.people.As(k.Attribute().Authority, "authority", ledger.RoleAuthority)
		keys = append(keys, authority.Signed(ledger.AttributeKey{Name: n, Version: k.Version(), Key: base64.StdEncoding.EncodeToString(b)})...)
	}
	return keys, nil
}

func (p publications) Attributes(context.Context) ([]ledger.AttributeName, error) {
	var names []ledger.AttributeName
	for n, k := range p.world.published {
		names = append(names, ledger.AttributeName{Name: n, Version: k.Version()})
	}
	slices.SortFunc(names, func(a, b ledger.AttributeName) int { return strings.Compare(a.Name, b.Name) })
	return names, nil
}

// program is the plugin as the given user would run it on this world.
func (w *world) program(user string) *program {
	env := map[string]string{"CHARTSEAL_WALLET": w.dir, "CHARTSEAL_USER": user}
	return &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		getenv: func(k string) string { return env[k] }, connect: w.connect, tell: func(string) {}}
}

// run gives what a person sees who runs the program.
func (p *program) run(args ...string) (stdout, stderr string, exit int) {
	var out, talk bytes.Buffer
	p.stdout, p.stderr = &out, &talk
	exit = p.main(args)
	return out.String(), talk.String(), exit
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
