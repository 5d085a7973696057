package abe_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
)

// Two hospitals each run an authority. A record requires attributes of both.
func Example() {
	authorities := map[string]*abe.MasterKey{}
	for _, msp := range []string{"HospitalA", "HospitalB"} {
		m, err := abe.NewMasterKey(msp, rand.Reader)
		if err != nil {
			log.Fatal(err)
		}
		authorities[msp] = m
	}
	publicKey := func(attribute string) (*abe.PublicKey, error) { // in Chartseal: from the ledger
		a, err := policy.ParseAttribute(attribute)
		if err != nil {
			return nil, err
		}
		return authorities[a.Authority].PublicKey(attribute, 1)
	}

	p, err := policy.Parse("HospitalB:role=doctor and HospitalA:visitor")
	if err != nil {
		log.Fatal(err)
	}
	recipient, err := abe.NewRecipient(p, publicKey)
	if err != nil {
		log.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		log.Fatal(err)
	}
	io.WriteString(w, "what the record says")
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	role, err := authorities["HospitalB"].Issue("HospitalB/jones", "HospitalB:role=doctor", 1)
	if err != nil {
		log.Fatal(err)
	}
	visitor, err := authorities["HospitalA"].Issue("HospitalB/jones", "HospitalA:visitor", 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, keys := range [][]*abe.UserKey{{role}, {role, visitor}} {
		identity, err := abe.NewIdentity(keys)
		if err != nil {
			log.Fatal(err)
		}
		r, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), identity)
		if errors.Is(err, abe.ErrNotSatisfied) {
			fmt.Println(err)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		plain, _ := io.ReadAll(r)
		fmt.Printf("%s\n", plain)
	}
	// Output:
	// identity did not match any of the recipients: policy not satisfied: needs HospitalA:visitor
	// what the record says
}

// Anyone can read the policy of a sealed file.
func ExampleHeaderPolicies() {
	m, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	p, err := policy.Parse("(HospitalA:role=doctor) OR HospitalA:role=nurse")
	if err != nil {
		log.Fatal(err)
	}
	r, err := abe.NewRecipient(p, func(a string) (*abe.PublicKey, error) { return m.PublicKey(a, 1) })
	if err != nil {
		log.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, r)
	if err != nil {
		log.Fatal(err)
	}
	w.Close()
	policies, err := abe.HeaderPolicies(&sealed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(policies[0].Policy)
	fmt.Println(policies[0].Keys)
	// Output:
	// HospitalA:role=doctor or HospitalA:role=nurse
	// [{HospitalA:role=doctor 1} {HospitalA:role=nurse 1}]
}

// The holder checks a new user key against the pinned public key.
func ExampleUserKey_Verify() {
	genuine, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	impostor, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	pinned, err := genuine.PublicKey("HospitalA:role=doctor", 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, authority := range []*abe.MasterKey{genuine, impostor} {
		key, err := authority.Issue("HospitalA/smith", "HospitalA:role=doctor", 1)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key.Verify(pinned))
	}
	// Output:
	// <nil>
	// user key of HospitalA/smith for HospitalA:role=doctor version 1: key mismatch: the authority of HospitalA:role=doctor did not make it
}

// Three of five custodians restore an authority's master key.
func ExampleSplitMaster() {
	m, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	shares, err := abe.SplitMaster(m, 3, 5, rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	restored, err := abe.CombineMaster([]*abe.MasterShare{shares[4], shares[0], shares[2]})
	if err != nil {
		log.Fatal(err)
	}
	before, _ := m.PublicKey("HospitalA:role=doctor", 1)
	after, _ := restored.PublicKey("HospitalA:role=doctor", 1)
	fmt.Println(before.Equal(after))
	// Output: true
}
