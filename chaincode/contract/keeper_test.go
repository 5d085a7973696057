package contract

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// packedMarks gives the payloads of a receipt.
func packedMarks(cids ...string) string {
	var marks []ledger.PayloadMark
	for _, cid := range cids {
		marks = append(marks, ledger.MarkOf(cid))
	}
	return base64.StdEncoding.EncodeToString(ledger.PackMarks(marks))
}

// TestKeep: each keeper writes its own receipts, and replaces and ends only those.
func TestKeep(t *testing.T) {
	c := newChannel(t)
	one, two := strings.Repeat("1", 64), strings.Repeat("2", 64)
	a, b := person(t, "HospitalA", "authority", "authority"), person(t, "HospitalB", "authority", "authority")
	keep := func(who []byte, receipts ...ledger.PinReceipt) {
		t.Helper()
		_, err := c.submit(who, nil, ledger.ReplicaKeep, ledger.Presence{Node: "12D3KooW", Pins: append([]ledger.PinReceipt{}, receipts...)})
		ok(t, nil, err)
	}
	pins := func() (all []ledger.PinReceipt) {
		t.Helper()
		payload, err := c.evaluate("HospitalB", person(t, "Regulator", "auditor", "auditor"), ledger.ReplicaPins, []string{two, one})
		return must[[]ledger.PinReceipt](t, payload, err)
	}
	keep(a, ledger.PinReceipt{Tx: one, Payloads: packedMarks("x", "y")})
	keep(b, ledger.PinReceipt{Tx: one, Payloads: packedMarks("x")}, ledger.PinReceipt{Tx: two, Payloads: packedMarks("z")})
	want := []ledger.PinReceipt{{Tx: two, Keeper: "HospitalB", Payloads: packedMarks("z")},
		{Tx: one, Keeper: "HospitalA", Payloads: packedMarks("y", "x")}, {Tx: one, Keeper: "HospitalB", Payloads: packedMarks("x")}}
	if got := pins(); !slices.Equal(got, want) {
		t.Errorf("receipts %+v", got)
	}
	keep(b, ledger.PinReceipt{Tx: one})
	keep(a, ledger.PinReceipt{Tx: one, Payloads: packedMarks("y")})
	want = []ledger.PinReceipt{want[0], {Tx: one, Keeper: "HospitalA", Payloads: packedMarks("y")}}
	if got := pins(); !slices.Equal(got, want) {
		t.Errorf("after one has ended: %+v", got)
	}
	payload, err := c.evaluate("HospitalB", nil, ledger.ReplicaKeepers)
	got := must[ledger.Consortium](t, payload, err)
	if got.Rules.Max != 3 || got.Rules.Min != 2 || len(got.Keepers) != 2 || got.Keepers[1].MSP != "HospitalB" || got.Keepers[1].Node != "12D3KooW" || got.Keepers[1].Time == "" {
		t.Errorf("keepers %+v", got)
	}
}

// TestKeepRefuses: what no keeper may say.
func TestKeepRefuses(t *testing.T) {
	c := newChannel(t)
	keeper := person(t, "HospitalA", "authority", "authority")
	tx := strings.Repeat("1", 64)
	many := make([]ledger.PinReceipt, ledger.MaxPinReceipts+1)
	for i := range many {
		many[i] = ledger.PinReceipt{Tx: fmt.Sprintf("%064x", i)}
	}
	marks := func(n int) string {
		all := make([]ledger.PayloadMark, n)
		for i := range all {
			all[i] = ledger.PayloadMark{byte(i >> 8), byte(i)}
		}
		return base64.StdEncoding.EncodeToString(ledger.PackMarks(all))
	}
	var heavy []ledger.PinReceipt
	for i := range ledger.MaxPinMarks/ledger.MaxPinReceipted + 1 {
		heavy = append(heavy, ledger.PinReceipt{Tx: tx[:62] + string("0123456789abcdef"[i/16]) + string("0123456789abcdef"[i%16]), Payloads: marks(ledger.MaxPinReceipted)})
	}
	x, y := ledger.MarkOf("x"), ledger.MarkOf("y")
	for name, p := range map[string]ledger.Presence{
		"for another hospital":         {Pins: []ledger.PinReceipt{{Tx: tx, Keeper: "HospitalB", Payloads: packedMarks("x")}}},
		"for the own hospital by name": {Pins: []ledger.PinReceipt{{Tx: tx, Keeper: "HospitalA", Payloads: packedMarks("x")}}},
		"no transaction":               {Pins: []ledger.PinReceipt{{Tx: "../keeper", Payloads: packedMarks("x")}}},
		"another case":                 {Pins: []ledger.PinReceipt{{Tx: strings.Repeat("A", 64), Payloads: packedMarks("x")}}},
		"a transaction twice":          {Pins: []ledger.PinReceipt{{Tx: tx, Payloads: packedMarks("x")}, {Tx: tx}}},
		"no base64":                    {Pins: []ledger.PinReceipt{{Tx: tx, Payloads: "***"}}},
		"half a mark":                  {Pins: []ledger.PinReceipt{{Tx: tx, Payloads: "AAAA"}}},
		"a mark twice":                 {Pins: []ledger.PinReceipt{{Tx: tx, Payloads: base64.StdEncoding.EncodeToString(append(x[:], x[:]...))}}},
		"marks in no order":            {Pins: []ledger.PinReceipt{{Tx: tx, Payloads: base64.StdEncoding.EncodeToString(descending(x, y))}}},
		"too many receipts":            {Pins: many},
		"too many payloads in one":     {Pins: []ledger.PinReceipt{{Tx: tx, Payloads: marks(ledger.MaxPinReceipted + 1)}}},
		"too many payloads":            {Pins: heavy},
		"a node with a separator":      {Node: "a/b", Pins: []ledger.PinReceipt{}},
		"a long node":                  {Node: strings.Repeat("a", ledger.MaxNodeID+1), Pins: []ledger.PinReceipt{}},
	} {
		s, _, err := c.simulate("HospitalA", keeper, nil, ledger.ReplicaKeep, p)
		if refused(t, ledger.ErrInvalid, nil, err); err == nil || len(s.writes) > 0 {
			t.Errorf("%s: %v, %d writes", name, err, len(s.writes))
		}
	}
	for _, txs := range [][]string{nil, {"x"}, slices.Repeat([]string{tx}, ledger.MaxPinReceipts+1)} {
		_, err := c.evaluate("HospitalA", keeper, ledger.ReplicaPins, txs)
		refused(t, ledger.ErrInvalid, nil, err)
	}
}

