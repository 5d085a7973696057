package contract

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestAuthorization calls every transaction as every kind of caller, with valid
// arguments. Callers that the rule allows succeed. All others get ErrDenied and write
// nothing.
func TestAuthorization(t *testing.T) {
	roles := []string{"doctor", "nurse", "custodian", "authority", "admin", "auditor", ""}
	organisations := []string{"HospitalA", "HospitalB", "Regulator", "Newcomer"}
	everyone := func(string, string) bool { return true }
	hospital := func(roles ...string) func(string, string) bool {
		return func(msp, role string) bool { return strings.HasPrefix(msp, "Hospital") && slices.Contains(roles, role) }
	}
	clinical := hospital("doctor", "nurse", "custodian")
	auditing := func(_, role string) bool { return slices.Contains([]string{"auditor", "custodian", "admin"}, role) }

	c := newChannel(t)
	home := person(t, "HospitalA", "doctor", "doctor")
	id := c.seal(home, 1)
	custodian := person(t, "HospitalA", "custodian", "custodian")
	_, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "consortium")
	ok(t, nil, err)
	for _, fn := range []func() error{
		func() error { _, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeCreate, "rolled"); return err },
		func() error { _, err := c.submit(custodian, wrapped(t, 1), ledger.ScopeRoll, "rolled", 2); return err },
	} {
		ok(t, nil, fn())
	}
	gone := c.seal(home, 3)
	_, err = c.submit(custodian, nil, ledger.RecordErase, "ERROR", []ledger.NewErasure{{ID: gone}})
	ok(t, nil, err)
	entry := c.ask(home, id)

	cases := []struct {
		fn        string
		may       func(msp, role string) bool
		transient map[string][]byte
		args      func(msp string) []any
	}{
		{ledger.AuthorityAnnounce, hospital("admin", "authority"), nil, func(string) []any {
			return []any{ledger.Announcement{URL: "https://a.example"}}
		}},
		{ledger.AuthorityPublishKeys, hospital("admin", "authority"), nil, func(msp string) []any {
			return []any{[]ledger.AttributeKey{{Name: msp + ":role=doctor", Version: 1, Key: publicKey("k")}}}
		}},
		{ledger.AuthorityList, everyone, nil, func(string) []any { return nil }},
		{ledger.AuthorityKeys, everyone, nil, func(string) []any { return []any{[]string{"HospitalA:role=doctor"}} }},
		{ledger.AuthorityKeyVersions, everyone, nil, func(string) []any {
			return []any{[]ledger.AttributeName{{Name: "HospitalA:role=doctor", Version: 1}}}
		}},
		{ledger.AuthorityAttributes, everyone, nil, func(string) []any { return nil }},
		{ledger.AuthorityPublished, everyone, nil, func(string) []any { return []any{ledger.AttributeQuery{Authority: "HospitalA"}} }},
		{ledger.ScopeCreate, hospital("admin", "custodian"), wrapped(t, 1), func(string) []any { return []any{"cardiology"} }},
		{ledger.ScopeRoll, func(msp, role string) bool { return msp == "HospitalA" && (role == "admin" || role == "custodian") }, wrapped(t, 1), func(string) []any { return []any{"consortium", 2} }},
		{ledger.ScopeRetire, hospital("admin", "custodian"), nil, func(string) []any { return []any{"rolled", 1, ""} }},
		{ledger.ScopeRetired, everyone, nil, func(string) []any { return []any{"rolled"} }},
		{ledger.ScopeSearchable, everyone, nil, func(string) []any { return []any{"consortium"} }},
		{ledger.ScopeList, everyone, nil, func(string) []any { return nil }},
		{ledger.ScopeKey, clinical, nil, func(string) []any { return []any{"consortium", 1, entry.ID} }},
		{ledger.CertificateDeposit, everyone, nil, func(string) []any { return nil }},
		{ledger.CertificateGet, everyone, nil, func(string) []any { return []any{[]string{strings.Repeat("0", 64)}} }},
		{ledger.RecordCreate, clinical, sealing(t, newRecord(2)), func(string) []any { return nil }},
		{ledger.RecordAmend, func(msp, role string) bool { return msp == "HospitalA" && (role == "doctor" || role == "custodian") }, sealing(t, newRecord(1)), func(string) []any { return []any{2} }},
		{ledger.RecordReseal, func(msp, role string) bool { return msp == "HospitalA" && role == "custodian" }, resealing(t, 1, newRecord(1)), func(string) []any { return nil }},
		{ledger.RecordErase, func(msp, role string) bool { return msp == "HospitalA" && role == "custodian" }, nil, func(string) []any {
			return []any{"ERROR", []ledger.NewErasure{{ID: id}}}
		}},
		{ledger.RecordErasing, everyone, nil, func(string) []any { return []any{[]string{id}} }},
		{ledger.RecordGet, everyone, nil, func(string) []any { return []any{[]string{id}} }},
		{ledger.RecordVersions, everyone, nil, func(string) []any { return []any{[]ledger.VersionName{{ID: id, Version: 1}}} }},
		{ledger.RecordEnvelope, clinical, nil, func(string) []any { return []any{id, 1, entry.ID} }},
		{ledger.ReplicaReport, hospital("admin", "authority"), nil, func(msp string) []any {
			home := "HospitalA"
			if msp == home {
				home = "HospitalB"
			}
			return []any{ledger.Keeping{Home: home, Refused: 1, Newest: []ledger.Refusal{{CID: testCID, Size: 1, Reason: ledger.RefusedBudget}}}}
		}},
		{ledger.ReplicaConfirm, hospital("admin", "authority"), nil, func(string) []any {
			return []any{[]ledger.NewReceipt{{Record: gone, Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptGone}}}
		}},
		{ledger.ReplicaKeep, hospital("admin", "authority"), nil, func(string) []any {
			return []any{ledger.Presence{Node: "12D3KooW", Pins: []ledger.PinReceipt{{Tx: strings.Repeat("0", 64), Payloads: packedMarks(testCID)}}}}
		}},
		{ledger.ReplicaKeepers, everyone, nil, func(string) []any { return nil }},
		{ledger.ReplicaPins, everyone, nil, func(string) []any { return []any{[]string{strings.Repeat("0", 64)}} }},
		{ledger.ReplicaReceipts, everyone, nil, func(string) []any { return []any{[]string{gone}} }},
		{ledger.ReplicaPurged, hospital("admin", "authority"), nil, func(string) []any { return []any{[]string{gone}} }},
		{ledger.ReplicaReports, everyone, nil, func(string) []any { return nil }},
		{ledger.IndexPut, clinical, indexing(1), func(string) []any { return nil }},
		{ledger.IndexGet, everyone, nil, func(string) []any { return []any{[]ledger.LabelBatch{labelBatch("HospitalA", 1)}} }},
		{ledger.IndexSearch, everyone, nil, func(string) []any { return []any{"", []ledger.LabelBatch{labelBatch("HospitalA", 1)}} }},
		{ledger.AccessRequest, clinical, nil, func(string) []any { return []any{[]string{id}, "TREAT"} }},
		{ledger.AuditRecords, auditing, nil, func(string) []any { return []any{ledger.RecordQuery{}} }},
		{ledger.AuditAccesses, auditing, nil, func(string) []any { return []any{ledger.AccessQuery{}} }},
		{ledger.AuditHistory, auditing, nil, func(string) []any { return []any{id} }},
		{ledger.AuditErasures, func(msp, role string) bool { return auditing(msp, role) || role == "authority" }, nil, func(string) []any { return []any{ledger.ErasureQuery{}} }},
		{getMetadata, everyone, nil, func(string) []any { return nil }},
	}
	if len(cases) != len(arity) {
		t.Errorf("%d transactions are tried of %d", len(cases), len(arity))
	}
	for _, tc := range cases {
		for _, msp := range organisations {
			for _, role := range roles {
				// The caller has access entries on the ledger, so only the rule keeps a
				// key from them.
				own := entry
				own.Actor = ledger.Actor(msp, "someone")
				c.plant(own)
				own.Target = ledger.ScopeTarget("consortium")
				c.plant(own)
				s, _, err := c.simulate("HospitalA", person(t, msp, "someone", role), tc.transient, tc.fn, tc.args(msp)...)
				switch may := tc.may(msp, role); {
				case may && err != nil:
					t.Errorf("%s as %s of %s: %v", tc.fn, role, msp, err)
				case !may && !errors.Is(err, ledger.ErrDenied):
					t.Errorf("%s as %q of %s: got %v, want denied", tc.fn, role, msp, err)
				case !may && len(s.writes)+len(s.privateWrites) > 0:
					t.Errorf("%s as %q of %s: refused, and writes", tc.fn, role, msp)
				}
			}
		}
	}
}

