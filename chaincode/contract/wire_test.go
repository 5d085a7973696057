package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hyperledger/fabric-contract-api-go/v2/metadata"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Calls that do not fit their function. contractapi alone accepts most of them.
func TestMalformedCalls(t *testing.T) {
	c := newChannel(t)
	admin := person(t, "HospitalA", "admin", "admin")
	good, err := json.Marshal(ledger.AttributeKey{Name: "HospitalA:role=doctor", Version: 1, Key: publicKey("k")})
	ok(t, nil, err)
	key := string(good)
	query := `{"since":"` + at(0) + `"}`
	for name, call := range map[string][]string{
		"no function":                       {},
		"an empty function":                 {""},
		"no contract":                       {"Create", "[" + key + "]"},
		"an unknown contract":               {"records:Create", "[" + key + "]"},
		"an unknown function":               {"record:Purge", recordID(1)},
		"a function in lower case":          {"record:create", "[" + key + "]"},
		"a method that is not a function":   {"record:GetEvaluateTransactions"},
		"a method of contractapi":           {"record:GetName"},
		"a function that is not UTF-8":      {"record:\xff\xfe"},
		"a function that looks like a code": {"[chartseal/denied] x"},
		"a very long function":              {strings.Repeat("x", 1<<20)},
		"no argument":                       {ledger.AuthorityPublishKeys},
		"one argument too many":             {ledger.AuthorityPublishKeys, "[" + key + "]", "x"},
		"an argument too long":              {ledger.AuthorityPublishKeys, "[" + key + strings.Repeat(" ", maxArgument) + "]"},
		"an argument for none":              {ledger.ScopeList, ""},
		"an argument beside transient data": {ledger.RecordCreate, ""},
		"not JSON":                          {ledger.AuthorityPublishKeys, "records"},
		"not UTF-8":                         {ledger.AuthorityPublishKeys, "[\"\xff\xfe\"]"},
		"null":                              {ledger.AuthorityPublishKeys, "null"},
		"a null record":                     {ledger.AuthorityPublishKeys, "[null]"},
		"an object for a list":              {ledger.AuthorityPublishKeys, key},
		"a list of lists":                   {ledger.AuthorityPublishKeys, "[[" + key + "]]"},
		"JSON and more":                     {ledger.AuthorityPublishKeys, "[" + key + "] []"},
		"an unknown field":                  {ledger.AuthorityPublishKeys, "[" + strings.TrimSuffix(key, "}") + `,"patient":"4711"}]`},
		"a field in another case":           {ledger.AuthorityPublishKeys, "[" + strings.Replace(key, `"name"`, `"Name"`, 1) + "]"},
		"a missing field":                   {ledger.AuthorityPublishKeys, `[{"name":"HospitalA:x","version":1}]`},
		"a number for a text":               {ledger.AuthorityPublishKeys, strings.Replace("["+key+"]", `"`+publicKey("k")+`"`, "7", 1)},
		"deep nesting":                      {ledger.AuthorityPublishKeys, strings.Repeat("[", 500000)},
		"an unknown field of a struct":      {ledger.AuthorityAnnounce, `{"url":"https://a.example","custodian":"","msp":"HospitalB"}`},
		"a missing field of a struct":       {ledger.AuthorityAnnounce, `{"custodian":""}`},
		"null for a struct":                 {ledger.AuthorityAnnounce, "null"},
		"a fraction for a number":           {ledger.RecordEnvelope, recordID(1), "1.5", "x"},
		"a greater number than fits":        {ledger.RecordEnvelope, recordID(1), "99999999999999999999", "x"},
		"a negative number":                 {ledger.RecordEnvelope, recordID(1), "-1", "x"},
		"an unknown field of a query":       {ledger.AuditRecords, strings.TrimSuffix(query, "}") + `,"limit":5}`},
		"a text for a list of texts":        {ledger.AccessRequest, recordID(1), "TREAT"},
		"numbers for texts":                 {ledger.AccessRequest, "[1,2]", "TREAT"},
	} {
		s := c.world.begin(admin, strings.Repeat("0", 64), start, wrapped(t, 1), call...)
		r := c.servers["HospitalA"].Invoke(s)
		e := ledger.Decode(r.GetMessage())
		switch {
		case r.GetStatus() < 400:
			t.Errorf("%s: taken: %s", name, r.GetPayload())
		case e == nil || !errors.Is(e, ledger.ErrInvalid) || !strings.HasPrefix(r.GetMessage(), "[chartseal/invalid] "):
			t.Errorf("%s: got %q", name, r.GetMessage())
		case !utf8.ValidString(r.GetMessage()) || len(r.GetMessage()) > 2*maxMessage || strings.ContainsAny(r.GetMessage(), "\n\x00"):
			t.Errorf("%s: the message cannot cross the wire: %q", name, r.GetMessage())
		}
		if len(s.writes)+len(s.privateWrites) > 0 {
			t.Errorf("%s: wrote something", name)
		}
	}
	// Optional fields may be left out.
	_, err = c.evaluate("HospitalA", person(t, "Regulator", "auditor", "auditor"), ledger.AuditRecords, query)
	ok(t, nil, err)
}

