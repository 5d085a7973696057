package contract

import (
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// signatureOf gives a signature in the form of the ledger. The chaincode does not verify
// its value.
func signatureOf(t testing.TB, creator []byte, value byte) string {
	t.Helper()
	s, err := ledger.NewSignature(ledger.IDOfCertificate(derOf(t, creator)), slices.Repeat([]byte{value}, 64))
	ok(t, nil, err)
	return s.String()
}

// TestPublishSignatures signs keys when they are published and again later. A published
// key never changes by that, and never loses its signature.
func TestPublishSignatures(t *testing.T) {
	c := newChannel(t)
	keeper, admin := person(t, "HospitalA", "authority", "authority"), person(t, "HospitalA", "admin", "admin")
	const name = "HospitalA:role=doctor"
	key := func(version int, signature string) ledger.AttributeKey {
		return ledger.AttributeKey{Name: name, Version: version, Key: publicKey("doctor " + string(rune('0'+version))), Signature: signature}
	}
	publish := func(who []byte, k ledger.AttributeKey) error {
		_, err := c.submit(who, nil, ledger.AuthorityPublishKeys, []ledger.AttributeKey{k})
		return err
	}
	check := func(want ...ledger.AttributeKey) {
		t.Helper()
		payload, err := c.evaluate("HospitalB", keeper, ledger.AuthorityKeyVersions, []ledger.AttributeName{{Name: name, Version: 1}, {Name: name, Version: 2}})
		if got := must[[]ledger.AttributeKey](t, payload, err); !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		payload, err = c.evaluate("HospitalB", keeper, ledger.AuthorityKeys, []string{name})
		if got := must[[]ledger.AttributeKey](t, payload, err); len(got) != 1 || got[0] != want[len(want)-1] {
			t.Errorf("current %+v, want %+v", got, want[len(want)-1])
		}
	}
	first, second, third := signatureOf(t, keeper, 1), signatureOf(t, keeper, 2), signatureOf(t, admin, 3)
	for what, signature := range map[string]string{"another's": third, "not base64": "?", "too short": first[:40], "padded": first + "=", "too long": strings.Repeat(first, 3)} {
		t.Log(what)
		refused(t, ledger.ErrInvalid, nil, publish(keeper, key(1, signature)))
	}
	ok(t, nil, publish(keeper, key(1, "")))
	check(key(1, ""))
	ok(t, nil, publish(keeper, key(1, first)))
	check(key(1, first))
	ok(t, nil, publish(keeper, key(1, ""))) // a repeated call of an earlier release
	check(key(1, first))
	ok(t, nil, publish(keeper, key(2, second)))
	check(key(1, first), key(2, second))
	ok(t, nil, publish(admin, key(1, third)))
	ok(t, nil, publish(admin, key(2, third)))
	check(key(1, third), key(2, third))
	refused(t, ledger.ErrExists, nil, publish(keeper, key(1, "")))
	forged := key(1, first)
	forged.Key = publicKey("another")
	refused(t, ledger.ErrExists, nil, publish(keeper, forged))
	forged.Version = 2
	refused(t, ledger.ErrExists, nil, publish(keeper, forged))
	check(key(1, third), key(2, third))
}

// TestOtherSignatures signs an announcement and a retirement. Both need the caller's own
// signature, or none.
func TestOtherSignatures(t *testing.T) {
	c := newChannel(t)
	keeper, custodian := person(t, "HospitalA", "authority", "authority"), person(t, "HospitalA", "custodian", "custodian")
	own, others := signatureOf(t, keeper, 1), signatureOf(t, custodian, 1)
	announce := func(signature string) error {
		_, err := c.submit(keeper, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example", Signature: signature})
		return err
	}
	refused(t, ledger.ErrInvalid, nil, announce(others))
	refused(t, ledger.ErrInvalid, nil, announce("?"))
	ok(t, nil, announce(own))
	payload, err := c.evaluate("HospitalB", keeper, ledger.AuthorityList)
	if got := must[[]ledger.Authority](t, payload, err); len(got) != 1 || got[0].Signature != own {
		t.Errorf("announced %+v", got)
	}

	_, err = c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
	ok(t, nil, err)
	_, err = c.submit(custodian, wrapped(t, 1), ledger.ScopeRoll, "consortium", 2)
	ok(t, nil, err)
	retire := func(signature string) error {
		_, err := c.submit(custodian, nil, ledger.ScopeRetire, "consortium", 1, signature)
		return err
	}
	refused(t, ledger.ErrInvalid, nil, retire(own))
	ok(t, nil, retire(""))
	ok(t, nil, retire(others))
	refused(t, ledger.ErrExists, nil, retire(""))
	refused(t, ledger.ErrExists, nil, retire(others))
	payload, err = c.evaluate("HospitalB", keeper, ledger.ScopeRetired, "consortium")
	if got := must[[]ledger.Retirement](t, payload, err); len(got) != 1 || got[0].Signature != others {
		t.Errorf("retired %+v", got)
	}
}
