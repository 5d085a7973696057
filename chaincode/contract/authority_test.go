package contract

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func publicKey(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestAnnounce(t *testing.T) {
	c := newChannel(t)
	admin, keeper := person(t, "HospitalB", "admin", "admin"), person(t, "HospitalA", "authority", "authority")
	_, err := c.submit(admin, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://127.0.0.1:7300"})
	ok(t, nil, err)
	_, err = c.submit(keeper, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://old.example", Custodian: "age1abc"})
	ok(t, nil, err)
	_, err = c.submit(keeper, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example:7300/keys", Custodian: "age1pq1xyz"})
	ok(t, nil, err)

	payload, err := c.evaluate("Regulator", person(t, "Regulator", "auditor", "auditor"), ledger.AuthorityList)
	got := must[[]ledger.Authority](t, payload, err)
	if len(got) != 2 || got[0].MSP != "HospitalA" || got[0].URL != "https://a.example:7300/keys" || got[0].Custodian != "age1pq1xyz" || got[1].MSP != "HospitalB" {
		t.Errorf("got %+v", got)
	}

	for _, bad := range []string{"", "http://a.example", "https://", "https://user:pw@a.example", "https://a.example/#x", "https://a.example?x=1",
		"a.example:7300", "https://a.exam\nple", "https://a.example/" + strings.Repeat("x", ledger.MaxURL)} {
		_, err := c.submit(keeper, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: bad})
		refused(t, ledger.ErrInvalid, nil, err)
	}
	for _, bad := range []string{"AGE-SECRET-KEY-1ABC", "age1ABC", "age1 x", "age1\n", "age1" + strings.Repeat("x", ledger.MaxRecipient)} {
		_, err := c.submit(keeper, nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example", Custodian: bad})
		refused(t, ledger.ErrInvalid, nil, err)
	}
}

func TestPublishKeys(t *testing.T) {
	c := newChannel(t)
	keeper := person(t, "HospitalA", "authority", "authority")
	publish := func(keys ...ledger.AttributeKey) error {
		t.Helper()
		_, err := c.submit(keeper, nil, ledger.AuthorityPublishKeys, keys)
		return err
	}
	doctor := ledger.AttributeKey{Name: "HospitalA:role=doctor", Version: 1, Key: publicKey("doctor 1")}
	ward := ledger.AttributeKey{Name: "HospitalA:ward=3/4 west", Version: 1, Key: publicKey("ward 1")}
	ok(t, nil, publish(doctor))
	ok(t, nil, publish(doctor, ward)) // the first is there already and is the same

	refused(t, ledger.ErrExists, nil, publish(ledger.AttributeKey{Name: doctor.Name, Version: 1, Key: publicKey("other")}))
	refused(t, ledger.ErrInvalid, nil, publish(ledger.AttributeKey{Name: doctor.Name, Version: 3, Key: publicKey("doctor 3")}))
	refused(t, ledger.ErrInvalid, nil, publish(ledger.AttributeKey{Name: "HospitalA:new", Version: 2, Key: publicKey("new")}))
	refused(t, ledger.ErrInvalid, nil, publish(ward, ward))
	refused(t, ledger.ErrInvalid, nil, publish())

	doctor2 := ledger.AttributeKey{Name: doctor.Name, Version: 2, Key: publicKey("doctor 2")}
	ok(t, nil, publish(doctor2))
	refused(t, ledger.ErrExists, nil, publish(doctor)) // a version that is past, even with its own key

	// A call publishes all its keys or none.
	refused(t, ledger.ErrDenied, nil, publish(ledger.AttributeKey{Name: "HospitalA:fresh", Version: 1, Key: publicKey("x")},
		ledger.AttributeKey{Name: "HospitalB:role=doctor", Version: 1, Key: publicKey("x")}))

	payload, err := c.evaluate("HospitalC", person(t, "HospitalC", "nurse", "nurse"), ledger.AuthorityKeys,
		[]string{ward.Name, "HospitalA:fresh", doctor.Name})
	got := must[[]ledger.AttributeKey](t, payload, err)
	if len(got) != 2 || got[0] != ward || got[1] != doctor2 {
		t.Errorf("got %+v", got)
	}
	payload, err = c.evaluate("HospitalC", person(t, "HospitalC", "nurse", "nurse"), ledger.AuthorityAttributes)
	names := must[[]ledger.AttributeName](t, payload, err)
	if fmt.Sprint(names) != "[{HospitalA:role=doctor 2} {HospitalA:ward=3/4 west 1}]" {
		t.Errorf("got %v", names)
	}
	// Every version stays readable.
	nurse := person(t, "HospitalC", "nurse", "nurse")
	payload, err = c.evaluate("HospitalC", nurse, ledger.AuthorityKeyVersions, []ledger.AttributeName{
		{Name: doctor.Name, Version: 2}, {Name: doctor.Name, Version: 3}, {Name: "HospitalA:fresh", Version: 1}, {Name: doctor.Name, Version: 1},
		{Name: ward.Name, Version: 1},
	})
	if got := must[[]ledger.AttributeKey](t, payload, err); !slices.Equal(got, []ledger.AttributeKey{doctor2, doctor, ward}) {
		t.Errorf("versions %+v", got)
	}
	many := slices.Repeat([]ledger.AttributeName{{Name: doctor.Name, Version: 1}}, ledger.MaxKeysPerCall+1)
	for _, bad := range [][]ledger.AttributeName{{}, many, {{Name: doctor.Name}}, {{Name: doctor.Name, Version: -1}},
		{{Name: doctor.Name, Version: ledger.MaxVersions + 1}}, {{Name: "doctor", Version: 1}}} {
		_, err := c.evaluate("HospitalC", nurse, ledger.AuthorityKeyVersions, bad)
		refused(t, ledger.ErrInvalid, nil, err)
	}
}

func TestPublishKeysForeignNamespace(t *testing.T) {
	c := newChannel(t)
	for _, attacker := range [][2]string{{"HospitalB", "admin"}, {"HospitalB", "authority"}, {"Regulator", "admin"}} {
		who := person(t, attacker[0], attacker[1], attacker[1])
		_, err := c.submit(who, nil, ledger.AuthorityPublishKeys,
			[]ledger.AttributeKey{{Name: "HospitalA:role=doctor", Version: 1, Key: publicKey("mine")}})
		refused(t, ledger.ErrDenied, nil, err)
	}
	// An MSP does not own attributes of another whose name it begins with.
	if owns("HospitalA", "HospitalAB:role=doctor") || owns("HospitalAB", "HospitalA:role=doctor") || !owns("HospitalA", "HospitalA:x") {
		t.Error("a prefix of a name counts as the name")
	}
}

func TestAttributeGrammar(t *testing.T) {
	for _, good := range []string{"HospitalA:role", "HospitalA:role=doctor", "a.b-c_d:x.y-z=odd value: (1,2)/\"q\"=b", "H:clearance=[3,7]"} {
		if err := checkAttribute(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ":", "role=doctor", "HospitalA", "HospitalA:", ":role", "HospitalA:role=", "HospitalA:=x", "Hospital A:role",
		"HospitalA:ro le", "HospitalA:role= x", "HospitalA:role=x ", "HospitalA:role=x\n", "HospitalA:role=\x00", "HospitalA:role=d\u00f6ktor",
		"HospitalA:role=\xff", "Hospital/A:role", "HospitalA:a:b", "HospitalA:role=" + strings.Repeat("x", ledger.MaxName)} {
		if checkAttribute(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
