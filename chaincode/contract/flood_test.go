package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// flood is more rows than Fabric gives of a range.
const flood = totalQueryLimit + 352

// publishMany writes attributes of a member, as that many publications would.
func (c *channel) publishMany(msp string, from, to int) {
	for i := from; i < to; i++ {
		k := ledger.AttributeKey{Name: fmt.Sprintf("%s:x=%06d", msp, i), Version: 1, Key: publicKey("x")}
		value, err := json.Marshal(k)
		ok(c.t, nil, err)
		c.world.state[ledger.AttributeCurrentKey(k.Name)] = cell{value, 1}
		c.world.state[ledger.AttributeVersionKey(k.Name, 1)] = cell{value, 1}
	}
}

// published reads all attributes of a member, page by page.
func (c *channel) published(who []byte, msp string) (all []ledger.AttributeName) {
	c.t.Helper()
	for q := (ledger.AttributeQuery{Authority: msp, PageSize: ledger.MaxPageSize}); ; {
		payload, err := c.evaluate("HospitalB", who, ledger.AuthorityPublished, q)
		page := must[ledger.AttributePage](c.t, payload, err)
		all = append(all, page.Attributes...)
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			return all
		}
	}
}

// An authority published more attributes than Fabric lists. Nobody gets a list that ends
// before another hospital's attributes and looks whole.
func TestFloodedAttributes(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalB", "doctor", "doctor")
	keeper := person(t, "HospitalB", "authority", "authority")
	own := []ledger.AttributeKey{{Name: "HospitalB:role=doctor", Version: 1, Key: publicKey("d")}, {Name: "HospitalB:role=nurse", Version: 1, Key: publicKey("n")}}
	_, err := c.submit(keeper, nil, ledger.AuthorityPublishKeys, own)
	ok(t, nil, err)
	c.publishMany("HospitalA", 0, flood)

	_, err = c.evaluate("HospitalB", doctor, ledger.AuthorityAttributes)
	refused(t, ledger.ErrUnavailable, nil, err)
	if got := c.published(doctor, "HospitalB"); fmt.Sprint(got) != "[{HospitalB:role=doctor 1} {HospitalB:role=nurse 1}]" {
		t.Errorf("HospitalB published %v", got)
	}
	if got := c.published(doctor, "HospitalA"); len(got) != flood || got[flood-1].Name != fmt.Sprintf("HospitalA:x=%06d", flood-1) {
		t.Errorf("%d of %d attributes of HospitalA", len(got), flood)
	}
	for _, prefix := range []string{"Hospital", "HospitalC", "HospitalBB"} {
		if got := c.published(doctor, prefix); len(got) > 0 {
			t.Errorf("%s published %v", prefix, got)
		}
	}
	payload, err := c.evaluate("HospitalB", doctor, ledger.AuthorityKeys, []string{own[0].Name, own[1].Name})
	if got := must[[]ledger.AttributeKey](t, payload, err); len(got) != 2 {
		t.Errorf("by name: %v", got)
	}
	for _, bad := range []ledger.AttributeQuery{{}, {Authority: "A/B"}, {Authority: "HospitalB", PageSize: ledger.MaxPageSize + 1},
		{Authority: "HospitalB", Bookmark: sealBookmark(ledger.AttributeCurrentKey("HospitalA:x=000000"))}} {
		_, err := c.evaluate("HospitalB", doctor, ledger.AuthorityPublished, bad)
		refused(t, ledger.ErrInvalid, nil, err)
	}
}

