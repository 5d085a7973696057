package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"filippo.io/age"
	"github.com/cloudflare/circl/abe/cpabe/tkn20"
	"github.com/fentec-project/bn256"
	gofe "github.com/fentec-project/gofe/abe"
	"github.com/fentec-project/gofe/data"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(ok bool) {
	if !ok {
		panic("wrong result")
	}
}

const gid = "HospitalA/doctor"

var secret = []byte("sixteen byte key")

func attributes(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("HospitalA:x%d", i)
	}
	return out
}

func parse(n int) *policy.Policy { return must(policy.Parse(strings.Join(attributes(n), " and "))) }

func ours(n int) *system {
	master := must(abe.NewMasterKey("HospitalA", rand.Reader))
	public := map[string]*abe.PublicKey{}
	recipient := must(abe.NewRecipient(parse(n), func(a string) (*abe.PublicKey, error) {
		if public[a] == nil {
			public[a] = must(master.PublicKey(a, 1))
		}
		return public[a], nil
	}))
	var wanted []abe.KeyVersion
	for _, a := range attributes(n) {
		wanted = append(wanted, abe.KeyVersion{Attribute: a, Version: 1})
	}
	issue := func() []*abe.UserKey { return must(master.IssueAll(gid, wanted)) }
	identity := must(abe.NewIdentity(issue()))
	for range 12 { // enough uses for the keys to get their tables
		must(recipient.Wrap(secret))
	}
	stanzas := must(recipient.Wrap(secret))
	return &system{
		seal:  func() { must(recipient.Wrap(secret)) },
		open:  func() { check(bytes.Equal(must(identity.Unwrap(stanzas)), secret)) },
		keys:  func() { issue() },
		bytes: len(stanzas[0].Body),
	}
}

// oursCold reads the public keys anew for each sealing.
func oursCold(n int) *system {
	master := must(abe.NewMasterKey("HospitalA", rand.Reader))
	encoded := map[string][]byte{}
	for _, a := range attributes(n) {
		encoded[a] = must(must(master.PublicKey(a, 1)).MarshalBinary())
	}
	p := parse(n)
	seal := func() []*age.Stanza {
		r := must(abe.NewRecipient(p, func(a string) (*abe.PublicKey, error) { return abe.ParsePublicKey(encoded[a]) }))
		return must(r.Wrap(secret))
	}
	var encodedKeys [][]byte
	for _, a := range attributes(n) {
		encodedKeys = append(encodedKeys, must(must(master.Issue(gid, a, 1)).MarshalBinary()))
	}
	stanzas := seal()
	return &system{
		seal: func() { seal() },
		open: func() {
			var keys []*abe.UserKey
			for _, b := range encodedKeys {
				keys = append(keys, must(abe.ParseUserKey(b)))
			}
			check(bytes.Equal(must(must(abe.NewIdentity(keys)).Unwrap(stanzas)), secret))
		},
		keys: func() {
			for _, a := range attributes(n) {
				must(master.Issue(gid, a, 1))
			}
		},
		bytes: len(stanzas[0].Body),
	}
}

// span returns our span program as gofe's matrix, so that all three schemes use the same.
func span(n int, names []string) *gofe.MSP {
	s := must(parse(n).Spans(bn256.Order))[0]
	msp := &gofe.MSP{P: bn256.Order, RowToAttrib: names}
	for _, r := range s.Matrix() {
		msp.Mat = append(msp.Mat, data.Vector(r))
	}
	return msp
}

func maabe(n int) *system {
	scheme := gofe.NewMAABE()
	names := attributes(n)
	authority := must(scheme.NewMAABEAuth("HospitalA", names))
	public := []*gofe.MAABEPubKey{authority.PubKeys()}
	msp := span(n, names)
	keys := must(authority.GenerateAttribKeys(gid, names))
	ct := must(scheme.Encrypt(string(secret), msp, public))
	return &system{
		seal:  func() { must(scheme.Encrypt(string(secret), msp, public)) },
		open:  func() { check(must(scheme.Decrypt(ct, keys)) == string(secret)) },
		keys:  func() { must(authority.GenerateAttribKeys(gid, names)) },
		bytes: len(must(json.Marshal(ct))),
	}
}

func fame(n int) *system {
	scheme := gofe.NewFAME()
	public, master, err := scheme.GenerateMasterKeys()
	if err != nil {
		panic(err)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	msp := span(n, names)
	keys := must(scheme.GenerateAttribKeys(names, master))
	ct := must(scheme.Encrypt(string(secret), msp, public))
	return &system{
		seal:  func() { must(scheme.Encrypt(string(secret), msp, public)) },
		open:  func() { check(must(scheme.Decrypt(ct, keys, public)) == string(secret)) },
		keys:  func() { must(scheme.GenerateAttribKeys(names, master)) },
		bytes: len(must(json.Marshal(ct))),
	}
}

func tkn(n int) *system {
	public, master, err := tkn20.Setup(rand.Reader)
	if err != nil {
		panic(err)
	}
	var terms []string
	values := map[string]string{}
	for i := range n {
		terms = append(terms, fmt.Sprintf("(x%d: y)", i))
		values[fmt.Sprintf("x%d", i)] = "y"
	}
	var p tkn20.Policy
	if err := p.FromString(strings.Join(terms, " and ")); err != nil {
		panic(err)
	}
	var held tkn20.Attributes
	held.FromMap(values)
	key := must(master.KeyGen(rand.Reader, held))
	ct := must(public.Encrypt(rand.Reader, p, secret))
	return &system{
		seal:  func() { must(public.Encrypt(rand.Reader, p, secret)) },
		open:  func() { check(bytes.Equal(must(key.Decrypt(ct)), secret)) },
		keys:  func() { must(master.KeyGen(rand.Reader, held)) },
		bytes: len(ct),
	}
}
