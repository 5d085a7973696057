package clienttest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

func ledgerScopes(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	name := "suite-" + NewID()[:8]
	first, second := NewEnvelope(t, env.Custodian), NewEnvelope(t, env.Custodian)
	wantError(t, "a doctor makes a scope", env.Doctor.CreateScope(ctx, name, first), client.ErrDenied)
	if err := env.Custodian.CreateScope(ctx, name, first); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the same scope again", env.Custodian.CreateScope(ctx, name, first), client.ErrExists)
	wantError(t, "an epoch too far", env.Custodian.RollScope(ctx, name, 3, second), client.ErrInvalid)
	if err := env.Custodian.RollScope(ctx, name, 2, second); err != nil {
		t.Fatal(err)
	}
	for attempt := 0; ; attempt++ { // another organisation's peer may be a block behind
		all, err := env.Auditor.Scopes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(s ledger.Scope) bool { return s.Name == name })
		if i >= 0 && all[i].Epoch == 2 && all[i].Owner == env.Custodian.MSP() {
			break
		}
		if attempt == 50 {
			t.Fatalf("scopes %+v", all)
		}
		time.Sleep(100 * time.Millisecond)
	}
	wantError(t, "a doctor retires", env.Doctor.RetireScope(ctx, name, 1, ""), client.ErrDenied)
	wantError(t, "the current epoch is retired", env.Custodian.RetireScope(ctx, name, 2, ""), client.ErrInvalid)
	if err := env.Custodian.RetireScope(ctx, name, 1, ""); err != nil {
		t.Fatal(err)
	}
	wantError(t, "retired again", env.Custodian.RetireScope(ctx, name, 1, ""), client.ErrExists)
	retired, err := env.Custodian.Retirements(ctx, name)
	if err != nil || len(retired) != 1 || retired[0].MSP != env.Custodian.MSP() || retired[0].Epoch != 1 {
		t.Errorf("retirements %+v, %v", retired, err)
	}
	none, s, err := env.Custodian.SearchEntries(ctx, "", nil)
	if err != nil || len(none) != 0 {
		t.Errorf("a search without labels: %x, %v", none, err)
	}
	if all, err := env.Custodian.Scopes(ctx); err != nil || !slices.Equal(s.Scopes, all) {
		t.Errorf("a search sees the scopes %+v, and there are %+v, %v", s.Scopes, all, err)
	}
	if !slices.Contains(s.Retirements, retired[0]) {
		t.Errorf("a search sees the retirements %+v, not %+v", s.Retirements, retired[0])
	}
	authorities, err := env.Custodian.Authorities(ctx)
	var msps []string
	for _, a := range authorities {
		msps = append(msps, a.MSP)
	}
	if err != nil || !slices.Equal(s.Hospitals, msps) {
		t.Errorf("a search sees the hospitals %q, and there are %q, %v", s.Hospitals, msps, err)
	}
	if s.Generation == "" {
		t.Error("what can be searched has no generation")
	}
	if _, same, err := env.Custodian.SearchEntries(ctx, s.Generation, nil); err != nil || same.Generation != s.Generation || len(same.Scopes)+len(same.Hospitals) > 0 {
		t.Errorf("to one who knows the generation: %+v, %v", same, err)
	}
	if err := env.Custodian.RollScope(ctx, name, 3, second); err != nil {
		t.Fatal(err)
	}
	if _, rolled, err := env.Custodian.SearchEntries(ctx, s.Generation, nil); err != nil || rolled.Generation == s.Generation || len(rolled.Scopes) != len(s.Scopes) {
		t.Errorf("after a roll: %+v, %v", rolled, err)
	}
	entries, err := env.Other.RequestAccess(ctx, []string{ledger.ScopeTarget(name)}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	for epoch, want := range map[int][]byte{1: first, 2: second} {
		// Another hospital's peer may receive the private data a little later.
		var got []byte
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if got, err = env.Other.ScopeKey(ctx, name, epoch, entries[0].ID); !errors.Is(err, client.ErrUnavailable) {
				break
			}
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("key of epoch %d: %d bytes, %v", epoch, len(got), err)
		}
	}
	_, err = env.Doctor.ScopeKey(ctx, name, 1, entries[0].ID)
	wantError(t, "with somebody else's access entry", err, client.ErrDenied)
}

