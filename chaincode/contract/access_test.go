package contract

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func TestRequest(t *testing.T) {
	c := newChannel(t)
	doctor, reader := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalB", "doctor", "doctor")
	one, two := c.seal(doctor, 1), c.seal(doctor, 2)
	_, err := c.submit(person(t, "HospitalA", "custodian", "custodian"), wrapped(t, 1), ledger.ScopeCreate, "consortium")
	ok(t, nil, err)

	got := c.askAll(reader, "ETREAT", two, ledger.ScopeTarget("consortium"), one)
	if len(got) != 3 || got[0].Target != two || got[1].Target != "scope:consortium" || got[2].Target != one {
		t.Fatalf("got %+v", got)
	}
	e := got[0]
	if e.Actor != "HospitalB/doctor" || e.Purpose != "ETREAT" || e.ID != e.Time+"-"+e.Tx || e.ID != got[2].ID {
		t.Errorf("got %+v", e)
	}

	request := func(purpose string, targets ...string) error {
		t.Helper()
		_, err := c.submit(reader, nil, ledger.AccessRequest, targets, purpose)
		return err
	}
	before := len(c.world.state)
	refused(t, ledger.ErrNotFound, nil, request("TREAT", one, recordID(9)))
	refused(t, ledger.ErrNotFound, nil, request("TREAT", "scope:cardiology"))
	refused(t, ledger.ErrInvalid, nil, request("CURIOSITY", one))
	refused(t, ledger.ErrInvalid, nil, request("", one))
	refused(t, ledger.ErrInvalid, nil, request("TREAT", one, one))
	refused(t, ledger.ErrInvalid, nil, request("TREAT"))
	refused(t, ledger.ErrInvalid, nil, request("TREAT", strings.Fields(strings.Repeat(one+" ", 101))...))
	for _, target := range []string{"", "scope:", "scope:../x", one + "/000001", strings.ToUpper(strings.Repeat("ab", 16)), "record/" + one} {
		refused(t, ledger.ErrInvalid, nil, request("TREAT", target))
	}
	if len(c.world.state) != before {
		t.Error("a refused request wrote something")
	}
}

// A client of a member tries to get a wrapped key without an access entry of their own.
func TestEnvelopeAttacks(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	id, other := c.seal(doctor, 1), c.seal(doctor, 2)
	reader, nurse := person(t, "HospitalB", "doctor", "doctor"), person(t, "HospitalC", "nurse", "nurse")
	entry := c.ask(reader, id)
	envelope := func(who []byte, id, accessID string) error {
		t.Helper()
		_, err := c.evaluate("HospitalB", who, ledger.RecordEnvelope, id, 1, accessID)
		return err
	}

	t.Run("someone else's entry", func(t *testing.T) {
		refused(t, ledger.ErrDenied, nil, envelope(nurse, id, entry.ID))
		refused(t, ledger.ErrDenied, nil, envelope(doctor, id, entry.ID)) // same enrolment id at another hospital
		refused(t, ledger.ErrDenied, nil, envelope(person(t, "HospitalB", "nurse", "nurse"), id, entry.ID))
	})
	t.Run("an entry for another record", func(t *testing.T) {
		refused(t, ledger.ErrDenied, nil, envelope(reader, other, entry.ID))
	})
	t.Run("an entry that was endorsed and never committed", func(t *testing.T) {
		s, _, err := c.simulate("HospitalC", nurse, nil, ledger.AccessRequest, []string{id}, "TREAT")
		ok(t, nil, err)
		refused(t, ledger.ErrDenied, nil, envelope(nurse, id, ledger.AccessID(ledger.FormatTime(c.now), s.tx)))
	})
	t.Run("the home hospital's own staff without an entry", func(t *testing.T) {
		refused(t, ledger.ErrDenied, nil, envelope(doctor, id, ledger.AccessID(ledger.FormatTime(c.now), strings.Repeat("0", 64))))
	})
	t.Run("a crafted access id", func(t *testing.T) {
		for _, crafted := range []string{"", "-", entry.ID + "/x", "../" + entry.ID, strings.ToUpper(entry.ID), entry.ID[1:], entry.ID + " ",
			"2026-03-14T09:00:00Z-" + strings.Repeat("0", 64), entry.Time + "+" + entry.Tx, entry.Time + "-" + strings.Repeat("g", 64), "\x00"} {
			refused(t, ledger.ErrInvalid, nil, envelope(reader, id, crafted))
		}
	})
	t.Run("a regulator with an entry on the ledger", func(t *testing.T) {
		// Even an entry of theirs would not help.
		for _, role := range []string{"auditor", "admin", "doctor", "custodian"} {
			auditor := person(t, "Regulator", "auditor", role)
			_, err := c.submit(auditor, nil, ledger.AccessRequest, []string{id}, "TREAT")
			refused(t, ledger.ErrDenied, nil, err)
			forged := entry
			forged.Actor = "Regulator/auditor"
			c.plant(forged)
			refused(t, ledger.ErrDenied, nil, envelope(auditor, id, forged.ID))
			c.plant(entry)
		}
	})
	t.Run("a hospital's admin with an entry on the ledger", func(t *testing.T) {
		forged := entry
		forged.Actor = "HospitalB/admin"
		c.plant(forged)
		refused(t, ledger.ErrDenied, nil, envelope(person(t, "HospitalB", "admin", "admin"), id, forged.ID))
		c.plant(entry)
	})
	t.Run("the owner of the entry still can", func(t *testing.T) { ok(t, nil, envelope(reader, id, entry.ID)) })
}