// Certificates that do not belong to an enrolled person.
func TestCallerAttacks(t *testing.T) {
	c := newChannel(t)
	doctor := map[string]string{"hf.EnrollmentID": "doctor", "role": "doctor"}
	with := func(name, value string) map[string]string {
		return map[string]string{"hf.EnrollmentID": "doctor", "role": "doctor", name: value}
	}
	for name, who := range map[string][]byte{
		"no attributes":               creator(t, "HospitalA", "doctor", nil),
		"no enrolment id":             creator(t, "HospitalA", "doctor", map[string]string{"role": "doctor"}),
		"empty enrolment id":          creator(t, "HospitalA", "", with("hf.EnrollmentID", "")),
		"another common name":         creator(t, "HospitalA", "admin", doctor),
		"id with a control character": creator(t, "HospitalA", "doc\ntor", with("hf.EnrollmentID", "doc\ntor")),
		"id with a zero byte":         creator(t, "HospitalA", "doc\x00tor", with("hf.EnrollmentID", "doc\x00tor")),
		"long id":                     creator(t, "HospitalA", strings.Repeat("x", 200), with("hf.EnrollmentID", strings.Repeat("x", 200))),
		"role in another case":        creator(t, "HospitalA", "doctor", map[string]string{"hf.EnrollmentID": "doctor", "Role": "doctor"}),
		"no MSP":                      creator(t, "", "doctor", doctor),
		"MSP with a separator":        creator(t, "HospitalA/x", "doctor", doctor),
		"MSP in another case":         creator(t, "hospitala", "doctor", doctor),
		"not a certificate":           identity(t, "HospitalA", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
		"no certificate":              identity(t, "HospitalA", []byte{}),
		"an Idemix credential":        idemix(t),
		"no identity at all":          {},
		"not protobuf":                []byte("\xff\xff"),
		"no creator":                  nil,
	} {
		_, _, err := c.simulate("HospitalA", who, sealing(t, newRecord(1)), ledger.RecordCreate)
		if !errors.Is(err, ledger.ErrDenied) {
			t.Errorf("%s: got %v, want denied", name, err)
		}
	}
}

// idemix is an anonymous credential. Fabric presents its organisational unit and role as
// attributes.
func idemix(t *testing.T) []byte {
	t.Helper()
	var credential [2][]byte
	for i, m := range []proto.Message{
		&msp.OrganizationUnit{MspIdentifier: "HospitalA", OrganizationalUnitIdentifier: "client"}, &msp.MSPRole{MspIdentifier: "HospitalA"},
	} {
		var err error
		if credential[i], err = proto.Marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	id, err := proto.Marshal(&msp.SerializedIdemixIdentity{Ou: credential[0], Role: credential[1]})
	if err != nil {
		t.Fatal(err)
	}
	return identity(t, "HospitalA", id)
}

// Enrolment ids with separators stay one part of a key, and no actor is read as another.
func TestActorsAreNotMixedUp(t *testing.T) {
	c := newChannel(t)
	id := c.seal(person(t, "HospitalA", "doctor", "doctor"), 1)
	auditor := person(t, "Regulator", "auditor", "auditor")
	odd := []string{"a", "a/b", "a%2Fb", "a%", "../HospitalB/doctor", "a b", "\u00e4", "a0", "a/" + start.Format("2006"), "scope:x"}
	for _, n := range odd {
		c.ask(person(t, "HospitalA", n, "doctor"), id)
	}
	for _, n := range odd {
		actor := ledger.Actor("HospitalA", n)
		payload, err := c.evaluate("HospitalA", auditor, ledger.AuditAccesses, ledger.AccessQuery{Actor: actor})
		got := must[ledger.AccessPage](t, payload, err)
		if len(got.Entries) != 1 || got.Entries[0].Actor != actor || got.Entries[0].Target != id {
			t.Errorf("%q: got %+v", actor, got.Entries)
		}
	}
	payload, err := c.evaluate("HospitalA", auditor, ledger.AuditAccesses, ledger.AccessQuery{Record: id})
	if got := must[ledger.AccessPage](t, payload, err); len(got.Entries) != len(odd) {
		t.Errorf("got %d entries", len(got.Entries))
	}
	for _, bad := range []string{"doctor", "/", "HospitalA/", "/doctor", "Hospital A/doctor", "HospitalA/a\x00"} {
		_, err := c.evaluate("HospitalA", auditor, ledger.AuditAccesses, ledger.AccessQuery{Actor: bad})
		refused(t, ledger.ErrInvalid, nil, err)
	}
}