func ledgerAttributes(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	name := env.Authority.MSP() + ":suite=" + NewID()[:8]
	key := func(name string, version int) ledger.AttributeKey {
		return ledger.AttributeKey{Name: name, Version: version, Key: base64.StdEncoding.EncodeToString(env.PublicKey(name, version))}
	}
	wantError(t, "a doctor publishes", env.Doctor.PublishKeys(ctx, []ledger.AttributeKey{key(name, 1)}), client.ErrDenied)
	foreign := env.Other.MSP() + ":suite=1"
	wantError(t, "another's namespace", env.Authority.PublishKeys(ctx, []ledger.AttributeKey{key(foreign, 1)}), client.ErrDenied)
	if err := env.Authority.PublishKeys(ctx, []ledger.AttributeKey{key(name, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := env.Authority.PublishKeys(ctx, []ledger.AttributeKey{key(name, 1)}); err != nil {
		t.Errorf("the same key again: %v", err)
	}
	changed := key(name, 1)
	changed.Key = base64.StdEncoding.EncodeToString([]byte("another key"))
	wantError(t, "another key under a version", env.Authority.PublishKeys(ctx, []ledger.AttributeKey{changed}), client.ErrExists)
	if err := env.Authority.PublishKeys(ctx, []ledger.AttributeKey{key(name, 2)}); err != nil {
		t.Fatal(err)
	}
	got, err := env.Auditor.AttributeKeys(ctx, []string{name})
	for range 50 { // another organisation's peer may be behind
		if err == nil && len(got) == 1 && got[0] == key(name, 2) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		got, err = env.Auditor.AttributeKeys(ctx, []string{name})
	}
	if err != nil || len(got) != 1 || got[0] != key(name, 2) {
		t.Errorf("got %+v, %v", got, err)
	}
	asked := []ledger.AttributeName{{Name: name, Version: 3}, {Name: name, Version: 2}, {Name: name + "x", Version: 1}, {Name: name, Version: 1}}
	for range ledger.MaxKeysPerCall {
		asked = append(asked, ledger.AttributeName{Name: name + "x", Version: 1})
	}
	asked = append(asked, ledger.AttributeName{Name: name, Version: 1})
	got, err = env.Doctor.AttributeKeyVersions(ctx, asked)
	if err != nil || !slices.Equal(got, []ledger.AttributeKey{key(name, 2), key(name, 1), key(name, 1)}) {
		t.Errorf("versions: got %+v, %v", got, err)
	}
	_, err = env.Doctor.AttributeKeys(ctx, []string{name, name + "x"})
	wantError(t, "a name that nobody published", err, client.ErrNotFound)
	all, err := env.Doctor.Attributes(ctx)
	if err != nil || !slices.Contains(all, ledger.AttributeName{Name: name, Version: 2}) {
		t.Errorf("attributes %v, %v", all, err)
	}
	if !slices.IsSortedFunc(all, func(a, b ledger.AttributeName) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("attributes are not sorted")
	}
	msp, _, _ := strings.Cut(name, ":")
	own, err := env.Doctor.AttributesOf(ctx, msp)
	all = slices.DeleteFunc(all, func(a ledger.AttributeName) bool { return !strings.HasPrefix(a.Name, msp+":") })
	if err != nil || !slices.Equal(own, all) {
		t.Errorf("attributes of %s: %v, %v; want %v", msp, own, err, all)
	}
	many := slices.Repeat([]string{name + "x"}, ledger.MaxKeysPerCall)
	if got, err := env.Doctor.CurrentKeys(ctx, append(many, name)); err != nil || len(got) != 1 || got[0] != key(name, 2) {
		t.Errorf("keys by name: %+v, %v", got, err)
	}
}