func (c *channel) plant(e ledger.AccessEntry) {
	c.world.state[ledger.AccessKey(e.Target, e.ID)] = cell{ledger.AccessValue(e), c.world.height}
}

func TestAccessWindow(t *testing.T) {
	c := newChannel(t)
	id := c.seal(person(t, "HospitalA", "doctor", "doctor"), 1)
	reader := person(t, "HospitalB", "doctor", "doctor")
	entry := c.ask(reader, id)
	made, err := ledger.ParseTime(entry.Time)
	ok(t, nil, err)
	for _, step := range []struct {
		after time.Duration
		want  error
	}{
		{0, nil}, {ledger.AccessWindow, nil}, {ledger.AccessWindow + 1, ledger.ErrDenied}, {24 * time.Hour, ledger.ErrDenied},
		{-ledger.AccessWindowFuture, nil}, {-ledger.AccessWindowFuture - 1, ledger.ErrDenied},
	} {
		c.now = made.Add(step.after)
		if _, err = c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID); step.want == nil {
			ok(t, nil, err)
		} else {
			refused(t, step.want, nil, err)
		}
	}
}

// A clinician dates an entry a year back, so that an audit of today misses it, and asks
// for the envelope under an equally false timestamp. A server with a clock refuses.
func TestLyingClock(t *testing.T) {
	c := newChannel(t)
	honest := start
	withClock, err := New(Config{MSP: "HospitalB", Hospitals: members[:3], Clock: func() time.Time { return honest }})
	ok(t, nil, err)
	c.servers["HospitalB"] = withClock
	id := c.seal(person(t, "HospitalA", "doctor", "doctor"), 1)
	reader := person(t, "HospitalB", "doctor", "doctor")

	// The server with a clock does not endorse the entry. Those without one do.
	c.now = start.AddDate(-1, 0, 0)
	_, _, err = c.simulate("HospitalB", reader, nil, ledger.AccessRequest, []string{id}, "TREAT")
	refused(t, ledger.ErrUnavailable, nil, err)
	c.servers["HospitalB"] = c.servers["HospitalC"]
	entry := c.ask(reader, id)
	c.servers["HospitalB"] = withClock
	_, err = c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	refused(t, ledger.ErrDenied, nil, err)

	c.now = start
	entry = c.ask(reader, id)
	c.now = start.AddDate(1, 0, 0) // the timestamp of the evaluated call is the client's too, and is not asked
	_, err = c.evaluate("HospitalB", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	ok(t, nil, err)
}

// The client chooses the timestamp of a proposal. One that would break the order of keys
// is refused.
func TestTimestampOutOfRange(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	id := c.seal(doctor, 1)
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)} {
		c.now = at
		_, err := c.submit(doctor, nil, ledger.AccessRequest, []string{id}, "TREAT")
		refused(t, ledger.ErrInvalid, nil, err)
	}
	s := c.world.begin(doctor, fmt.Sprintf("%064x", 1), start, nil, arguments(t, ledger.AccessRequest, []any{[]string{id}, "TREAT"})...)
	s.at = nil
	_, err := c.endorse("HospitalA", s)
	refused(t, ledger.ErrInvalid, nil, err)
}