// A failing peer is not the caller's mistake.
func TestPeerFails(t *testing.T) {
	c := newChannel(t)
	s := c.world.begin(person(t, "HospitalA", "doctor", "doctor"), "tx", start, nil, arguments(t, ledger.RecordGet, []any{[]string{recordID(1)}})...)
	s.fail = errors.New("disk on fire")
	_, err := c.endorse("HospitalA", s)
	refused(t, ledger.ErrUnavailable, nil, err)

	// Private data that cannot be read is not called missing.
	ctx := new(Context)
	ctx.SetStub(s)
	_, err = ctx.privateData(ledger.EnvelopeKey(recordID(1), 1))
	if !errors.Is(err, ledger.ErrUnavailable) || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("got %v", err)
	}

	c.world.state[ledger.RecordKey(recordID(1), 1)] = cell{[]byte("{"), 1}
	_, err = c.evaluate("HospitalA", nil, ledger.RecordGet, []string{recordID(1)})
	refused(t, ledger.ErrUnavailable, nil, err)
}

// A panic in a transaction gives an answer and a line in the log, and quotes no argument.
func TestPanic(t *testing.T) {
	c := newChannel(t)
	var log bytes.Buffer
	fault := "patient 4711"
	cc, err := New(Config{MSP: "HospitalA", Hospitals: members[:3], Log: slog.New(slog.NewTextHandler(&log, nil)),
		Clock: func() time.Time { panic(fault) }})
	ok(t, nil, err)
	reader := person(t, "HospitalB", "doctor", "doctor")
	id := c.seal(person(t, "HospitalA", "doctor", "doctor"), 1)
	entry := c.ask(reader, id)
	c.servers["HospitalA"] = cc
	_, err = c.evaluate("HospitalA", reader, ledger.RecordEnvelope, id, 1, entry.ID)
	refused(t, ledger.ErrUnavailable, nil, err)
	if !strings.Contains(log.String(), "access.go") || !strings.Contains(log.String(), ledger.RecordEnvelope) || strings.Contains(log.String(), fault) {
		t.Errorf("log: %s", log.String())
	}
	_, err = c.evaluate("HospitalA", reader, ledger.RecordGet, []string{id})
	ok(t, nil, err)
}

// contractapi reads arguments on goroutines, where a panic would end the server. The
// serializer must catch it.
func TestSerializerHoldsPanics(t *testing.T) {
	_, err := strict{}.FromString("{}", reflect.TypeFor[panicky](), nil, nil)
	if err == nil {
		t.Error("no error")
	}
}

type panicky struct{}

func (*panicky) UnmarshalJSON([]byte) error { panic("in a goroutine of contractapi's") }

