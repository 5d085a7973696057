package contract

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func label(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 8), uint64(n)) }

func entryValue(n int) []byte { return bytes.Repeat([]byte{byte(n)}, ledger.EntryValueSize) }

func pack(labels ...int) []byte {
	var all []byte
	for _, n := range labels {
		all = append(append(all, label(n)...), entryValue(n)...)
	}
	return all
}

// indexing makes the transient map of entries.
func indexing(labels ...int) map[string][]byte {
	return map[string][]byte{ledger.TransientEntries: pack(labels...)}
}

func labelBatch(msp string, labels ...int) ledger.LabelBatch {
	var all []byte
	for _, n := range labels {
		all = append(all, label(n)...)
	}
	return ledger.LabelBatch{MSP: msp, Labels: base64.StdEncoding.EncodeToString(all)}
}

func TestIndex(t *testing.T) {
	c := newChannel(t)
	a, b := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalB", "doctor", "doctor")
	payload, err := c.submit(a, indexing(1, 2, 3), ledger.IndexPut)
	if err != nil || len(payload) > 0 || len(c.world.state) != 3 {
		t.Errorf("got %q, %v, and wrote %d", payload, err, len(c.world.state))
	}
	_, err = c.submit(b, indexing(1), ledger.IndexPut) // another hospital's namespace
	ok(t, nil, err)

	if value := c.world.state[ledger.IndexKey("HospitalA", label(2))].value; !bytes.Equal(value, entryValue(2)) {
		t.Errorf("value %x", value)
	}

	payload, err = c.evaluate("HospitalC", person(t, "HospitalC", "nurse", "nurse"), ledger.IndexGet,
		[]ledger.LabelBatch{labelBatch("HospitalB", 2, 1), labelBatch("HospitalA", 3, 9), labelBatch("HospitalC", 1)})
	got := must[[][]string](t, payload, err)
	one, three := base64.StdEncoding.EncodeToString(entryValue(1)), base64.StdEncoding.EncodeToString(entryValue(3))
	want := [][]string{{"", one}, {three, ""}, {""}}
	for i := range want {
		if strings.Join(got[i], ",") != strings.Join(want[i], ",") {
			t.Errorf("batch %d: %q", i, got[i])
		}
	}
}

func TestIndexLabelsAreWrittenOnce(t *testing.T) {
	c := newChannel(t)
	a := person(t, "HospitalA", "doctor", "doctor")
	_, err := c.submit(a, indexing(1, 2), ledger.IndexPut)
	ok(t, nil, err)
	_, err = c.submit(person(t, "HospitalA", "nurse", "nurse"), indexing(3, 2, 1), ledger.IndexPut)
	refused(t, ledger.ErrExists, nil, err)
	if err == nil || !strings.Contains(err.Error(), "2 of 3 labels") || !strings.Contains(err.Error(), base64.RawURLEncoding.EncodeToString(label(2))) {
		t.Errorf("got %v", err)
	}
	payload, err := c.evaluate("HospitalA", a, ledger.IndexGet, []ledger.LabelBatch{labelBatch("HospitalA", 3)})
	if got := must[[][]string](t, payload, err); got[0][0] != "" {
		t.Error("a refused batch wrote an entry")
	}
	_, err = c.submit(a, indexing(5, 5), ledger.IndexPut)
	refused(t, ledger.ErrInvalid, nil, err)
}

func TestIndexInvalid(t *testing.T) {
	c := newChannel(t)
	a := person(t, "HospitalA", "doctor", "doctor")
	many := make([]int, ledger.MaxEntriesPerCall+1)
	for i := range many {
		many[i] = i
	}
	beside := indexing(1)
	beside["note"] = []byte("x")
	for name, bad := range map[string]map[string][]byte{
		"no transient map": nil, "another name": {"entry": pack(1)}, "a name beside": beside, "too many": indexing(many...),
		"none": indexing(), "one byte short": {ledger.TransientEntries: pack(1)[1:]}, "one byte more": {ledger.TransientEntries: append(pack(1, 2), 0)},
	} {
		if _, err := c.submit(a, bad, ledger.IndexPut); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.submit(a, indexing(many[1:]...), ledger.IndexPut)
	ok(t, nil, err)
	if n := len(c.world.state); n != ledger.MaxEntriesPerCall {
		t.Errorf("wrote %d", n)
	}
	whole := labelBatch("", 1).Labels

	for name, bad := range map[string][]ledger.LabelBatch{
		"no batch": {}, "no labels": {{MSP: "HospitalA"}}, "too many": {labelBatch("HospitalA", many...)},
		"too many together": {labelBatch("HospitalA", many[:4000]...), labelBatch("HospitalB", many[:97]...)},
		"short":             {{MSP: "HospitalA", Labels: base64.StdEncoding.EncodeToString(make([]byte, 15))}},
		"not base64":        {{MSP: "HospitalA", Labels: "*" + whole[1:]}}, "unpadded": {{MSP: "HospitalA", Labels: strings.TrimRight(whole, "=")}},
		"url alphabet": {{MSP: "HospitalA", Labels: strings.Repeat("_", 22) + "=="}}, "beyond every limit": {{MSP: "HospitalA", Labels: strings.Repeat("A", maxArgument/2)}},
		"no MSP": {labelBatch("", 1)}, "MSP with a separator": {labelBatch("HospitalA\x00", 1)},
		"MSP of another alphabet": {labelBatch("H\u00f6spital", 1)},
	} {
		if _, err := c.evaluate("HospitalA", a, ledger.IndexGet, bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