func descending(a, b ledger.PayloadMark) []byte {
	packed := ledger.PackMarks([]ledger.PayloadMark{a, b})
	return append(slices.Clone(packed[ledger.MarkSize:]), packed[:ledger.MarkSize]...)
}

// TestCopyRules: rules reach the ledger when they are new, by servers that agree, and bad
// ones do not start a server.
func TestCopyRules(t *testing.T) {
	c := newChannel(t)
	keeper := person(t, "HospitalA", "authority", "authority")
	keep := func() *stub {
		t.Helper()
		s, _, err := c.simulate("HospitalA", keeper, nil, ledger.ReplicaKeep, ledger.Presence{Pins: []ledger.PinReceipt{}})
		ok(t, nil, err)
		ok(t, nil, c.world.commit(s))
		return s
	}
	if s := keep(); s.writes[ledger.CopyRulesKey] == nil {
		t.Error("the first word brings no rules")
	}
	if s := keep(); s.writes[ledger.CopyRulesKey] != nil {
		t.Error("the same rules are written again")
	}
	rules := ledger.CopyRules{Min: 1, Max: 2, Leeway: "1h", Sizes: []ledger.SizeRule{{Above: 1 << 30, Min: 1, Max: 1}}}
	cc, err := New(Config{MSP: "HospitalA", Hospitals: members[:3], Copies: rules})
	ok(t, nil, err)
	c.servers["HospitalA"] = cc
	keep()
	payload, err := c.evaluate("HospitalB", keeper, ledger.ReplicaKeepers)
	if got := must[ledger.Consortium](t, payload, err); got.Rules.Max != 2 || len(got.Rules.Sizes) != 1 || got.Own.Max != 3 {
		t.Errorf("rules %+v", got)
	}
	for _, bad := range []ledger.CopyRules{
		{Min: 2, Max: 1, Leeway: "1h"}, {Min: 0, Max: 1, Leeway: "1h"}, {Min: 1, Max: 1}, {Min: 1, Max: 1, Leeway: "9s"}, {Min: 1, Max: 1, Leeway: "3000h"}, {Min: 1, Max: 1, Leeway: "soon"},
		{Min: 1, Max: ledger.MaxKeepers + 1, Leeway: "1h"}, {Min: 1, Max: 1, Leeway: "1h", Sizes: []ledger.SizeRule{{Above: 0, Min: 1, Max: 1}}},
		{Min: 1, Max: 1, Leeway: "1h", Sizes: []ledger.SizeRule{{Above: 5, Min: 1, Max: 1}, {Above: 5, Min: 1, Max: 1}}},
		{Min: 1, Max: 1, Leeway: "1h", Sizes: []ledger.SizeRule{{Above: 5, Min: 2, Max: 1}}},
	} {
		if _, err := New(Config{MSP: "HospitalA", Hospitals: members[:3], Copies: bad}); err == nil {
			t.Errorf("a server takes %+v", bad)
		}
	}
}