func TestMetadata(t *testing.T) {
	c := newChannel(t)
	payload, err := c.evaluate("HospitalA", person(t, "Regulator", "auditor", "auditor"), getMetadata)
	m := must[metadata.ContractChaincodeMetadata](t, payload, err)
	if m.Info == nil || m.Info.Title != "Chartseal" || m.Info.Version != Version || m.Info.License.Name != "Apache-2.0" {
		t.Errorf("info %+v", m.Info)
	}
	evaluated := []string{ledger.AuthorityList, ledger.AuthorityKeys, ledger.AuthorityKeyVersions, ledger.AuthorityAttributes, ledger.AuthorityPublished, ledger.ScopeList, ledger.ScopeRetired, ledger.ScopeSearchable, ledger.ScopeKey, ledger.RecordGet,
		ledger.RecordVersions, ledger.RecordEnvelope, ledger.RecordErasing, ledger.CertificateGet, ledger.ReplicaReports, ledger.ReplicaKeepers, ledger.ReplicaPins, ledger.ReplicaReceipts, ledger.ReplicaPurged, ledger.IndexGet, ledger.IndexSearch, ledger.AuditRecords, ledger.AuditAccesses, ledger.AuditHistory, ledger.AuditErasures, getMetadata}
	seen := 0
	for name, contract := range m.Contracts {
		if i := contract.Info; i.Title == "" || i.Description == "" && name != "org.hyperledger.fabric" {
			t.Errorf("contract %s: info %+v", name, contract.Info)
		}
		for _, tx := range contract.Transactions {
			full := name + ":" + tx.Name
			seen++
			if n, known := arity[full]; !known || n != len(tx.Parameters) {
				t.Errorf("%s has %d parameters, the table says %d", full, len(tx.Parameters), n)
			}
			if got := slices.Contains(tx.Tag, "evaluate"); got != slices.Contains(evaluated, full) {
				t.Errorf("%s: tags %v", full, tx.Tag)
			}
		}
	}
	if seen != len(arity) {
		t.Errorf("the metadata has %d transactions, the table %d", seen, len(arity))
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	for _, bad := range []Config{
		{}, {MSP: "HospitalA"}, {Hospitals: []string{"HospitalA"}}, {MSP: "Hospital A", Hospitals: []string{"HospitalA"}},
		{MSP: "HospitalA", Hospitals: []string{"HospitalA", "HospitalA"}}, {MSP: "HospitalA", Hospitals: []string{""}},
		{MSP: "HospitalA", Hospitals: []string{"HospitalA/B"}},
	} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	c := newChannel(t)
	for _, fn := range []string{ledger.AuthorityList, ledger.AuthorityAttributes, ledger.ScopeList} {
		if payload, err := c.evaluate("HospitalA", nil, fn); err != nil || string(payload) != "[]" {
			t.Errorf("%s: %q, %v", fn, payload, err)
		}
	}
	for call, want := range map[[2]string]string{
		{ledger.AuthorityPublished, `{"authority":"HospitalA"}`}: `{"attributes":[],"bookmark":""}`,
		{ledger.ScopeSearchable, "wards"}:                        `{"generation":"","scopes":[],"hospitals":[],"retirements":[]}`,
	} {
		if payload, err := c.evaluate("HospitalA", nil, call[0], call[1]); err != nil || string(payload) != want {
			t.Errorf("%s: %q, %v", call[0], payload, err)
		}
	}
	auditor := person(t, "Regulator", "auditor", "auditor")
	for fn, want := range map[string]string{ledger.AuditRecords: `{"versions":[],"bookmark":""}`, ledger.AuditAccesses: `{"entries":[],"bookmark":""}`} {
		if payload, err := c.evaluate("HospitalA", auditor, fn, "{}"); err != nil || string(payload) != want {
			t.Errorf("%s: %q, %v", fn, payload, err)
		}
	}
}

func FuzzInvoke(f *testing.F) {
	for _, seed := range [][3]string{
		{ledger.RecordCreate, "", ""}, {ledger.RecordAmend, "2", ""}, {ledger.IndexPut, "", ""}, {ledger.ScopeRoll, "consortium", "2"}, {ledger.AccessRequest, `["scope:consortium"]`, "TREAT"},
		{ledger.AuditAccesses, `{"actor":"HospitalA/a","bookmark":"AAAA","since":"` + at(0) + `"}`, ""}, {ledger.IndexGet, `[{"msp":"HospitalA","labels":"AAAA"}]`, ""},
		{ledger.AuthorityPublishKeys, `[{"name":"HospitalA:x","version":1,"key":"eA=="}]`, ""}, {"record:\xff", "[chartseal/denied] ", "\x00"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	c := newChannel(f)
	admin, doctor := person(f, "HospitalA", "admin", "admin"), person(f, "HospitalA", "doctor", "doctor")
	transient := sealing(f, newRecord(1))
	f.Fuzz(func(t *testing.T, fn, one, two string) {
		for _, who := range [][]byte{admin, doctor} {
			for _, args := range [][]string{{fn}, {fn, one}, {fn, one, two}} {
				r := c.servers["HospitalA"].Invoke(c.world.begin(who, strings.Repeat("0", 64), start, transient, args...))
				if !utf8.ValidString(r.GetMessage()) {
					t.Errorf("%q: %q", args, r.GetMessage())
				}
				if r.GetStatus() < 400 {
					continue
				}
				e := ledger.Decode(r.GetMessage())
				if e == nil || ledger.Encode(e) != r.GetMessage() || strings.Contains(r.GetMessage(), "failed inside") {
					t.Errorf("%q: %q", args, r.GetMessage())
				}
			}
		}
	})
}