// An authority has a quota of attributes. It counts neither rotations nor the attributes
// of others, and an authority that had more before keeps what it has.
func TestAttributeQuota(t *testing.T) {
	c := newChannel(t)
	publish := func(msp string, keys ...ledger.AttributeKey) error {
		t.Helper()
		s, _, err := c.simulate("HospitalA", person(t, msp, "authority", "authority"), nil, ledger.AuthorityPublishKeys, keys)
		if err != nil {
			return err
		}
		return c.world.commit(s)
	}
	key := func(name string, version int) ledger.AttributeKey {
		return ledger.AttributeKey{Name: name, Version: version, Key: publicKey(fmt.Sprint(name, version))}
	}
	c.publishMany("HospitalA", 0, ledger.MaxAttributes-2)
	refused(t, ledger.ErrDenied, nil, publish("HospitalA", key("HospitalA:a", 1), key("HospitalA:b", 1), key("HospitalA:c", 1)))
	ok(t, nil, publish("HospitalA", key("HospitalA:a", 1), key("HospitalA:b", 1)))
	refused(t, ledger.ErrDenied, nil, publish("HospitalA", key("HospitalA:c", 1)))
	ok(t, nil, publish("HospitalA", key("HospitalA:a", 2), key("HospitalA:b", 1)))
	ok(t, nil, publish("HospitalB", key("HospitalB:a", 1)))

	c.publishMany("HospitalA", ledger.MaxAttributes, ledger.MaxAttributes+500)
	refused(t, ledger.ErrDenied, nil, publish("HospitalA", key("HospitalA:c", 1)))
	ok(t, nil, publish("HospitalA", key("HospitalA:a", 3)))

	// Two first publications of one authority cannot both slip under the quota.
	c = newChannel(t)
	c.publishMany("HospitalA", 0, ledger.MaxAttributes-1)
	keeper := person(t, "HospitalA", "authority", "authority")
	one, _, errOne := c.simulate("HospitalA", keeper, nil, ledger.AuthorityPublishKeys, []ledger.AttributeKey{key("HospitalA:a", 1)})
	two, _, errTwo := c.simulate("HospitalB", keeper, nil, ledger.AuthorityPublishKeys, []ledger.AttributeKey{key("HospitalA:b", 1)})
	ok(t, nil, errors.Join(errOne, errTwo, c.world.commit(one)))
	if err := c.world.commit(two); !errors.Is(err, errConflict) {
		t.Errorf("got %v", err)
	}
}

// A custodian made more scopes than Fabric lists. No list of them is cut off in silence,
// with the search of a scope or without.
func TestFloodedScopes(t *testing.T) {
	c := newChannel(t)
	for i := range flood {
		s := ledger.Scope{Name: fmt.Sprintf("s%06d", i), Epoch: 1, Owner: "HospitalA", Time: ledger.FormatTime(start)}
		c.world.state[ledger.ScopeStateKey(s.Name)] = cell{ledger.ScopeValue(s), 1}
	}
	doctor := person(t, "HospitalB", "doctor", "doctor")
	_, err := c.evaluate("HospitalB", doctor, ledger.ScopeList)
	refused(t, ledger.ErrUnavailable, nil, err)
	_, err = c.evaluate("HospitalB", doctor, ledger.IndexSearch, "", []ledger.LabelBatch{})
	refused(t, ledger.ErrUnavailable, nil, err)

	// A scope is found by its name.
	custodian := person(t, "HospitalB", "custodian", "custodian")
	for epoch, fn := range []string{ledger.ScopeCreate, ledger.ScopeRoll} {
		args := []any{"wards"}
		if epoch > 0 {
			args = append(args, epoch+1)
		}
		_, err := c.submit(custodian, wrapped(t, 1), fn, args...)
		ok(t, nil, err)
	}
	_, err = c.submit(custodian, nil, ledger.ScopeRetire, "wards", 1, "")
	ok(t, nil, err)
	_, err = c.submit(person(t, "HospitalB", "admin", "admin"), nil, ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://b.example"})
	ok(t, nil, err)
	payload, err := c.evaluate("HospitalB", doctor, ledger.ScopeSearchable, "wards")
	got := must[ledger.Searchable](t, payload, err)
	if got.Generation == "" || len(got.Scopes) != 1 || got.Scopes[0].Epoch != 2 || len(got.Hospitals) != 1 || len(got.Retirements) != 1 || got.Retirements[0].Epoch != 1 {
		t.Errorf("got %+v", got)
	}
	payload, err = c.evaluate("HospitalB", doctor, ledger.ScopeSearchable, "nothing")
	if got := must[ledger.Searchable](t, payload, err); len(got.Scopes) > 0 || len(got.Retirements) > 0 {
		t.Errorf("no such scope: %+v", got)
	}
}
